package edit

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// callsOf are the changes that make calls of kamal-op of an entry's calls of kamal.
func (j *shellJob) callsOf(e *jobEntry) ([]textChange, error) {
	var changes []textChange
	var err error
	for i, stmt := range e.script.file.Stmts {
		if e.fates[i] != stays {
			continue
		}
		if by := j.byAnother(stmt); by != "" {
			return nil, j.refuse(e.lineOf(stmt), "call kamal by itself", "the job runs kamal by way of %s, in whose text it cannot be changed: %s", by, firstLine(source(stmt)))
		}
		syntax.Walk(stmt, func(n syntax.Node) bool {
			call, ok := n.(*syntax.CallExpr)
			if !ok || err != nil {
				return err == nil
			}
			at := kamalWord(call)
			if at < 0 || at > 0 && slices.Contains([]string{"echo", "printf", "which", "command", "type"}, wordText(call.Args[0])) {
				return true
			}
			var more []textChange
			more, err = j.call(e, call, at)
			changes = append(changes, more...)
			return true
		})
	}
	return changes, err
}

// ownFlags are those of Kamal's that kamal-op takes itself, each with a value.
var ownFlags = []string{"-d", "--destination", "-c", "--config-file"}

// call is one call of kamal: kamal-op takes its place, and Kamal's own arguments stand
// behind --.
func (j *shellJob) call(e *jobEntry, call *syntax.CallExpr, at int) ([]textChange, error) {
	line := e.lineOf(call)
	refuse := func(hint, format string, args ...any) ([]textChange, error) {
		return nil, j.refuse(line, hint, format, args...)
	}
	if e.fixed {
		return refuse("write it into the job's own script", "the call of kamal stands elsewhere, as an alias, a !reference or another job's before_script")
	}
	words := call.Args[at+1:]
	for len(words) > 0 && pinnedWord().MatchString(wordText(words[0])) {
		j.pinned, words = strings.Trim(wordText(words[0]), "_"), words[1:]
	}
	if len(words) == 0 {
		return refuse("name Kamal's command in each line", "the job calls kamal without a command")
	}
	command := wordText(words[0])
	switch {
	case command == "" || len(words[0].Parts) != 1 || e.isGivenByCI(words[0]):
		return refuse("write a line for each command", "which command of kamal the job runs is not known: %s", source(words[0]))
	case slices.Contains([]string{"version", "--version", "help", "--help", "docs"}, command):
		return nil, nil
	}
	before, err := j.before(e, call, at)
	if err != nil {
		return nil, err
	}
	text, head, rest := before+"kamal-op "+command, words[0], words[1:]
	switch command {
	case "deploy", "setup", "redeploy":
	case "rollback":
		if len(rest) == 0 || isFlag(wordText(rest[0])) || isAllWords(rest[0]) {
			return refuse("write it right behind the command", "kamal rollback has no version")
		}
		text, head, rest = text+" "+e.source(rest[0]), rest[0], rest[1:]
	default:
		text, head = before+"kamal-op kamal", call.Args[at]
	}
	changes, ok, err := j.arguments(e, call, head, rest, text)
	if err == nil && !ok {
		return refuse("write it in lines of its own, without escapes", "the call of kamal stands in a form that cannot be changed here")
	}
	return changes, err
}

// arguments puts text in the place of a call's words up to head, and what kamal-op takes
// itself before --, behind which everything else stays as it is.
func (j *shellJob) arguments(e *jobEntry, call *syntax.CallExpr, head *syntax.Word, words []*syntax.Word, text string) (changes []textChange, ok bool, err error) {
	own, rest, ordered, err := j.parted(e, words, isKamal(wordText(head)))
	if err != nil {
		return nil, false, err
	}
	ok = true
	put := func(from, to syntax.Pos, text string) {
		change, found := e.change(from, to, text)
		changes, ok = append(changes, change), ok && found
	}
	inPlace := ordered && !isKamal(wordText(head))
	switch {
	case inPlace && len(rest) > 0:
		put(rest[0].Pos(), rest[0].Pos(), "-- ")
	case !inPlace:
		for _, w := range own {
			text += " " + e.source(w)
			before := call.Args[slices.Index(call.Args, w)-1].End()
			if before.Line() != w.Pos().Line() {
				before = w.Pos()
			}
			put(before, w.End(), "")
		}
		text += " --"
	}
	put(call.Args[0].Pos(), head.End(), text)
	return changes, ok, nil
}

// source is a part of the text as it is written.
func (e *jobEntry) source(n syntax.Node) string {
	return e.text[n.Pos().Offset():n.End().Offset()]
}

// before is what stays of the words before kamal.
func (j *shellJob) before(e *jobEntry, call *syntax.CallExpr, at int) (string, error) {
	refuse := func(hint, format string, args ...any) (string, error) {
		return "", j.refuse(e.lineOf(call), hint, format, args...)
	}
	var kept []string
	words := call.Args[:at]
	for len(words) > 0 {
		name := wordText(words[0])
		next := ""
		if len(words) > 1 {
			next = wordText(words[1])
		}
		switch {
		case (name == "bundle" || name == "rbenv" || name == "asdf") && next == "exec":
			words = words[2:]
		case name == "mise" && (next == "exec" || next == "x"):
			words = words[2:]
			if i := slices.IndexFunc(words, func(w *syntax.Word) bool { return wordText(w) == "--" }); i >= 0 {
				words = words[i+1:]
			}
		case name == "op" && next == "run":
			if words = words[2:]; slices.ContainsFunc(words, func(w *syntax.Word) bool { return strings.HasPrefix(wordText(w), "--env-file") }) {
				return refuse("declare its references (KAMAL_OP_SECRETS), as NAME=op://…, and call kamal by itself", "the job lets op run read a file")
			}
			j.opRun = true
			for len(words) > 0 && isFlag(wordText(words[0])) {
				if text := wordText(words[0]); text != "--" && !strings.HasPrefix(text, "--no-masking") {
					return refuse("leave it away, if kamal-op can do without it", "the job gives op run the option %s", text)
				}
				words = words[1:]
			}
		case name == "sudo", name == "ruby", name == "--":
			for words = words[1:]; len(words) > 0 && strings.HasPrefix(wordText(words[0]), "-"); {
				words = words[1:]
			}
		case givesEnvironment[name]:
			return refuse("declare what it gives (KAMAL_OP_SECRETS), and call kamal by itself", "the job lets %s give kamal its environment", name)
		case len(kept) > 0, slices.Contains([]string{"exec", "command", "nohup", "env", "timeout", "nice", "time"}, name):
			kept = append(kept, e.source(words[0]))
			words = words[1:]
		default:
			return refuse("call kamal by itself", "the job runs kamal by way of %s", firstLine(source(call)))
		}
	}
	if len(kept) == 0 {
		return "", nil
	}
	return strings.Join(kept, " ") + " ", nil
}
