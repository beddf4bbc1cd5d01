package edit

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func isFlag(word string) bool { return strings.HasPrefix(word, "-") }

// substitutes tells whether a command within the statement runs too.
func substitutes(stmt *syntax.Stmt) bool {
	found := false
	syntax.Walk(stmt, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst:
			found = true
		}
		return !found
	})
	return found
}

// isOutput tells whether a redirection writes a file.
func isOutput(r *syntax.Redirect) bool {
	switch r.Op {
	case syntax.RdrOut, syntax.AppOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll, syntax.RdrInOut:
		return wordText(r.Word) != "/dev/null"
	}
	return false
}

func writesFile(redirs []*syntax.Redirect) bool { return slices.ContainsFunc(redirs, isOutput) }

// filesOf are the files that a statement writes, copies, protects or prints into; ok is
// whether it does nothing else.
func filesOf(stmt *syntax.Stmt) (files []string, ok bool) {
	if stmt.Background || stmt.Negated || substitutes(stmt) {
		return nil, false
	}
	if pipe, ok := stmt.Cmd.(*syntax.BinaryCmd); ok && pipe.Op == syntax.Pipe && len(stmt.Redirs) == 0 {
		x, simple := filesOf(pipe.X)
		y, also := filesOf(pipe.Y)
		return append(x, y...), simple && also
	}
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 || len(call.Assigns) > 0 {
		return nil, false
	}
	for _, r := range stmt.Redirs {
		if isOutput(r) {
			files = append(files, source(r.Word))
		}
	}
	var words []string
	for _, w := range call.Args[1:] {
		if text := source(w); !isFlag(text) {
			words = append(words, text)
		}
	}
	switch path.Base(wordText(call.Args[0])) {
	case "echo", "printf", "cat", "base64", "tr", "ssh-keyscan":
	case "cp", "mv", "install":
		if len(words) < 2 {
			return nil, false
		}
		files = append(files, words[len(words)-1])
	case "chmod":
		files = append(files, words[min(1, len(words)):]...)
	case "touch", "tee":
		files = append(files, words...)
	default:
		return nil, false
	}
	return files, true
}

// writesAll tells whether a statement does nothing but write files that a pattern takes.
func writesAll(stmt *syntax.Stmt, pattern *regexp.Regexp) bool {
	files, ok := filesOf(stmt)
	return ok && len(files) > 0 && !slices.ContainsFunc(files, func(file string) bool { return !pattern.MatchString(strings.Trim(file, `"'`)) })
}

// makesFolder is mkdir ~/.ssh, or its chmod.
func makesFolder(stmt *syntax.Stmt) bool {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	return ok && slices.Contains([]string{"mkdir", "chmod"}, wordText(call.Args[0])) && !writesFile(stmt.Redirs)
}

// hosts tells of known hosts, which a run has of its own.
func (j *shellJob) hosts(e *jobEntry, text string) {
	if m := fromVariable().FindStringSubmatch(text); m != nil {
		if j.hostKeys != "" && j.hostKeys != m[1] {
			j.fail(e, "put both into one variable", "known_hosts is written from $%s and $%s, and KAMAL_OP_HOST_KEYS takes one of them", j.hostKeys, m[1])
		}
		j.hostKeys = m[1]
		return
	}
	note := "the known hosts that this line writes are not those of a run: give it KAMAL_OP_HOST_KEYS (kamal-op host-keys prints them)"
	if strings.Contains(text, "ssh-keyscan") {
		note = "ssh-keyscan takes whatever key answers: kamal-op has known hosts of its own for the run, give it KAMAL_OP_HOST_KEYS (kamal-op host-keys prints them)"
	}
	if strings.HasPrefix(text, "chmod") || strings.HasPrefix(text, "touch") {
		return
	}
	j.noteAt(e, note)
}

// fail keeps the first problem of a statement.
func (j *shellJob) fail(e *jobEntry, hint, format string, args ...any) {
	if j.err == nil {
		j.err = j.refuse(e.line(), hint, format, args...)
	}
}
