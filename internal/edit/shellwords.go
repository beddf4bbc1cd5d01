package edit

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// valuedFlags are Kamal's own that take the next word.
var (
	valuedFlags = []string{"--version", "-h", "--hosts", "-r", "--roles"}
	// bundled are short flags in one word, of which one behind the first is kamal-op's.
	bundled = lazy.Regexp(`^-[abe-zA-Z][a-zA-Z]*[dc][a-zA-Z]*$`)
)

// parted are the words behind Kamal's command: the flags that kamal-op takes itself, and
// what is Kamal's. ordered tells whether they stand in that order. Where any words may
// follow, a variable is one of them.
func (j *shellJob) parted(e *jobEntry, words []*syntax.Word, anyWords bool) (own, rest []*syntax.Word, ordered bool, err error) {
	ordered = true
	for i := 0; i < len(words); i++ {
		w := words[i]
		if wordText(w) == "--" {
			rest = append(rest, words[i:]...)
			break
		}
		name, _, inWord := strings.Cut(wordText(w), "=")
		switch {
		case e.mayBeOptions(w, anyWords):
			return nil, nil, false, j.refuse(e.lineOf(w), "write them out", "which options %s holds is not known: one of them may name the destination", e.source(w))
		case bundled().MatchString(name):
			return nil, nil, false, j.refuse(e.lineOf(w), "write each flag by itself", "several flags stand in one word: %s", e.source(w))
		}
		takes := slices.Contains(ownFlags, name)
		if !takes && (strings.HasPrefix(name, "-d") || strings.HasPrefix(name, "-c")) && !strings.HasPrefix(name, "--") {
			takes, inWord = true, true // -dproduction
		}
		to := &rest
		if takes {
			to = &own
			ordered = ordered && len(rest) == 0
		}
		*to = append(*to, w)
		if inWord || !takes && !slices.Contains(valuedFlags, name) {
			continue
		}
		if i++; i == len(words) {
			return nil, nil, false, j.refuse(e.lineOf(w), "write its value", "the call of kamal gives %s no value", name)
		}
		if isAllWords(words[i]) {
			return nil, nil, false, j.refuse(e.lineOf(w), "write them out", "which options %s holds is not known: one of them may name the destination", e.source(words[i]))
		}
		*to = append(*to, words[i])
	}
	return own, rest, ordered, nil
}

// isGivenByCI tells whether a word begins with what the CI system puts in.
func (e *jobEntry) isGivenByCI(w *syntax.Word) bool {
	at := placeholders().FindStringIndex(strings.TrimLeft(e.source(w), `"'`))
	return at != nil && at[0] == 0
}

// isAllWords is "$@", and what else becomes as many words as there are.
func isAllWords(w *syntax.Word) bool {
	p := firstPart(w)
	param, ok := p.(*syntax.ParamExp)
	return ok && (param.Param.Value == "@" || param.Param.Value == "*" || param.Index != nil)
}

// firstPart is what a word begins with, within its quotes.
func firstPart(w *syntax.Word) syntax.WordPart {
	if len(w.Parts) == 0 {
		return nil
	}
	if quoted, ok := w.Parts[0].(*syntax.DblQuoted); ok {
		if len(quoted.Parts) == 0 {
			return &syntax.Lit{}
		}
		return quoted.Parts[0]
	}
	return w.Parts[0]
}

// mayBeOptions tells whether a word may turn out to be an option, or several words.
func (e *jobEntry) mayBeOptions(w *syntax.Word, anyWords bool) bool {
	_, quoted := w.Parts[0].(*syntax.DblQuoted)
	if e.isGivenByCI(w) {
		return !quoted || !anyWords
	}
	switch firstPart(w).(type) {
	case *syntax.Lit, *syntax.SglQuoted:
		return false
	case *syntax.ParamExp:
		return !anyWords || isAllWords(w)
	}
	return !quoted || !anyWords
}

var (
	// takeCommands are programs that run what they are given as a text, or as words.
	takeCommands = []string{"sh", "bash", "ash", "dash", "zsh", "ksh", "eval", "su", "ssh-agent", "script", "watch", "xargs", "trap"}
	inText       = lazy.Regexp(`(?:^|[\s;&|(/"'` + "`" + `])kamal["']?\s+[\w-]`)
	// endsInKamal is a value that a call may begin with: KAMAL="bundle exec kamal".
	endsInKamal = lazy.Regexp(`(?:^|[\s/])kamal$`)
)

// byAnother is what a statement runs kamal by, where no call of kamal stands in it as
// one: the text of another shell, a variable, Kamal's own image.
func (j *shellJob) byAnother(stmt *syntax.Stmt) (by string) {
	named := j.namesKamal()
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if s, ok := n.(*syntax.Stmt); ok && by == "" {
			by = hereDocument(s)
		}
		call, ok := n.(*syntax.CallExpr)
		if !ok || by != "" || len(call.Args) == 0 {
			return by == ""
		}
		if at := slices.IndexFunc(call.Args, func(w *syntax.Word) bool { return slices.Contains(takeCommands, path.Base(wordText(w))) }); at >= 0 {
			for _, w := range call.Args[at+1:] {
				if inText().MatchString(wordText(w)) {
					by = wordText(call.Args[at])
				}
			}
		}
		if param, ok := firstPart(call.Args[0]).(*syntax.ParamExp); ok && (named[param.Param.Value] ||
			len(call.Args) > 1 && slices.Contains([]string{"deploy", "setup", "redeploy", "rollback"}, wordText(call.Args[1]))) {
			by = "$" + param.Param.Value
		}
		return by == ""
	})
	if by == "" && containerOfKamal().MatchString(source(stmt)) {
		by = "docker"
	}
	return by
}

// hereDocument is the shell that a statement hands a text with a call of kamal.
func hereDocument(stmt *syntax.Stmt) string {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 || !slices.Contains(takeCommands, path.Base(wordText(call.Args[0]))) {
		return ""
	}
	for _, r := range stmt.Redirs {
		text := r.Hdoc
		if r.Op == syntax.WordHdoc {
			text = r.Word
		}
		if text != nil && inText().MatchString(wordText(text)) {
			return wordText(call.Args[0])
		}
	}
	return ""
}

// namesKamal are the variables of the job's shell that hold the name of the program.
func (j *shellJob) namesKamal() map[string]bool {
	named := map[string]bool{}
	for _, e := range j.entries {
		syntax.Walk(e.script.file, func(n syntax.Node) bool {
			if a, ok := n.(*syntax.Assign); ok && a.Name != nil && a.Value != nil && endsInKamal().MatchString(strings.TrimSpace(wordText(a.Value))) {
				named[a.Name.Value] = true
			}
			return true
		})
	}
	return named
}
