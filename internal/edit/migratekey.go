package edit

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// A keySource is where a script has a key from that it gives to ssh-add: a reference
// of 1Password's, or else the text that stands there, as far as one can be read.
type keySource struct{ reference, text string }

// origin is where a key comes from that is not 1Password's, in words.
func (k keySource) origin() string {
	switch {
	case k.text == "":
		return "cannot be read here"
	case expressions().MatchString(k.text) && strings.Contains(k.text, "secrets."):
		return "comes from GitHub's secrets (" + strings.TrimSpace(k.text) + ")"
	}
	return origin(k.text)
}

// redirected is the key in the input of a statement.
func (r *agentReader) redirected(stmt *syntax.Stmt) keySource {
	for _, redirect := range stmt.Redirs {
		switch redirect.Op {
		case syntax.WordHdoc:
			return r.ofWord(redirect.Word)
		case syntax.Hdoc, syntax.DashHdoc:
			return r.ofWord(redirect.Hdoc)
		case syntax.RdrIn:
			if len(redirect.Word.Parts) == 1 {
				if from, ok := redirect.Word.Parts[0].(*syntax.ProcSubst); ok && len(from.Stmts) == 1 {
					return r.ofCommand(from.Stmts[0])
				}
			}
			return r.files[source(redirect.Word)]
		}
	}
	return keySource{}
}

// ofCommand is the key that a command prints.
func (r *agentReader) ofCommand(stmt *syntax.Stmt) keySource {
	if pipe, ok := stmt.Cmd.(*syntax.BinaryCmd); ok && pipe.Op == syntax.Pipe && source(pipe.Y) == `tr -d '\r'` {
		return r.ofCommand(pipe.X)
	}
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) < 2 {
		return keySource{}
	}
	last := call.Args[len(call.Args)-1]
	switch wordText(call.Args[0]) {
	case "op":
		if wordText(call.Args[1]) != "read" {
			return keySource{}
		}
		for _, word := range call.Args[2:] {
			if read, err := r.word(word); err == nil && strings.HasPrefix(read.value, "op://") {
				return r.known(r.show(read.value), r.show(read.value))
			}
		}
	case "echo", "printf":
		return r.ofWord(last)
	case "cat":
		return r.redirected(stmt)
	}
	return keySource{}
}

// ofWord is the key that a word becomes.
func (r *agentReader) ofWord(word *syntax.Word) keySource {
	if word == nil {
		return keySource{}
	}
	parts := word.Parts
	if len(parts) == 1 {
		if quoted, ok := parts[0].(*syntax.DblQuoted); ok {
			parts = quoted.Parts
		}
	}
	// A here-document ends with a newline of its own.
	parts = slices.DeleteFunc(slices.Clone(parts), func(p syntax.WordPart) bool {
		text, ok := p.(*syntax.Lit)
		return ok && strings.TrimSpace(text.Value) == ""
	})
	if len(parts) != 1 {
		return keySource{}
	}
	switch p := parts[0].(type) {
	case *syntax.CmdSubst:
		if len(p.Stmts) == 1 {
			return r.ofCommand(p.Stmts[0])
		}
	case *syntax.ParamExp:
		if key, ok := r.variables[p.Param.Value]; ok {
			return key
		}
		if text, err := r.variable(p); err == nil {
			return r.known("", r.show(text))
		}
	case *syntax.Lit:
		return r.known("", r.show(p.Value))
	case *syntax.SglQuoted:
		return r.known("", r.show(p.Value))
	}
	return keySource{}
}

// known is a key by its reference, or by the expression that a step before has
// loaded it into.
func (r *agentReader) known(reference, text string) keySource {
	text = strings.TrimSpace(text)
	if m := outputOf().FindStringSubmatch(text); m != nil {
		reference = r.w.loaded[m[1]+"."+m[2]]
	} else if m := variable().FindStringSubmatch(text); m != nil {
		reference = r.w.loaded[m[1]]
	}
	if !strings.Contains(reference, "${{") && reference != "" {
		if _, err := onepassword.ParseReference(reference); err != nil {
			return keySource{}
		}
	}
	return keySource{reference: reference, text: text}
}
