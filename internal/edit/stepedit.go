package edit

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A stepEdit makes the one step of the lines of a step: each key that goes takes
// its own lines and no other, so comments and blank lines stay where they are.
type stepEdit struct {
	w     *workflow
	s     workflowStep
	lines []string
	eol   string
}

// A lineChange puts text in the place of lines.
type lineChange struct {
	from, to int
	text     []string
}

// span are the lines of a key and its value, in those of the step. Blank lines and
// comments behind the value are not its own.
func (e *stepEdit) span(v *ast.MappingValueNode) (from, to int) {
	at := v.Key.GetToken().Position
	from = at.Line - 1 - e.s.from
	to = from + 1
	block := e.block(v)
	for i := from + 1; i < len(e.lines); i++ {
		trimmed := strings.TrimLeft(e.lines[i], " ")
		if strings.TrimSpace(trimmed) == "" {
			continue
		}
		if len(e.lines[i])-len(trimmed) < at.Column {
			break
		}
		if trimmed[0] == '#' && !block {
			continue
		}
		to = i + 1
	}
	return from, to
}

// block tells whether a text stands in lines below its key, where # begins no comment.
func (e *stepEdit) block(v *ast.MappingValueNode) bool {
	_, literal := v.Value.(*ast.LiteralNode)
	return literal && e.w.marks[v] != "*"
}

// remark is the comment at the end of a key's own line, with the blanks before it.
func (e *stepEdit) remark(v *ast.MappingValueNode) string {
	from, to := e.span(v)
	line := strings.TrimRight(e.lines[from], "\r\n")
	block := e.block(v)
	if to > from+1 && !block {
		return ""
	}
	start := 0
	if i := strings.LastIndexAny(line, `"'`); i >= 0 && !block {
		if quoted, ok := v.Value.(*ast.StringNode); ok && strings.ContainsRune(`"'`, rune(quoted.Token.Origin[strings.IndexFunc(quoted.Token.Origin, notBlank)])) {
			start = i
		}
	}
	if i := strings.Index(line[start:], " #"); i >= 0 {
		return strings.TrimRight(line[start+i:], " ")
	}
	return ""
}

func notBlank(r rune) bool { return r != ' ' && r != '\n' && r != '\r' && r != '\t' }

// rewrite gives the step's new lines.
func (e *stepEdit) rewrite(with []string, call kamalCall, removed []string) ([]string, error) {
	var changes []lineChange
	var run *ast.MappingValueNode
	first := e.s.node.Values[0]
	head := e.lines[0][:min(first.Key.GetToken().Position.Column-1, len(e.lines[0]))] // with the dash
	for _, v := range e.s.node.Values {
		switch v.Key.GetToken().Value {
		case "run":
			run = v
		case "shell", "working-directory":
			from, to := e.span(v)
			var kept []string
			if remark := e.remark(v); remark != "" {
				kept = []string{strings.Repeat(" ", len(head)) + strings.TrimLeft(remark, " ") + e.eol}
			}
			changes = append(changes, lineChange{from, to, kept})
		}
	}
	pad := strings.Repeat(" ", len(head))
	from, to := e.span(run)
	env := yamlfile.Child(e.s.node, "env")
	text := e.oneStep(pad, e.remark(run), with, call, env == nil)
	if !strings.HasSuffix(e.lines[len(e.lines)-1], "\n") { // the last line of the file
		e.lines[len(e.lines)-1] += e.eol
	}
	changes = append(changes, lineChange{from, to, text})
	if env != nil {
		more, err := e.env(env, call, removed)
		if err != nil {
			return nil, err
		}
		changes = append(changes, more...)
	}
	slices.SortFunc(changes, func(a, b lineChange) int { return b.from - a.from })
	for _, c := range changes {
		e.w.removed = append(e.w.removed, lineRange{e.s.from + c.from, e.s.from + c.to})
		e.lines = slices.Replace(e.lines, c.from, c.to, c.text...)
	}
	// The dash stands before the first key that is left.
	for i, line := range e.lines {
		if strings.HasPrefix(line, head) && strings.TrimSpace(head) != "" {
			break
		}
		if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' {
			e.lines[i] = head + strings.TrimPrefix(line, pad)
			break
		}
	}
	return e.lines, nil
}

// oneStep are the lines in the place of run:, with an env: of its own where that is new.
func (e *stepEdit) oneStep(pad, remark string, with []string, call kamalCall, newEnv bool) []string {
	text := []string{pad + "uses: kamal-op/kamal-op@v1" + remark + e.eol}
	for _, c := range call.comments {
		text = append(text, pad+c+e.eol)
	}
	text = append(text, pad+"with:"+e.eol)
	for _, line := range with {
		text = append(text, pad+"  "+line+e.eol)
	}
	if newEnv && len(call.env) > 0 {
		text = append(text, pad+"env:"+e.eol)
		for _, a := range call.env {
			text = append(text, pad+"  "+a.name+": "+yamlValue(a.value)+e.eol)
		}
	}
	return text
}

// env takes the names that are declared now out of the step's env, and puts in what
// the script set.
func (e *stepEdit) env(env ast.Node, call kamalCall, removed []string) ([]lineChange, error) {
	values := yamlfile.Pairs(env)
	var gone []*ast.MappingValueNode
	for _, v := range values {
		name := v.Key.GetToken().Value
		if slices.Contains(removed, name) || slices.ContainsFunc(call.env, func(a assignment) bool { return a.name == name }) {
			gone = append(gone, v)
		}
	}
	if len(gone) == 0 && len(call.env) == 0 {
		return nil, nil
	}
	if e.w.isShared(e.s.node, "env") {
		return nil, e.w.refuse(e.s.from+1, "write its names out under env of this step", "env of the step that runs kamal is an anchor or an alias, which others share, and not all of it stays")
	}
	if m, ok := env.(*ast.MappingNode); !ok && len(values) == 0 || ok && m.IsFlowStyle {
		return nil, e.w.refuse(e.s.from+1, "write each of its names in a line of its own", "env of the step that runs kamal is written in braces")
	}
	var changes []lineChange
	for _, v := range gone {
		from, to := e.span(v)
		changes = append(changes, lineChange{from, to, nil})
	}
	var outer *ast.MappingValueNode
	for _, v := range e.s.node.Values {
		if v.Key.GetToken().Value == "env" {
			outer = v
		}
	}
	from, to := e.span(outer)
	var add []string
	pad := strings.Repeat(" ", values[0].Key.GetToken().Position.Column-1)
	for _, a := range call.env {
		add = append(add, pad+a.name+": "+yamlValue(a.value)+e.eol)
	}
	switch {
	case len(gone) == len(values) && len(add) == 0:
		changes = append(changes, lineChange{from, from + 1, nil}) // and what is a comment in it stays
	case len(add) > 0:
		changes = append(changes, lineChange{to, to, add})
	}
	return changes, nil
}

// yamlValue is a text as a value on a line of YAML, in quotes where it needs them:
// GitHub's expressions need none, for all their braces.
func yamlValue(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	rest := text
	for {
		start := strings.Index(rest, "${{")
		if start < 0 {
			break
		}
		end := endOfExpression(rest[start:])
		if end < 0 || strings.Contains(rest[start:start+end], ": ") || strings.Contains(rest[start:start+end], " #") {
			return quoted
		}
		rest = rest[:start] + "expression" + rest[start+end:]
	}
	var value any
	if _, err := yamlfile.Parse(rest, false); err != nil {
		return quoted
	}
	if err := yaml.Unmarshal([]byte(rest), &value); err != nil || value != rest {
		return quoted
	}
	if word := yamlWord(rest); word != rest {
		return quoted
	}
	return text
}
