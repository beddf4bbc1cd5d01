package kamal

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// nodeKind is what a node of the tree is.
type nodeKind int

const (
	scalar nodeKind = iota
	mapping
	sequence
	null
)

// A node is one value of a YAML file: anchors and merge keys are resolved, of a
// key given twice the last holds, as in Ruby's Psych. A nil node is a value that
// is not there; every method may be called on it.
type node struct {
	kind    nodeKind
	text    string
	erb     bool // an ERB tag gives it, or part of it
	place   problem.Place
	entries []entry
	items   []*node
}

type entry struct{ key, value *node }

func (n *node) entry(key string) *entry {
	if n == nil {
		return nil
	}
	for i := range n.entries {
		if e := &n.entries[i]; e.key.text == key && !e.key.erb {
			return e
		}
	}
	return nil
}

func (n *node) get(key string) *node {
	if e := n.entry(key); e != nil {
		return e.value
	}
	return nil
}

// pairs are the entries whose keys are known.
func (n *node) pairs() []entry {
	if n == nil {
		return nil
	}
	var known []entry
	for _, e := range n.entries {
		if !e.key.erb {
			known = append(known, e)
		}
	}
	return known
}

func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

func (n *node) value() Value {
	if n == nil {
		return Value{}
	}
	v := Value{Place: n.place, ERB: n.erb}
	if n.kind == scalar && !n.erb {
		v.Text, v.Known = n.text, true
	}
	return v
}

// merge is ActiveSupport's deep_merge: mappings key by key, everything else
// replaced by what over says.
func merge(base, over *node) *node {
	if base == nil || base.kind == null && over != nil && over.kind == mapping {
		return over
	}
	if over == nil {
		return base
	}
	if base.kind != mapping || over.kind != mapping {
		return over
	}
	merged := *base
	merged.entries = append([]entry(nil), base.entries...)
	for _, e := range over.entries {
		if have := merged.entry(e.key.text); have != nil && !e.key.erb {
			have.key, have.value = e.key, merge(have.value, e.value)
			continue
		}
		merged.entries = append(merged.entries, e)
	}
	return &merged
}

// parseYAML reads one file. ERB tags are passed over; unknown is where they are.
// A file that is no YAML is a problem at the place of the error, unless tags of
// ERB may be why: then nothing of it is known, and that is no error.
func parseYAML(name string, text []byte) (root *node, unknown []problem.Place, err error) {
	plain, tags := passERB(string(text))
	return parsePlain(name, plain, tags)
}

// parsePlain is parseYAML, of a text whose tags of ERB are passed over already.
func parsePlain(name, plain string, tags []problem.Place) (root *node, unknown []problem.Place, err error) {
	for _, at := range tags {
		at.File = name
		unknown = append(unknown, at)
	}
	defer func() {
		// A parser of somebody else's meets files of everybody's.
		if r := recover(); r != nil {
			root, err = nil, problem.Newf("%s is not YAML that can be read here", name).About(problem.UnreadableFile)
		}
		if err != nil && len(unknown) > 0 {
			root, err = &node{kind: mapping, place: problem.Place{File: name}}, nil
		}
	}()
	file, err := yamlfile.Parse(plain, true)
	if errors.Is(err, yamlfile.ErrDepth) {
		return nil, unknown, problem.Newf("%s is nested too deep to be read", name).About(problem.UnreadableFile)
	}
	if err != nil {
		return nil, unknown, yamlProblem(name, err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return &node{kind: mapping, place: problem.Place{File: name, Line: 1, Column: 1}}, unknown, nil
	}
	b := builder{file: name, anchors: map[string]*node{}}
	root = b.build(file.Docs[0].Body, 0)
	if b.err != nil {
		return nil, unknown, b.err
	}
	if root.kind == null {
		root.kind = mapping
	}
	if root.kind != mapping {
		p := problem.Newf("%s is not a mapping of keys to values", name).About(problem.UnreadableFile)
		return nil, unknown, p.At(name, root.place.Line, root.place.Column)
	}
	return root, unknown, nil
}

func yamlProblem(name string, err error) *problem.Problem {
	p := problem.Newf("%s is not YAML", name).About(problem.UnreadableFile)
	p.Hint = "`ruby -ryaml -e 'YAML.load_file ARGV[0]' " + name + "` says what Kamal will say"
	p.Cause = err
	p.Place.File = name
	var y yaml.Error
	if errors.As(err, &y) {
		p.Message += ": " + y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			p.Place.Line, p.Place.Column = t.Position.Line, t.Position.Column
		}
	}
	return p
}

// maxDepth bounds nesting and aliases within aliases.
const maxDepth = 100

// A builder makes nodes of the syntax tree of one file.
type builder struct {
	file    string
	anchors map[string]*node
	size    int
	err     error
}

// maxNodes bounds what aliases of aliases may add up to.
const maxNodes = 1 << 20

func (b *builder) place(t *token.Token) problem.Place {
	p := problem.Place{File: b.file}
	if t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	return p
}

func (b *builder) build(a ast.Node, depth int) *node {
	if b.size++; depth > maxDepth || b.size > maxNodes {
		if b.err == nil {
			b.err = problem.Newf("%s is nested too deep to be read", b.file).About(problem.UnreadableFile)
		}
		return &node{kind: null}
	}
	if a == nil {
		return &node{kind: null, place: problem.Place{File: b.file}}
	}
	n := &node{kind: null, place: b.place(a.GetToken())}
	switch a := a.(type) {
	case *ast.AnchorNode:
		n = b.build(a.Value, depth+1)
		b.anchors[nodeText(a.Name)] = n
	case *ast.AliasNode:
		if known, ok := b.anchors[nodeText(a.Value)]; ok {
			// The size counts, so that aliases cannot multiply without end; the
			// tree is shared, and the place stays that of the anchor's text.
			b.size += len(known.entries) + len(known.items)
			return known
		}
	case *ast.TagNode:
		return b.build(a.Value, depth+1)
	case *ast.MappingNode:
		n.kind = mapping
		for _, v := range a.Values {
			b.add(n, v, depth)
		}
	case *ast.MappingValueNode:
		n.kind = mapping
		b.add(n, a, depth)
	case *ast.SequenceNode:
		n.kind = sequence
		for _, v := range a.Values {
			n.items = append(n.items, plain(b.build(v, depth+1)))
		}
	case *ast.NullNode:
	case *ast.LiteralNode:
		n.kind, n.text = scalar, a.Value.Value
		n.place = b.place(a.Value.GetToken())
	case *ast.MappingKeyNode:
		return b.build(a.Value, depth+1)
	case ast.ScalarNode:
		n.kind, n.text = scalar, nodeText(a)
	}
	n.erb = n.erb || strings.ContainsRune(n.text, erbFiller)
	return n
}

// plain is an item of a list as YAML has it: without a space behind the colon,
// NAME:SECRET is one scalar, which the parser takes for a mapping where the list
// stands in a mapping on one line.
func plain(item *node) *node {
	if item.kind != mapping || len(item.entries) != 1 {
		return item
	}
	key, value := item.entries[0].key, item.entries[0].value
	if key.kind != scalar || value.kind != scalar || key.place.Line != value.place.Line ||
		value.place.Column != key.place.Column+utf8.RuneCountInString(key.text)+1 {
		return item
	}
	return &node{kind: scalar, text: key.text + ":" + value.text, erb: key.erb || value.erb, place: key.place}
}

// add takes one key and its value into a mapping.
func (b *builder) add(n *node, v *ast.MappingValueNode, depth int) {
	if _, ok := v.Key.(*ast.MergeKeyNode); ok {
		b.mergeKey(n, b.build(v.Value, depth+1))
		return
	}
	key := b.build(v.Key, depth+1)
	value := b.build(v.Value, depth+1)
	if value.place.Line == 0 || value.kind == null {
		value.place = key.place
	}
	if have := n.entry(key.text); have != nil && !key.erb {
		have.key, have.value = key, value
		return
	}
	n.entries = append(n.entries, entry{key, value})
}

// mergeKey takes what << brings: keys that are there already stay.
func (b *builder) mergeKey(n, from *node) {
	for _, item := range from.items {
		b.mergeKey(n, item)
	}
	for _, e := range from.entries {
		if n.entry(e.key.text) == nil {
			n.entries = append(n.entries, e)
		}
	}
}

// nodeText is the text of a scalar, as a string of Ruby's has it where it is one.
func nodeText(a ast.Node) string {
	switch a := a.(type) {
	case *ast.StringNode:
		return a.Value
	case ast.ScalarNode:
		// Numbers and booleans as they are written: a port, a name like 1password.
		if t := a.GetToken(); t != nil {
			return t.Value
		}
		return fmt.Sprint(a.GetValue())
	}
	if a == nil {
		return ""
	}
	return a.String()
}

// A step is one key on the way to a node.
type step struct {
	in  *node // the mapping that has the key
	key *node
}

// find is whether want is below root, and the keys on the way to it.
func find(root, want *node, depth int) (found bool, chain []step) {
	if root == want {
		return true, nil
	}
	if root == nil || depth > maxDepth {
		return false, nil
	}
	for _, e := range root.entries {
		if ok, rest := find(e.value, want, depth+1); ok {
			return true, append([]step{{root, e.key}}, rest...)
		}
	}
	for _, item := range root.items {
		if ok, rest := find(item, want, depth+1); ok {
			return true, rest
		}
	}
	return false, nil
}
