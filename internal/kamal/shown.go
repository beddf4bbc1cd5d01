package kamal

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// HideScalars is the text of a YAML file with *** in place of the scalars that
// hide names: what a diff may show. It is asked with the keys that lead to a
// scalar, "[]" for an item of a list. All values of a key that is given twice are
// asked for, and tags of ERB are passed over. Of a text that cannot be read no
// value is shown.
func HideScalars(text string, hide func(keys []string, value string) bool) (shown string) {
	defer func() {
		// A parser of somebody else's meets files of everybody's.
		if recover() != nil {
			shown = hideLines(text)
		}
	}()
	plain, _ := passERB(text)
	file, err := yamlfile.Parse(plain, true)
	if err != nil {
		return hideLines(text)
	}
	h := redactor{text: text, lines: lineStarts(text), hide: hide}
	for _, doc := range file.Docs {
		h.walk(doc.Body, nil, nil, false)
	}
	if h.lost {
		return hideLines(text)
	}
	slices.SortFunc(h.spans, func(a, b textEdit) int { return b.from - a.from })
	last := len(text) + 1
	for _, s := range h.spans {
		if s.to <= last {
			text, last = s.apply(text), s.from
		}
	}
	return text
}

type redactor struct {
	text  string
	lines []int
	hide  func(keys []string, value string) bool
	spans []textEdit
	lost  bool // a value that is to be hidden was not found
}

// walk looks at a value; key is that of a mapping in lines of its own, else nil.
func (h *redactor) walk(a, key ast.Node, keys []string, flow bool) {
	if len(keys) > maxDepth {
		h.lost = true
		return
	}
	var value string
	switch a := a.(type) {
	case nil, *ast.NullNode, *ast.AliasNode:
		return
	case *ast.AnchorNode:
		h.walk(a.Value, key, keys, flow)
		return
	case *ast.TagNode:
		h.walk(a.Value, key, keys, flow)
		return
	case *ast.MappingNode:
		for _, v := range a.Values {
			h.entry(v, keys, flow || a.IsFlowStyle)
		}
		return
	case *ast.MappingValueNode:
		h.entry(a, keys, flow)
		return
	case *ast.SequenceNode:
		for _, v := range a.Values {
			h.walk(v, nil, append(slices.Clip(keys), "[]"), flow || a.IsFlowStyle)
		}
		return
	case *ast.LiteralNode:
		value = a.Value.Value
	case ast.ScalarNode:
		value = nodeText(a)
	default:
		return
	}
	if value == "" || !h.hide(keys, value) {
		return
	}
	h.redact(a, key, value, flow)
}

// redact notes where value stands, that of the node a, or of the key before it.
func (h *redactor) redact(a, key ast.Node, value string, flow bool) {
	at := a
	if key != nil {
		at = key
	}
	t := at.GetToken()
	if t == nil || t.Position == nil {
		h.lost = true
		return
	}
	b := builder{}
	from, ok := offsetOf(h.text, h.lines, b.place(t))
	if ok && key != nil {
		from, ok = h.behind(from)
	}
	to := 0
	if ok && key == nil && from < len(h.text) {
		ok = strings.IndexByte("\"'|><", h.text[from]) >= 0 || h.text[from] == value[0]
	}
	if ok {
		to, ok = h.end(from, t.Position.Column-1, key != nil, flow, strings.ContainsRune(value, erbFiller))
	}
	if !ok {
		h.lost = true
		return
	}
	h.spans = append(h.spans, textEdit{from, to, "***"})
}

func (h *redactor) entry(v *ast.MappingValueNode, keys []string, flow bool) {
	var key ast.Node
	if !flow {
		key = v.Key
	}
	h.walk(v.Value, key, append(slices.Clip(keys), nodeText(v.Key)), flow)
}

// behind is where the value of the key at an offset begins.
func (h *redactor) behind(key int) (from int, ok bool) {
	if quote := h.text[key]; quote == '"' || quote == '\'' {
		key = closing(h.text, key)
	}
	for i := key; i < len(h.text) && h.text[i] != '\n'; i++ {
		if h.text[i] != ':' || i+1 < len(h.text) && strings.IndexByte(" \t\r\n", h.text[i+1]) < 0 {
			continue
		}
		for i++; i < len(h.text) && strings.IndexByte(" \t\r\n", h.text[i]) >= 0; i++ {
		}
		return i, i < len(h.text)
	}
	return 0, false
}

// end is the end of a value, where in doubt too far behind.
func (h *redactor) end(from, indent int, keyed, flow, erb bool) (to int, ok bool) {
	if from >= len(h.text) {
		return 0, false
	}
	first := h.text[from]
	if first == '"' || first == '\'' {
		return closing(h.text, from), true
	}
	if flow && !erb {
		if i := strings.IndexAny(h.text[from:], ",]}"); i > 0 {
			return from + i, true
		}
		return 0, false
	}
	line := func(at int) int {
		if i := strings.IndexByte(h.text[at:], '\n'); i >= 0 {
			return at + i
		}
		return len(h.text)
	}
	to = line(from)
	if i := strings.Index(h.text[from:to], " #"); i > 0 && !erb && strings.IndexByte("|>&!*", first) < 0 {
		return from + i, true // a comment ends a plain scalar
	}
	if !keyed {
		start := strings.LastIndexByte(h.text[:from], '\n') + 1
		indent = len(h.text[start:from]) - len(strings.TrimLeft(h.text[start:from], " "))
	}
	for next := to; !flow && next < len(h.text); {
		end := line(next + 1)
		rest := h.text[next+1 : end]
		trimmed := strings.TrimLeft(rest, " ")
		if strings.TrimSpace(rest) != "" {
			if len(rest)-len(trimmed) <= indent {
				break
			}
			to = end
		}
		next = end
	}
	return from + len(strings.TrimRight(h.text[from:to], " \t\r\n")), true
}

// closing is the offset behind the quote that closes the one at from.
func closing(text string, from int) int {
	quote := text[from]
	for i := from + 1; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] == quote && quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

var keyOfLine = lazy.Regexp(`^([ \t]*(?:- +)*(?:[\w.-]+:(?:[ \t]+|$))?)(.*?)(\r?\n?)$`)

// hideLines is a text without anything behind its keys.
func hideLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		m := keyOfLine().FindStringSubmatch(line)
		if m == nil {
			b.WriteString("***\n")
			continue
		}
		if m[2] != "" {
			m[2] = "***"
		}
		b.WriteString(m[1] + m[2] + m[3])
	}
	return b.String()
}
