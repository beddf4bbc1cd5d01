package edit

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// parseWorkflow is the tree of a workflow, its aliases replaced.
func parseWorkflow(text string) (ast.Node, error) {
	file, err := yamlfile.Parse(text, false)
	if err != nil {
		return nil, fmt.Errorf("reading a workflow: %w", err)
	}
	if len(file.Docs) == 0 {
		return nil, nil //nolint:nilnil // an empty file
	}
	aliases := aliasReader{anchors: map[string]ast.Node{}}
	aliases.replace(file.Docs[0].Body)
	if aliases.unknown != "" {
		return nil, fmt.Errorf("reading a workflow: *%s has no anchor", aliases.unknown)
	}
	return file.Docs[0].Body, nil
}

func child(n ast.Node, key string) ast.Node {
	for _, v := range mappingOf(n) {
		if v.Key.GetToken().Value == key {
			return v.Value
		}
	}
	return nil
}

func mappingOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// scalarText is the text of a scalar, quotes taken off.
func scalarText(n ast.Node) string {
	switch n := n.(type) {
	case nil:
		return ""
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

// An aliasReader puts what an anchor names in the place of its aliases, where they are
// the value of a key: GitHub reads them so. It keeps the place where it stands.
type aliasReader struct {
	anchors map[string]ast.Node
	unknown string // an alias of nothing
}

func (r *aliasReader) replace(n ast.Node) {
	switch n := n.(type) {
	case *ast.SequenceNode:
		for _, v := range n.Values {
			r.replace(v)
		}
	case *ast.AnchorNode:
		r.anchors[n.Name.GetToken().Value] = n.Value
		r.replace(n.Value)
	case *ast.AliasNode:
		if name := n.Value.GetToken().Value; r.anchors[name] == nil {
			r.unknown = name
		}
	}
	for _, v := range mappingOf(n) {
		r.replace(v.Value)
		switch value := v.Value.(type) {
		case *ast.AnchorNode:
			v.Value = value.Value
		case *ast.AliasNode:
			// GitHub knows no merge key.
			if of := r.anchors[value.Value.GetToken().Value]; of != nil && v.Key.GetToken().Value != "<<" {
				v.Value = of
			}
		}
	}
}

// sharedValue is a key with an anchor or an alias for its value.
var sharedValue = lazy.Regexp(`^[\s-]*[\w"'-]+:\s+([&*])`)

// isShared tells whether the value of a key is an anchor or an alias: a change of it is
// one of other places too.
func (w *workflow) isShared(n ast.Node, key string) bool { return w.sharedAs(n, key) != "" }

// isAlias tells whether the value of a key stands elsewhere.
func (w *workflow) isAlias(n ast.Node, key string) bool { return w.sharedAs(n, key) == "*" }

func (w *workflow) sharedAs(n ast.Node, key string) string {
	for _, v := range mappingOf(n) {
		line := v.Key.GetToken().Position.Line - 1
		if v.Key.GetToken().Value != key || line >= len(w.lines) {
			continue
		}
		if m := sharedValue().FindStringSubmatch(w.lines[line]); m != nil {
			return m[1]
		}
	}
	return ""
}
