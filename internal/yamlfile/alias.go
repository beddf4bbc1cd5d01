package yamlfile

import "github.com/goccy/go-yaml/ast"

// Unaliased is a tree with what an anchor marks in the anchor's place, and in that of its
// aliases. Nothing is copied, so that aliases of aliases take no more room than they do in
// the text; an alias within its own anchor, which would have no end, stays one.
func Unaliased(n ast.Node) ast.Node { return anchors{}.real(n) }

// anchors are what those have marked that were met so far.
type anchors map[string]ast.Node

func (a anchors) real(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode:
		marked := a.real(n.Value)
		a[n.Name.GetToken().Value] = marked
		return marked
	case *ast.AliasNode:
		if marked, ok := a[n.Value.GetToken().Value]; ok {
			return marked
		}
	case *ast.SequenceNode:
		for i, v := range n.Values {
			n.Values[i] = a.real(v)
		}
	}
	for _, pair := range Pairs(n) {
		pair.Value = a.real(pair.Value)
	}
	return n
}
