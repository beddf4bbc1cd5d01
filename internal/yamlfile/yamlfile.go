// Package yamlfile reads the text of a YAML file into the syntax tree of
// goccy/go-yaml, whatever the text is: files of a project come from everybody.
package yamlfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth is how deep a text may be nested. The parser's time and memory grow with
// the square of the depth: 200 kB of opening brackets take 44 s and 10 GB.
const maxDepth = 200

// ErrDepth is a text that is nested deeper than maxDepth.
var ErrDepth = errors.New("nested too deep to be read")

// errUnreadable is a text that the parser gives up on without an error of its own.
var errUnreadable = errors.New("not YAML that can be read here")

// Parse reads a text. A key may be given twice where twice is true. Line breaks of
// Windows count as others do: the parser counts a line twice that ends in a comment
// and CR LF.
func Parse(text string, twice bool) (file *ast.File, err error) {
	defer func() {
		// A parser of somebody else's meets files of everybody's.
		if r := recover(); r != nil {
			file, err = nil, fmt.Errorf("%w: %v", errUnreadable, r)
		}
	}()
	tokens := lexer.Tokenize(strings.ReplaceAll(text, "\r\n", "\n"))
	if deep(tokens) {
		return nil, ErrDepth
	}
	var options []parser.Option
	if twice {
		options = append(options, parser.AllowDuplicateMapKey())
	}
	return parser.Parse(tokens, 0, options...)
}

// Pairs are the keys and values of a mapping: none of anything else.
func Pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode: // of one key alone
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// Child is the value of a key, nil where the key is not there.
func Child(n ast.Node, key string) ast.Node {
	for _, pair := range Pairs(n) {
		if pair.Key.GetToken().Value == key {
			return pair.Value
		}
	}
	return nil
}

// Second is the first token of a text's second document, nil where it has one document, or
// where nothing is known of the second but that it is there.
func Second(file *ast.File) *token.Token {
	switch {
	case len(file.Docs) < 2:
		return nil
	case file.Docs[1].Start != nil:
		return file.Docs[1].Start
	case file.Docs[1].Body != nil:
		return file.Docs[1].Body.GetToken()
	}
	return nil
}

// LoneCR reports whether a text has a carriage return without a line feed behind it. YAML
// ends a line there, and nothing else does: what a tree says of lines cannot be found
// in the text.
func LoneCR(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r")
}

// deep reports whether tokens nest deeper than maxDepth: by brackets, by columns, or by
// what stands before a value (anchors, tags, dashes, question marks).
func deep(tokens token.Tokens) bool {
	var (
		columns []int // of the keys and dashes that are open
		flow    int   // brackets that are open
		before  int   // marks that stand before the next value
	)
	for i, t := range tokens {
		name := i > 0 && tokens[i-1].Type == token.AnchorType // of an anchor
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow, before = max(flow-1, 0), 0
		case token.AnchorType, token.TagType, token.MappingKeyType:
			before++
		case token.SequenceEntryType:
			before = 0
			columns = open(columns, t.Position.Column)
		case token.MappingValueType:
			before = 0
			if flow == 0 && i > 0 {
				columns = open(columns, tokens[i-1].Position.Column)
			}
		default:
			if !name {
				before = 0
			}
		}
		if len(columns)+flow+before > maxDepth {
			return true
		}
	}
	return false
}

// open closes what stands at this column or right of it, and opens the column.
func open(columns []int, column int) []int {
	for len(columns) > 0 && columns[len(columns)-1] >= column {
		columns = columns[:len(columns)-1]
	}
	return append(columns, column)
}
