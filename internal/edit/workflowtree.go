package edit

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// parseWorkflow is the tree of a workflow, its aliases replaced. An alias that cannot
// be replaced is an *aliasError.
func parseWorkflow(text string) (ast.Node, *aliases, error) {
	if yamlfile.LoneCR(text) {
		return nil, nil, errors.New("reading a workflow: it has a carriage return within a line")
	}
	file, err := yamlfile.Parse(text, false)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a workflow: %w", err)
	}
	if len(file.Docs) == 0 {
		return nil, nil, nil //nolint:nilnil // an empty file
	}
	r := aliasReader{byName: map[string]*anchor{}, aliases: &aliases{
		marks: map[*ast.MappingValueNode]string{}, within: map[ast.Node]*anchor{}, items: map[ast.Node]ast.Node{},
	}}
	r.replace(file.Docs[0].Body)
	if r.err != nil {
		return nil, nil, r.err
	}
	return file.Docs[0].Body, r.aliases, nil
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
