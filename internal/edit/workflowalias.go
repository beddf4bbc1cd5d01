package edit

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// An anchor is a value that has a name, for aliases to stand for it.
type anchor struct {
	name    string
	line    int // of the mark, counted from 0
	value   ast.Node
	size    int     // nodes, those of its aliases' anchors too
	open    bool    // the value is being read
	outer   *anchor // that it stands in
	aliases []int   // their lines
}

// aliases are the anchors of a workflow and what is read in their aliases' place.
type aliases struct {
	anchors []*anchor
	marks   map[*ast.MappingValueNode]string // & or *, where the value has one
	within  map[ast.Node]*anchor             // the innermost that a node stands in
	items   map[ast.Node]ast.Node            // what an entry of a list is, without its mark
}

// An aliasError is an alias that nothing can be put in the place of.
type aliasError struct {
	line       int // counted from 1
	text, hint string
}

func (e *aliasError) Error() string { return e.text }

// isShared tells whether the value of a key is an anchor or an alias: a change of it is
// one of other places too.
func (a *aliases) isShared(n ast.Node, key string) bool { return a.mark(n, key) != "" }

// isAlias tells whether the value of a key stands elsewhere.
func (a *aliases) isAlias(n ast.Node, key string) bool { return a.mark(n, key) == "*" }

func (a *aliases) mark(n ast.Node, key string) string {
	for _, v := range yamlfile.Pairs(n) {
		if v.Key.GetToken().Value == key {
			return a.marks[v]
		}
	}
	return ""
}

// sharedLine is the line of a key, or of one below it, that others share; 0 for none.
func (a *aliases) sharedLine(v *ast.MappingValueNode, key string) int {
	if a.marks[v] != "" || a.sharedBy(v) != nil {
		return v.Key.GetToken().Position.Line
	}
	for _, below := range yamlfile.Pairs(v.Value) {
		if below.Key.GetToken().Value == key && a.marks[below] != "" {
			return below.Key.GetToken().Position.Line
		}
	}
	return 0
}

// sharedBy is the anchor that a node stands in and that has an alias; nil for none.
func (a *aliases) sharedBy(n ast.Node) *anchor {
	for in := a.within[n]; in != nil; in = in.outer {
		if len(in.aliases) > 0 {
			return in
		}
	}
	return nil
}

// changeable refuses a step that other places of the workflow have too.
func (w *workflow) changeable(s workflowStep) error {
	if s.marked {
		return w.refuse(s.from+1, "write it out, without a mark", "the step that runs kamal is an anchor or an alias, which others may share")
	}
	if a := w.sharedBy(s.node); a != nil {
		return w.refuse(s.from+1, "write it out there", "the step that runs kamal stands in &%s, which line %d has too", a.name, a.aliases[0]+1)
	}
	return nil
}

// A lineRange is from one line to before another, of the workflow as it was.
type lineRange struct{ from, to int }

func (w *workflow) isRemoved(line int) bool {
	return slices.ContainsFunc(w.removed, func(r lineRange) bool { return r.from <= line && line < r.to })
}

// anchorsStay refuses to leave an alias without its anchor: it would be one of
// nothing, or of another anchor of that name.
func (w *workflow) anchorsStay() error {
	for _, a := range w.anchors {
		if !w.isRemoved(a.line) {
			continue
		}
		for _, line := range a.aliases {
			if !w.isRemoved(line) {
				return w.refuse(line+1, "write out here what it stands for", "*%s is of the anchor in line %d, which goes with what kamal-op does now", a.name, a.line+1)
			}
		}
	}
	return nil
}

// item is an entry of a list, and whether it is an anchor or an alias.
func (a *aliases) item(n ast.Node) (ast.Node, bool) {
	if of, marked := a.items[n]; marked {
		return of, true
	}
	return n, false
}

// maxShared is how many nodes the aliases of a workflow may stand for in all. Thirty
// lines of aliases of aliases stand for a billion.
const maxShared = 10_000

// An aliasReader puts what an anchor names in the place of its aliases, where they are
// the value of a key: GitHub reads them so. What it puts there keeps the place where it
// is written.
type aliasReader struct {
	*aliases

	byName map[string]*anchor
	in     *anchor // that is being read
	nodes  int     // so far, in what aliases stand for too
	shared int     // in what aliases stand for
	err    error   // the first
}

func (r *aliasReader) replace(n ast.Node) {
	if n == nil || r.err != nil {
		return
	}
	r.nodes++
	r.within[n] = r.in
	switch n := n.(type) {
	case *ast.SequenceNode:
		for _, v := range n.Values {
			r.replace(v)
			if of := r.behind(v); of != nil {
				r.items[v] = of
			}
		}
	case *ast.TagNode:
		r.replace(n.Value)
	case *ast.MappingKeyNode:
		r.replace(n.Value)
	case *ast.AnchorNode:
		r.anchor(n)
	case *ast.AliasNode:
		r.alias(n)
	}
	for _, v := range yamlfile.Pairs(n) {
		r.within[v] = r.in
		r.replace(v.Key)
		r.replace(v.Value)
		of := r.behind(v.Value)
		if of == nil {
			continue
		}
		r.marks[v] = "&"
		if _, ok := v.Value.(*ast.AliasNode); ok {
			r.marks[v] = "*"
			if v.Key.GetToken().Value == "<<" { // GitHub knows no merge key
				continue
			}
		}
		v.Value = of
	}
}

func (r *aliasReader) anchor(n *ast.AnchorNode) {
	a := &anchor{name: n.Name.GetToken().Value, line: n.Start.Position.Line - 1, value: n.Value, open: true, outer: r.in}
	r.anchors = append(r.anchors, a)
	r.byName[a.name] = a
	before := r.nodes
	r.in = a
	r.replace(n.Value)
	r.in, a.open, a.size = a.outer, false, r.nodes-before
}

func (r *aliasReader) alias(n *ast.AliasNode) {
	name, line := n.Value.GetToken().Value, n.Start.Position.Line
	a := r.byName[name]
	switch {
	case a == nil:
		r.err = &aliasError{line, fmt.Sprintf("*%s has no anchor above it", name), "GitHub would not take it either"}
		return
	case a.open:
		r.err = &aliasError{line, fmt.Sprintf("*%s stands in its own anchor, so that it has no end", name), "write out what it is to have there"}
		return
	}
	a.aliases = append(a.aliases, line-1)
	r.nodes += a.size
	if r.shared += a.size; r.shared > maxShared {
		r.err = &aliasError{line, fmt.Sprintf("up to *%s the aliases stand for more than %d values", name, maxShared), "write the steps that deploy in a workflow without so many"}
	}
}

// behind is what a mark stands before or for; nil where there is no mark.
func (r *aliasReader) behind(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode:
		return n.Value
	case *ast.AliasNode:
		if a := r.byName[n.Value.GetToken().Value]; a != nil {
			return a.value
		}
	}
	return nil
}
