// Package projectfile reads .kamal/kamal-op.yml: the options of a project, once for
// every machine that deploys it. Nothing in it is executed.
package projectfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// Name is where the file lies in a project.
const Name = ".kamal/kamal-op.yml"

// MaxSize is far beyond every file that a person writes.
const MaxSize = 64 << 10

// destinations is the key under which each destination has its own options.
const destinations = "destinations"

// An Option is one that the file may have.
type Option struct {
	Name      string
	Other     string // another name of the same option, or ""
	List      bool   // it may have several values
	Confirmed bool   // it counts only where somebody beside the file says so
}

// A Line is one value, and where it stands.
type Line struct {
	Text         string
	Line, Column int
}

// An entry is an option with its values: none where the list is empty, which is not the
// same as not there.
type entry struct {
	at     Line // the option's name
	values []Line
}

// A File is what the file says.
type File struct {
	name    string
	options []Option
	all     map[string]entry
	by      map[string]map[string]entry // by destination
	named   []Line                      // the destinations
}

// Parse reads the file's text. name is what it is called in problems; near finds the
// nearest of some names, for what is written wrong. All that is wrong is told at once.
func Parse(name string, text []byte, options []Option, near func(wrong string, names []string) string) (f *File, err error) {
	if len(text) > MaxSize {
		return nil, problem.Newf("%s has more than %d kB", name, MaxSize>>10).About(problem.ProjectFile)
	}
	defer func() {
		// A parser of somebody else's meets files of everybody's.
		if r := recover(); r != nil {
			f, err = nil, problem.Newf("%s is not YAML that can be read here", name).About(problem.ProjectFile)
		}
	}()
	if yamlfile.LoneCR(string(text)) {
		return nil, problem.Newf("%s has a carriage return within a line", name).About(problem.ProjectFile)
	}
	f = &File{name: name, options: options}
	root, err := yamlfile.Parse(strings.TrimPrefix(string(text), "\ufeff"), false) // as some editors begin a file
	if err != nil {
		return nil, NotYAML(name, err)
	}
	r := reader{file: f, near: near}
	var body ast.Node
	switch {
	case len(root.Docs) > 1:
		r.wrong(yamlfile.Second(root), "keep one", "there is more than one document")
	case len(root.Docs) == 1:
		body = root.Docs[0].Body
	}
	f.all = r.options(body, true)
	return f, r.problems.Err()
}

// Values are the values of an option for a destination. What the destination says
// takes the place of what holds for all; a secret, that of the same name.
func (f *File) Values(option, destination string) []Line {
	if f == nil {
		return nil
	}
	e, there := f.by[destination][option]
	own := e.values
	if !there {
		return f.all[option].values
	}
	if option != "secret" || len(own) == 0 {
		return own
	}
	return slices.Concat(slices.DeleteFunc(slices.Clone(f.all[option].values), func(l Line) bool {
		return slices.ContainsFunc(own, func(o Line) bool { return variable(o.Text) == variable(l.Text) })
	}), own)
}

// Given is where an option stands that counts for a destination, also where it has no
// value.
func (f *File) Given(option, destination string) (at Line, there bool) {
	if f == nil {
		return at, false
	}
	e, there := f.by[destination][option]
	if !there {
		e, there = f.all[option]
	}
	return e.at, there
}

// Destinations are those that the file has options for, by their names.
func (f *File) Destinations() []Line { return f.named }

// Place is where a value stands.
func (f *File) Place(l Line) problem.Place {
	return problem.Place{File: f.name, Line: l.Line, Column: l.Column}
}

// variable is the name of NAME=value.
func variable(text string) string {
	name, _, _ := strings.Cut(text, "=")
	return name
}

// Origin is where a value stands, as problems name it.
func (f *File) Origin(l Line) string { return fmt.Sprintf("%s:%d", f.name, l.Line) }

// A reader makes values of the syntax tree.
type reader struct {
	file     *File
	near     func(string, []string) string
	problems problem.List
}

func (r *reader) wrong(at *token.Token, hint, format string, args ...any) {
	p := problem.New(r.file.name+": "+fmt.Sprintf(format, args...), hint).About(problem.ProjectFile)
	if at != nil && at.Position != nil {
		p = p.At(r.file.name, at.Position.Line, at.Position.Column)
	}
	r.problems = append(r.problems, p)
}

// pairs are the keys and values of a mapping.
func (r *reader) pairs(n ast.Node, what string) []*ast.MappingValueNode {
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	default:
		r.wrong(n.GetToken(), "write NAME: value, one a line", "%s is no mapping of names to values", what)
	}
	return nil
}

// options are the options of a mapping; at the top there are destinations, too.
func (r *reader) options(n ast.Node, top bool) map[string]entry {
	values := map[string]entry{}
	for _, pair := range r.pairs(n, "the file") {
		key := pair.Key.GetToken()
		name := keyText(pair.Key)
		if top && name == destinations {
			r.file.by = map[string]map[string]entry{}
			for _, destination := range r.pairs(pair.Value, destinations) {
				at := lineAt(keyText(destination.Key), destination.Key.GetToken())
				r.file.named = append(r.file.named, at)
				r.file.by[at.Text] = r.options(destination.Value, false)
			}
			continue
		}
		i := slices.IndexFunc(r.file.options, func(o Option) bool { return o.Name == name || o.Other == name && name != "" })
		if i < 0 {
			r.unknown(key, name, top)
			continue
		}
		o := r.file.options[i]
		if _, twice := values[o.Name]; twice {
			r.wrong(key, "keep one of the two", "%s is given twice", o.Name)
			continue
		}
		values[o.Name] = entry{lineAt(name, key), r.value(o, name, pair.Value)}
	}
	return values
}

func (r *reader) unknown(at *token.Token, name string, top bool) {
	var names []string
	for _, o := range r.file.options {
		names = append(names, o.Name)
		if o.Other != "" {
			names = append(names, o.Other)
		}
	}
	if top {
		names = append(names, destinations)
	}
	hint := "docs/project-file.md lists what may stand there"
	if near := r.near(name, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	r.wrong(at, hint, "%q is no option that may stand there", name)
}

// value is the value of an option: one, or for a list several, of which each may be
// NAME: value.
func (r *reader) value(o Option, name string, n ast.Node) []Line {
	switch n := n.(type) {
	case *ast.SequenceNode:
		if !o.List {
			break
		}
		var all []Line
		for _, item := range n.Values {
			all = append(all, r.texts(o, name, item, "")...)
		}
		return all
	case *ast.MappingNode, *ast.MappingValueNode:
		if !o.List {
			break
		}
		var all []Line
		for _, pair := range r.pairs(n, name) {
			all = append(all, r.texts(o, name, pair.Value, keyText(pair.Key)+"=")...)
		}
		return all
	default:
		return r.texts(o, name, n, "")
	}
	r.wrong(n.GetToken(), "write "+name+": value", "%s has one value", name)
	return nil
}

// texts are the lines of one text, each behind a prefix.
func (r *reader) texts(o Option, name string, n ast.Node, prefix string) []Line {
	text, ok := scalarText(n)
	if !ok {
		at := (*token.Token)(nil)
		if n != nil {
			at = n.GetToken()
		}
		switch n.(type) {
		case *ast.AnchorNode, *ast.AliasNode:
			r.wrong(at, "write the value out where it counts", "the value of %s is an anchor or an alias", name)
			return nil
		}
		r.wrong(at, "write it as a text, in quotes where YAML would take it for something else", "the value of %s is no text", name)
		return nil
	}
	whole := lineAt(prefix+strings.TrimSpace(text), n.GetToken())
	if !o.List || prefix != "" {
		return []Line{whole}
	}
	_, block := n.(*ast.LiteralNode)
	var all []Line
	for i, l := range strings.Split(text, "\n") {
		at := whole
		if block {
			at.Line, at.Column = whole.Line+i+1, 0 // how far it is indented is gone
		}
		if at.Text = strings.TrimSpace(l); at.Text != "" && !strings.HasPrefix(at.Text, "#") {
			all = append(all, at)
		}
	}
	return all
}

// lineAt is a text with the place of its token.
func lineAt(text string, at *token.Token) Line {
	return Line{Text: text, Line: at.Position.Line, Column: at.Position.Column}
}

// scalarText is the text of a scalar as it is written. Anchors and tags have none:
// what holds is to stand where it is read.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func keyText(n ast.Node) string {
	if text, ok := scalarText(n); ok {
		return text
	}
	return n.GetToken().Value
}

// NotYAML is that a text could not be read as YAML, with the place that the parser names.
func NotYAML(name string, err error) *problem.Problem {
	p := problem.Newf("%s is not YAML", name).About(problem.ProjectFile)
	p.Cause = err
	var y yaml.Error
	if errors.As(err, &y) {
		p.Message += ": " + y.GetMessage()
		switch {
		case strings.Contains(p.Message, "'\t'"):
			p.Hint = "indent with spaces: YAML takes no tabs there"
		case strings.Contains(p.Message, "already defined"):
			p.Hint = "keep one of the two"
		}
		if t := y.GetToken(); t != nil && t.Position != nil {
			p = p.At(name, t.Position.Line, t.Position.Column)
		}
	} else {
		p.Message += ": " + err.Error()
	}
	return p
}
