package sshname

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A shellCommand is what git hands to a shell, from GIT_SSH_COMMAND or
// core.sshCommand: the program, which has to be plain words, and its arguments.
type shellCommand struct {
	call *call
	text string
	list []*syntax.Word
}

// guarded is the command with our ssh in the place of its ssh; the arguments stay.
// What cannot be held to the host keys, or may be anything, is an error.
func (c *call) guarded(text string) (string, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), "")
	if err != nil {
		return "", errors.New("no shell could read it")
	}
	if len(file.Stmts) != 1 {
		return "", errors.New("it is not one command")
	}
	only := file.Stmts[0]
	simple, ok := only.Cmd.(*syntax.CallExpr)
	if !ok || only.Negated || only.Background || len(only.Redirs) > 0 || len(simple.Args) == 0 {
		return "", errors.New("it is more than a command with its arguments")
	}
	for _, set := range simple.Assigns {
		if set.Name.Value == "PATH" {
			return "", errors.New("it sets another PATH")
		}
	}
	return shellCommand{c, text, simple.Args}.program()
}

// program goes along the words to the one that is started.
func (s shellCommand) program() (string, error) {
	for i := 0; i < len(s.list); i++ {
		word, err := plain(s.list[i])
		if err != nil {
			return "", err
		}
		switch name := filepath.Base(word); {
		case word == sshProgram:
			return s.text, nil
		case s.startsSSH(word):
			return s.replace(i), nil
		case strings.Contains(word, "/") && !filepath.IsAbs(word):
			return "", errors.New("where " + word + " is depends on the directory")
		case name == "exec" || name == "command" || name == "nohup":
			if err := s.noOption(i + 1); err != nil {
				return "", err
			}
		case name == "env":
			if i, err = s.variables(i + 1); err != nil {
				return "", err
			}
		case slices.Contains([]string{"eval", ".", "source"}, name):
			return "", errors.New(name + " may start anything")
		default:
			return s.wrapped(i + 1)
		}
	}
	return "", errors.New("it starts nothing")
}

// wrapped looks at the arguments of another program, which may be one that starts
// ssh: a script, timeout, sshpass.
func (s shellCommand) wrapped(from int) (string, error) {
	shell := false
	for i := from; i < len(s.list); i++ {
		word, err := plain(s.list[i])
		shell = shell || s.isShell(i-1)
		switch {
		case err != nil:
			return "", err
		case word == sshProgram:
			return s.text, nil
		case s.startsSSH(word):
			return s.replace(i), nil
		case shell && strings.HasPrefix(word, "-"):
			return "", errors.New("a shell in it may start anything")
		case ByPath(word) != "" || strings.HasPrefix(word, "PATH=") || strings.ContainsAny(word, ";|&$`()<>\n"):
			return "", errors.New("another program may make anything of " + quoted(word))
		}
	}
	return s.text, nil
}

// isShell reports whether a word is the name of a shell.
func (s shellCommand) isShell(i int) bool {
	word, err := plain(s.list[i])
	return err == nil && slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"}, filepath.Base(word))
}

// noOption says that a word is no option: some start what follows in another way.
func (s shellCommand) noOption(i int) error {
	if i < len(s.list) {
		if word, err := plain(s.list[i]); err == nil && strings.HasPrefix(word, "-") {
			return errors.New("an option before its program may change what is started")
		}
	}
	return nil
}

// variables is the place of the last word that gives env a variable.
func (s shellCommand) variables(i int) (int, error) {
	for ; i < len(s.list); i++ {
		if err := s.noOption(i); err != nil {
			return i, err
		}
		word, err := plain(s.list[i])
		if err != nil {
			return i, err
		}
		if strings.HasPrefix(word, "PATH=") {
			return i, errors.New("it sets another PATH")
		}
		if !strings.Contains(word, "=") {
			break
		}
	}
	return i - 1, nil
}

// startsSSH reports whether a word is an ssh that is not found by the name ssh.
func (s shellCommand) startsSSH(word string) bool {
	if strings.Contains(word, "/") {
		return isSSH(word) || !filepath.IsAbs(word) && filepath.Base(word) == sshProgram
	}
	for _, dir := range places(s.call.env.Get("PATH")) {
		if path := filepath.Join(dir, word); isProgram(path) {
			return isSSH(path)
		}
	}
	return false
}

// replace puts our ssh in the place of a word.
func (s shellCommand) replace(i int) string {
	word := s.list[i]
	return s.text[:word.Pos().Offset()] + shellWord(s.call.ourSSH()) + s.text[word.End().Offset():]
}

var errNotPlain = errors.New("its program is not a plain word: only a shell knows what it is")

// plain is a word without anything that a shell makes another text of.
func plain(w *syntax.Word) (string, error) {
	var text strings.Builder
	for _, part := range w.Parts {
		parts := []syntax.WordPart{part}
		quoted := false
		switch p := part.(type) {
		case *syntax.SglQuoted:
			if p.Dollar {
				return "", errNotPlain
			}
			text.WriteString(p.Value)
			continue
		case *syntax.DblQuoted:
			if p.Dollar {
				return "", errNotPlain
			}
			parts, quoted = p.Parts, true
		}
		for _, p := range parts {
			lit, ok := p.(*syntax.Lit)
			if !ok || strings.ContainsAny(lit.Value, `\$`) || !quoted && strings.ContainsAny(lit.Value, "*?[{~") {
				return "", errNotPlain
			}
			text.WriteString(lit.Value)
		}
	}
	return text.String(), nil
}

// quoted is a text as one word of a shell, whatever is in it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// shellWord is a text as one word of a shell, bare where it can be.
func shellWord(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == "" {
		return text
	}
	return quoted(text)
}
