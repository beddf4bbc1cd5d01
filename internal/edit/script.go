package edit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// A script is the run: of a step, read as the runner's shell reads it. GitHub puts
// its ${{ … }} in before any shell sees the text: they are kept whole.
type script struct {
	file        *syntax.File
	expressions []string
	why         error // it is no shell
	text        string
}

// The expression of that number stands between these two, which no script has.
const markStart, markEnd = '\uE0E0', '\uE0E1'

var deploys = lazy.Regexp(`(^|[\s;&|(/"'` + "`" + `])kamal["']?(?:\s+_[\d.]+_)?\s+(deploy|setup|redeploy)\b`)

// undecided is a call of kamal whose command a parameter of CircleCI's or an input of
// GitLab's decides.
var undecided = lazy.Regexp(`(^|[\s;&|(/"'])kamal["']?\s+["']?(?:<<\s*(?:parameters|pipeline)\.|\$\[\[)`)

func parseScript(text string) *script {
	s := &script{text: text}
	plain := s.hide(text)
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.KeepComments(true)).Parse(strings.NewReader(plain), "")
	s.file, s.why = file, err
	return s
}

// deploys tells whether the script runs kamal deploy, setup or redeploy, however.
func (s *script) deploys() bool {
	if s.why != nil {
		return deploys().MatchString(withoutComments(s.text))
	}
	found := false
	syntax.Walk(s.file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return !found
		}
		words := make([]string, len(call.Args))
		for i, w := range call.Args {
			words[i] = wordText(w)
		}
		switch path.Base(words[0]) {
		case "echo", "printf", "git", "gh", ":":
			return !found
		}
		found = found || deploys().MatchString(strings.Join(words, " "))
		return !found
	})
	return found
}

// mayDeploy tells whether an expression, a variable or a parameter decides which command of
// kamal the script runs.
func (s *script) mayDeploy() bool {
	if s.why != nil {
		return false
	}
	found := false
	syntax.Walk(s.file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok {
			return !found
		}
		for i, w := range call.Args {
			if name := wordText(w); (name == "kamal" || strings.HasSuffix(name, "/kamal")) && i+1 < len(call.Args) {
				next := wordText(call.Args[i+1])
				found = found || strings.Trim(next, "_") == "" || strings.HasPrefix(next, string(markStart))
			}
		}
		return !found
	})
	return found
}

func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// wordText is a word as far as its text stands there, quotes taken off.
func wordText(w *syntax.Word) string {
	var b strings.Builder
	var parts func(list []syntax.WordPart)
	parts = func(list []syntax.WordPart) {
		for _, p := range list {
			switch p := p.(type) {
			case *syntax.Lit:
				b.WriteString(p.Value)
			case *syntax.SglQuoted:
				b.WriteString(p.Value)
			case *syntax.DblQuoted:
				parts(p.Parts)
			}
		}
	}
	parts(w.Parts)
	return b.String()
}

// calls are the names of the commands that a text of shell calls, with functions of
// its own left out.
func calls(text string) []string {
	s := parseScript(text)
	if s.why != nil {
		return nil
	}
	var names []string
	own := map[string]bool{}
	syntax.Walk(s.file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			own[n.Name.Value] = true
		case *syntax.CallExpr:
			words := n.Args
			for len(words) > 0 {
				name := wordText(words[0])
				if name != "" && !strings.ContainsRune(name, markStart) && !slices.Contains(names, name) {
					names = append(names, name)
				}
				if !slices.Contains([]string{"exec", "command", "time", "nice", "env", "xargs"}, name) {
					break
				}
				words = words[1:]
			}
		}
		return true
	})
	return slices.DeleteFunc(names, func(name string) bool { return own[name] })
}

// A kamalCall is what a script that does nothing but deploy comes to.
type kamalCall struct {
	program     string // "" for the action's own choice
	command     string // deploy, setup, redeploy
	destination string
	config      string
	args        []string // as the input args has them, quoted
	directory   string
	timeout     string
	env         []assignment // that the script sets
	comments    []string
	pinned      string // version that it installs
	prints      bool   // it prints something of its own
	opRun       bool   // op run gives references in the environment their values
}

type assignment struct{ name, value string }

// A reader makes a kamalCall of a script.
type scriptReader struct {
	*script
	call   kamalCall
	values map[string]string
	shell  []assignment // set, but not exported
	lookup func(name string) (string, error)
	done   bool
}

// understand reads a script that deploys. The error says what of it cannot be put
// into a step that runs no shell. lookup gives the values of variables.
func (s *script) understand(lookup func(name string) (string, error)) (kamalCall, error) {
	if s.why != nil {
		return kamalCall{}, fmt.Errorf("its script is none that a shell could read (%w)", s.why)
	}
	r := &scriptReader{script: s, values: map[string]string{}, lookup: lookup}
	for _, stmt := range s.file.Stmts {
		r.comment(stmt.Comments)
		if err := r.statement(stmt); err != nil {
			return kamalCall{}, err
		}
	}
	r.comment(s.file.Last)
	if !r.done {
		return kamalCall{}, errors.New("it does not run kamal itself")
	}
	for _, a := range r.shell {
		if _, err := lookup(a.name); err == nil { // exported already
			r.call.env = append(r.call.env, a)
		}
	}
	return r.call, nil
}

func (r *scriptReader) comment(list []syntax.Comment) {
	for _, c := range list {
		r.call.comments = append(r.call.comments, "#"+r.show(c.Text))
	}
}

func (r *scriptReader) statement(stmt *syntax.Stmt) error {
	for _, redirect := range stmt.Redirs {
		if redirect.Op != syntax.DplOut || redirect.N == nil || redirect.N.Value != "2" || wordText(redirect.Word) != "1" {
			return errors.New("its script redirects what it prints, which a step without a shell cannot")
		}
	}
	switch {
	case stmt.Negated:
		return errors.New("its script turns a status round with ! before a command")
	case stmt.Background:
		return errors.New("its script runs a command in the background")
	}
	switch cmd := stmt.Cmd.(type) {
	case *syntax.BinaryCmd:
		switch cmd.Op {
		case syntax.AndStmt:
			if err := r.statement(cmd.X); err != nil {
				return err
			}
			return r.statement(cmd.Y)
		case syntax.OrStmt:
			return errors.New("its script goes on with || where a command fails: say it with continue-on-error or a step with if: failure()")
		}
		return errors.New("its script has a pipe, which a step without a shell cannot have")
	case *syntax.CallExpr:
		return r.simple(cmd)
	case *syntax.DeclClause:
		return r.declare(cmd)
	case *syntax.TimeClause:
		if cmd.Stmt == nil {
			return nil
		}
		return r.statement(cmd.Stmt)
	case *syntax.IfClause, *syntax.CaseClause, *syntax.TestClause:
		return errors.New("a condition in its script decides: make steps of it, each with its if")
	case *syntax.ForClause, *syntax.WhileClause:
		return errors.New("a loop in its script runs kamal: make a matrix of it, or steps")
	case *syntax.FuncDecl:
		return errors.New("its script defines functions")
	case *syntax.Subshell, *syntax.Block:
		return errors.New("its script groups commands in parentheses or braces")
	}
	return errors.New("its script has more than commands")
}

// declare is export NAME=value.
func (r *scriptReader) declare(d *syntax.DeclClause) error {
	if d.Variant.Value != "export" {
		return fmt.Errorf("its script runs more than that: %s", d.Variant.Value)
	}
	for _, a := range d.Args {
		if a.Name == nil {
			return errors.New("its script exports what it names in a variable")
		}
		if a.Naked {
			r.shell = slices.DeleteFunc(r.shell, func(old assignment) bool {
				if old.name == a.Name.Value {
					r.call.env = append(r.call.env, old)
					return true
				}
				return false
			})
			continue
		}
		set, err := r.assign(a)
		if err != nil {
			return err
		}
		if !r.done {
			r.call.env = append(r.call.env, set)
		}
	}
	return nil
}

func (r *scriptReader) assign(a *syntax.Assign) (assignment, error) {
	if a.Append || a.Array != nil || a.Index != nil {
		return assignment{}, fmt.Errorf("its script makes %s of more than one value", a.Name.Value)
	}
	value := ""
	if a.Value != nil {
		w, err := r.word(a.Value)
		if err != nil {
			return assignment{}, err
		}
		value = w.value
	}
	r.values[a.Name.Value] = value
	return assignment{a.Name.Value, r.show(value)}, nil
}

// simple is one command with its words.
func (r *scriptReader) simple(c *syntax.CallExpr) error {
	var own []assignment
	for _, a := range c.Assigns {
		set, err := r.assign(a)
		if err != nil {
			return err
		}
		own = append(own, set)
	}
	if len(c.Args) == 0 {
		r.shell = append(r.shell, own...)
		return nil
	}
	name := wordText(c.Args[0])
	switch {
	case name == "set" || name == "true" || name == ":" || name == "shopt":
		return nil
	case name == "echo" || name == "printf":
		r.call.prints = true
		return nil
	case name == "gem" || name == "bundle" && len(c.Args) > 1 && wordText(c.Args[1]) == "install":
		return r.install(c)
	}
	var words []scriptWord
	for _, w := range c.Args {
		word, err := r.word(w)
		if err != nil {
			return err
		}
		words = append(words, word)
	}
	if name == "cd" {
		if len(words) != 2 || strings.HasPrefix(words[1].value, "-") || r.done {
			return errors.New("its script changes the directory in a way of its own")
		}
		r.call.directory = joinDirectory(r.call.directory, r.show(words[1].value))
		return nil
	}
	return r.kamal(words, own)
}

func joinDirectory(dir, sub string) string {
	if dir == "" || path.IsAbs(sub) || strings.HasPrefix(sub, "${{") {
		return sub
	}
	return path.Join(dir, sub)
}

// install is `gem install kamal` and `bundle install`, which the action's image
// makes needless.
func (r *scriptReader) install(c *syntax.CallExpr) error {
	text := make([]string, len(c.Args))
	for i, w := range c.Args {
		text[i] = wordText(w)
	}
	line := r.show(strings.Join(text, " "))
	if text[0] == "gem" && !onlyKamal().MatchString(line) {
		return fmt.Errorf("its script runs more than that: %s", line)
	}
	if m := pinnedKamal().FindStringSubmatch(line); m != nil {
		r.call.pinned = m[1] + m[2]
	}
	return nil
}
