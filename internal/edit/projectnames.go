package edit

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	yamltoken "github.com/goccy/go-yaml/token"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// projectNames are the names of secrets in the project file, by their bytes: what is
// declared there, for all or for a destination, and the lists of names.
type projectNames struct {
	text  string
	lines []int // where each line begins
	lists []*projectList
}

// A listForm is how a list is written.
type listForm int

const (
	formItems  listForm = iota // - NAME=…, one a line
	formPairs                  // NAME: …, one a line
	formText                   // NAME=…, the lines of a text
	formLone                   // one value behind the key
	formInline                 // [NAME=…, …]
	formBraces                 // {NAME: …, …}
)

// A projectList is one option with names: secrets, public and the like.
type projectList struct {
	destination, option string // the destination is "" for all
	line                int    // of the key, from 0
	form                listForm
	elements            []projectElement
	odd                 []oddPart
}

// declares tells whether the list has declarations, not mere names.
func (l *projectList) declares() bool { return l.option == "secrets" }

// A projectElement is one entry of a list.
type projectElement struct {
	from, to int
	words    []projectWord
}

// A projectWord is one name. A whole item has none.
type projectWord struct {
	name, reference string
	at, refAt       int
}

// An oddPart is what can be read in no way that it could be changed in.
type oddPart struct {
	line, column int
	text         string
}

// readProjectNames reads the text of the project file.
func readProjectNames(text string) (*projectNames, error) {
	p := &projectNames{text: text, lines: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	file, err := yamlfile.Parse(text, false)
	if err != nil {
		q := problem.New(projectfile.Name+" is not YAML: its names cannot be changed", "mend it first: kamal-op config says what is wrong with it")
		q.Place, q.Cause = projectfile.NotYAML(projectfile.Name, err).Place, err
		q.Place.File = projectfile.Name
		return nil, q
	}
	if len(file.Docs) > 1 {
		q := problem.New(projectfile.Name+" has more than one document: its names cannot be changed", "keep one")
		q.Place.File = projectfile.Name
		if second := yamlfile.Second(file); second != nil {
			q.Place.Line = second.Position.Line
		}
		return nil, q
	}
	if len(file.Docs) > 0 {
		p.options(file.Docs[0].Body, "", false)
	}
	return p, nil
}

// namesOf is an option that has names of secrets, as it is called here, or "".
func namesOf(option string) string {
	switch option {
	case "secret", "secrets":
		return "secrets"
	case "public", "allow-empty", "allow-reference", "allow-name":
		return option
	}
	return ""
}

// options reads the options of a mapping. In braces they are odd, whatever they are.
func (p *projectNames) options(n ast.Node, destination string, braces bool) {
	braces = braces || inBraces(n)
	for _, pair := range yamlfile.Pairs(n) {
		key := scalarText(pair.Key)
		if key == "destinations" && destination == "" {
			for _, d := range yamlfile.Pairs(pair.Value) {
				p.options(d.Value, scalarText(d.Key), braces || inBraces(pair.Value))
			}
			continue
		}
		if option := namesOf(key); option != "" {
			l := &projectList{destination: destination, option: option, line: pair.Key.GetToken().Position.Line - 1}
			p.lists = append(p.lists, l)
			if braces {
				l.strange(pair.Key, pair.String())
				continue
			}
			p.list(l, pair.Value)
		}
	}
}

func inBraces(n ast.Node) bool {
	m, ok := n.(*ast.MappingNode)
	return ok && m.IsFlowStyle
}

func (l *projectList) strange(n ast.Node, text string) {
	at := n.GetToken().Position
	l.odd = append(l.odd, oddPart{at.Line, at.Column, text})
}

// list reads the value of an option.
func (p *projectNames) list(l *projectList, n ast.Node) {
	switch v := n.(type) {
	case *ast.SequenceNode:
		if v.IsFlowStyle {
			l.form = formInline
		}
		for _, item := range v.Values {
			p.scalar(l, item)
		}
	case *ast.MappingNode, *ast.MappingValueNode:
		l.form = formPairs
		if inBraces(n) {
			l.form = formBraces
		}
		for _, pair := range yamlfile.Pairs(n) {
			p.pair(l, pair)
		}
	case *ast.LiteralNode:
		l.form = formText
		p.literal(l, v)
	default:
		l.form = formLone
		p.scalar(l, n)
	}
}

// pair reads NAME: reference.
func (p *projectNames) pair(l *projectList, pair *ast.MappingValueNode) {
	from, _, at, name, ok := p.source(pair.Key)
	_, to, refAt, reference, plain := p.source(pair.Value)
	if !ok || !plain || !l.declares() || strings.Contains(p.text[from:to], "\n") {
		l.strange(pair.Key, pair.String())
		return
	}
	l.elements = append(l.elements, projectElement{from, to, []projectWord{{name, reference, at, refAt}}})
}

// scalar reads an entry that is a text in one line.
func (p *projectNames) scalar(l *projectList, n ast.Node) {
	from, to, at, text, ok := p.source(n)
	if ok {
		ok = p.entry(l, from, to, at, text)
	}
	if !ok {
		l.strange(n, n.String())
	}
}

// literal reads a text with an entry a line.
func (p *projectNames) literal(l *projectList, n *ast.LiteralNode) {
	first := n.GetToken().Position.Line
	for i, text := range strings.Split(strings.TrimRight(n.Value.Value, "\n"), "\n") {
		text = strings.TrimSpace(text)
		if first+i >= len(p.lines) {
			break
		}
		line := p.lineAt(first + i)
		from := p.lines[first+i] + len(line) - len(strings.TrimLeft(line, " \t"))
		if strings.TrimSpace(line) != text || n.Start.Type != yamltoken.LiteralType {
			l.strange(n, n.String())
			return
		}
		if text != "" && text[0] != '#' && !p.entry(l, from, from+len(text), from, text) {
			l.strange(n, n.String())
		}
	}
}

// lineAt is a line with its end.
func (p *projectNames) lineAt(i int) string {
	if i+1 < len(p.lines) {
		return p.text[p.lines[i]:p.lines[i+1]]
	}
	return p.text[p.lines[i]:]
}

// entry reads the text of an entry, which stands at a byte.
func (p *projectNames) entry(l *projectList, from, to, at int, text string) bool {
	e := projectElement{from: from, to: to}
	trimmed := strings.TrimSpace(text)
	start := at + strings.Index(text, trimmed)
	switch name, reference, ok := strings.Cut(trimmed, "="); {
	case !l.declares():
		apart := func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }
		for rest := text; rest != ""; {
			word := rest
			if i := strings.IndexFunc(rest, apart); i >= 0 {
				word = rest[:i]
			}
			if word == "" {
				word = rest[:1]
			} else {
				e.words = append(e.words, projectWord{name: word, at: at + len(text) - len(rest)})
			}
			rest = rest[len(word):]
		}
	case strings.HasPrefix(trimmed, "op://"):
		e.words = []projectWord{{reference: trimmed, refAt: start}}
	case ok:
		refAt := start + len(trimmed) - len(strings.TrimSpace(reference))
		e.words = []projectWord{{strings.TrimSpace(name), strings.TrimSpace(reference), start, refAt}}
	}
	l.elements = append(l.elements, e)
	return len(e.words) > 0
}

// source is where a scalar stands that is written as it is read, with its quotes and
// without (at).
func (p *projectNames) source(n ast.Node) (from, to, at int, text string, ok bool) {
	s, is := n.(*ast.StringNode)
	if !is || s.Token.Position.Line > len(p.lines) {
		return 0, 0, 0, "", false
	}
	line := p.lineAt(s.Token.Position.Line - 1)
	from = p.lines[s.Token.Position.Line-1]
	column := 1
	for i := range line {
		if column == s.Token.Position.Column {
			from += i
			break
		}
		column++
	}
	at, to = from, from+len(s.Value)
	if s.Token.Type == yamltoken.SingleQuoteType || s.Token.Type == yamltoken.DoubleQuoteType {
		at, to = from+1, to+2
		if from < 0 || to > len(p.text) || p.text[to-1] != p.text[from] {
			return 0, 0, 0, "", false
		}
	}
	return from, to, at, s.Value, s.Value != "" && at <= len(p.text) && strings.HasPrefix(p.text[at:], s.Value)
}
