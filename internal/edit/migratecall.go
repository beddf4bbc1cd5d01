package edit

import (
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// secretsOf is the name in ${{ secrets.NAME }}.
var secretsOf = lazy.Regexp(`secrets\.(\w+)|secrets\[\s*'(\w+)'\s*\]`)

// declareCalled declares the secret that holds the token where others call the
// workflow: they hand over what is declared and nothing else. The callers of the
// repository hand it over then.
func (w *workflow) declareCalled(text string) (string, error) {
	var names []string
	for _, m := range secretsOf().FindAllStringSubmatch(w.token, -1) {
		names = append(names, m[1]+m[2])
	}
	if len(names) == 0 {
		return text, nil
	}
	seen := map[string]bool{w.file: true}
	text, called, err := w.declareIn(w.file, text, names)
	if err != nil || !called {
		return text, err
	}
	return text, w.declareInCallers(path.Base(w.file), names, seen)
}

// declareIn declares secrets under on.workflow_call of a workflow; called is
// whether it has that.
func (w *workflow) declareIn(file, text string, names []string) (string, bool, error) {
	root, shared, err := parseWorkflow(text)
	if err != nil || root == nil {
		return text, false, w.refuse(0, "migrate it by hand", "%s is written in a way that cannot be changed here", file)
	}
	on := yamlfile.Child(root, "on")
	if scalar, ok := on.(*ast.StringNode); ok && scalar.Value == "workflow_call" {
		return text, true, w.refuse(1, "write on: with a line workflow_call: under it, so that a secret can be declared", "%s is called by others", file)
	}
	if list, ok := on.(*ast.SequenceNode); ok {
		for _, v := range list.Values {
			if scalarText(v) == "workflow_call" {
				return text, true, w.refuse(1, "write on: with a line workflow_call: under it, so that a secret can be declared", "%s is called by others", file)
			}
		}
	}
	var call *ast.MappingValueNode
	for _, v := range yamlfile.Pairs(on) {
		if v.Key.GetToken().Value == "workflow_call" {
			call = v
		}
	}
	if call == nil {
		return text, false, nil
	}
	var missing []string
	for _, name := range names {
		if !slices.ContainsFunc(yamlfile.Pairs(yamlfile.Child(call.Value, "secrets")), func(v *ast.MappingValueNode) bool {
			return strings.EqualFold(v.Key.GetToken().Value, name)
		}) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 && (inBraces(on) || inBraces(call.Value) || inBraces(yamlfile.Child(call.Value, "secrets"))) {
		return text, true, refuseIn(file, call.Key.GetToken().Position.Line, "write each key of it in a line of its own, without braces", "on.workflow_call is written in braces: it cannot take the secrets %s", strings.Join(missing, ", "))
	}
	text, err = w.addUnder(shared, file, text, call, missing, func(name, pad string) []string {
		return []string{pad + name + ":", pad + "  required: true"}
	})
	return text, true, err
}

// declareInCallers hands the secrets over where a job of this repository calls the
// workflow, and declares them there too where that one is called itself.
func (w *workflow) declareInCallers(name string, secrets []string, seen map[string]bool) error {
	for _, file := range w.tree.workflowNames() {
		f, err := w.tree.read(file)
		if err != nil || f.opaque || seen[file] || !strings.Contains(f.text, workflowDir+"/"+name) {
			continue
		}
		seen[file] = true
		root, shared, err := parseWorkflow(f.text)
		if err != nil || root == nil {
			continue
		}
		passed := false
		for _, job := range slices.Backward(yamlfile.Pairs(yamlfile.Child(root, "jobs"))) {
			uses := yamlfile.Child(job.Value, "uses")
			if uses == nil || strings.TrimPrefix(scalarText(uses), "./") != workflowDir+"/"+name {
				continue
			}
			handed := yamlfile.Child(job.Value, "secrets")
			if handed != nil && len(yamlfile.Pairs(handed)) == 0 && scalarText(handed) == "inherit" {
				passed = true
				continue
			}
			var missing []string
			for _, secret := range secrets {
				if yamlfile.Child(handed, secret) == nil {
					missing = append(missing, secret)
				}
			}
			f.text, err = w.addUnder(shared, file, f.text, job, missing, func(name, pad string) []string {
				return []string{pad + name + ": ${{ secrets." + name + " }}"}
			})
			if err != nil {
				return err
			}
			passed = true
		}
		if !passed {
			continue
		}
		var called bool
		if f.text, called, err = w.declareIn(file, f.text, secrets); err != nil {
			return err
		}
		w.callers = append(w.callers, f)
		if called {
			if err := w.declareInCallers(path.Base(file), secrets, seen); err != nil {
				return err
			}
		}
	}
	w.plan.note("%s is called by others: whoever calls it from another repository hands over %s too", name, strings.Join(secrets, ", "))
	return nil
}

func refuseIn(file string, line int, hint, format string, args ...any) error {
	p := problem.Newf(format, args...)
	p.Hint = hint
	return p.At(file, line, 0)
}

// A secretsPlace is where entries of a mapping secrets: belong.
type secretsPlace struct {
	pad  string
	head []string // secrets: itself, where that is not there
	end  *ast.MappingValueNode
	odd  int // the line that is written in a way nothing can be added to; 0 for none
}

// secretsWithin is the place within outer.
func secretsWithin(outer *ast.MappingValueNode) secretsPlace {
	p := secretsPlace{end: outer}
	indent := outer.Key.GetToken().Position.Column + 1
	if inner := yamlfile.Pairs(outer.Value); len(inner) > 0 {
		indent = inner[0].Key.GetToken().Position.Column - 1
		if inBraces(outer.Value) {
			p.odd = outer.Key.GetToken().Position.Line
		}
	} else if outer.Value != nil {
		if _, null := outer.Value.(*ast.NullNode); !null {
			p.odd = outer.Key.GetToken().Position.Line
		}
	}
	p.pad = strings.Repeat(" ", indent)
	var list *ast.MappingValueNode
	for _, v := range yamlfile.Pairs(outer.Value) {
		if v.Key.GetToken().Value == "secrets" {
			list = v
		}
	}
	if list == nil {
		p.head = []string{p.pad + "secrets:"}
		p.pad += "  "
		return p
	}
	p.end = list
	values := yamlfile.Pairs(list.Value)
	switch {
	case len(values) == 0:
		p.pad += "  "
	case inBraces(list.Value):
		p.odd = list.Key.GetToken().Position.Line
	default:
		p.pad = strings.Repeat(" ", values[0].Key.GetToken().Position.Column-1)
	}
	return p
}

// addUnder adds entries to the mapping secrets of outer, which is made where it is not
// there.
func (w *workflow) addUnder(shared *aliases, file, text string, outer *ast.MappingValueNode, names []string, entry func(name, pad string) []string) (string, error) {
	if len(names) == 0 {
		return text, nil
	}
	if line := shared.sharedLine(outer, "secrets"); line > 0 {
		return text, refuseIn(file, line, "write it out there", "%s cannot take the secrets %s: what has them is an anchor or an alias, which others share", file, strings.Join(names, ", "))
	}
	place := secretsWithin(outer)
	if place.odd > 0 {
		return text, refuseIn(file, place.odd, "write each key in a line of its own", "%s cannot take the secrets %s", file, strings.Join(names, ", "))
	}
	lines := strings.SplitAfter(text, "\n")
	eol := "\n"
	if strings.Contains(text, "\r\n") {
		eol = "\r\n"
	}
	add := place.head
	for _, name := range names {
		add = append(add, entry(name, place.pad)...)
	}
	at := endOfValue(lines, place.end)
	for i := range add {
		add[i] += eol
	}
	if at > 0 && !strings.HasSuffix(lines[at-1], "\n") {
		lines[at-1] += eol
	}
	return strings.Join(slices.Insert(lines, at, add...), ""), nil
}

// endOfValue is the line behind the last of a key and what stands under it.
func endOfValue(lines []string, v *ast.MappingValueNode) int {
	at := v.Key.GetToken().Position
	end := at.Line
	for i := at.Line; i < len(lines); i++ {
		trimmed := strings.TrimLeft(lines[i], " ")
		if strings.TrimSpace(trimmed) == "" {
			continue
		}
		if len(lines[i])-len(trimmed) < at.Column {
			break
		}
		end = i + 1
	}
	return end
}
