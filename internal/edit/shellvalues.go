package edit

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// reads takes export NAME=$(op read op://…).
func (j *shellJob) reads(e *jobEntry, stmt *syntax.Stmt) bool {
	if len(stmt.Redirs) > 0 {
		return false
	}
	var assigns []*syntax.Assign
	switch cmd := stmt.Cmd.(type) {
	case *syntax.DeclClause:
		if cmd.Variant.Value == "export" {
			assigns = cmd.Args
		}
	case *syntax.CallExpr:
		if len(cmd.Args) == 0 {
			assigns = cmd.Assigns
		}
	}
	var lines []string
	for _, a := range assigns {
		if a.Name == nil || a.Append || !readsAlone(a.Value) {
			return false
		}
		key := j.agent.ofWord(a.Value)
		if _, err := onepassword.ParseReference(key.reference); err != nil || strings.Contains(key.reference, "$") {
			return false
		}
		lines = append(lines, a.Name.Value+"="+key.reference)
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, "=")
		if j.agent.variables[name] != (keySource{}) && j.givesAgent(name) {
			continue // it is the key
		}
		if i := slices.IndexFunc(j.added, func(other string) bool { return strings.HasPrefix(other, name+"=") }); i >= 0 && j.added[i] != line {
			j.fail(e, "give each deploy a job of its own", "the job reads %s from two places: %s and %s", name, j.added[i], line)
		}
		if !slices.Contains(j.added, line) {
			j.added = append(j.added, line)
		}
	}
	return len(lines) > 0
}

// readsAlone tells whether a word is what op read of one reference prints, and nothing
// beside it: no other account, no text around it, nothing that happens where it fails.
func readsAlone(w *syntax.Word) bool {
	if w == nil {
		return false
	}
	parts := w.Parts
	if len(parts) == 1 {
		if quoted, ok := parts[0].(*syntax.DblQuoted); ok {
			parts = quoted.Parts
		}
	}
	if len(parts) != 1 {
		return false
	}
	sub, ok := parts[0].(*syntax.CmdSubst)
	if !ok || len(sub.Stmts) != 1 {
		return false
	}
	stmt := sub.Stmts[0]
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(stmt.Redirs) > 0 || stmt.Background || stmt.Negated || len(call.Assigns) > 0 || len(call.Args) < 3 {
		return false
	}
	words := 0
	for i, arg := range call.Args {
		switch text := wordText(arg); {
		case i == 0 && text != "op" || i == 1 && text != "read":
			return false
		case text == "-n" || text == "--no-newline":
		case isFlag(text):
			return false
		default:
			words++
		}
	}
	return words == 3
}

// namesSet are the names that a statement sets, and nothing else.
func namesSet(stmt *syntax.Stmt) (names []string) {
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if a, ok := n.(*syntax.Assign); ok && a.Name != nil {
			names = append(names, a.Name.Value)
		}
		return true
	})
	return names
}

// valuesStay refuses a value that goes where the shell itself has a use for it, or where
// a call of Kamal stands before it, which ran without it.
func (j *shellJob) valuesStay() error {
	set := map[string]bool{}
	called := false
	for _, e := range j.entries {
		for i, stmt := range e.script.file.Stmts {
			if e.fates[i] != goes {
				called = called || runsKamal(stmt)
				continue
			}
			for _, name := range namesSet(stmt) {
				set[name] = true
				if called && slices.ContainsFunc(j.added, func(line string) bool { return strings.HasPrefix(line, name+"=") }) {
					return j.refuse(e.lineOf(stmt), "read it before the first call of kamal, or give each deploy a job of its own", "%s is read behind a call of kamal, which ran without it", name)
				}
			}
		}
	}
	if len(set) == 0 {
		return nil
	}
	for _, e := range j.entries {
		for i, stmt := range e.script.file.Stmts {
			if e.fates[i] == goes {
				continue
			}
			if name := usesOne(stmt, set); name != "" {
				return j.refuse(e.lineOf(stmt), "let Kamal alone read it, as NAME=$NAME of .kamal/secrets in single quotes, or call what uses it by way of kamal-op run",
					"the shell uses %s itself, which kamal-op is given in its place: %s", name, firstLine(source(stmt)))
			}
			j.tellUsers(e, stmt)
		}
	}
	return nil
}

// usesOne is one of the names that a statement takes the value of, or sets anew.
func usesOne(stmt *syntax.Stmt, set map[string]bool) (found string) {
	take := func(name string) {
		if found == "" && set[name] {
			found = name
		}
	}
	syntax.Walk(stmt, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ParamExp:
			take(n.Param.Value)
		case *syntax.Assign:
			if n.Name != nil && !n.Naked {
				take(n.Name.Value)
			}
		case *syntax.CallExpr:
			if len(n.Args) > 1 && slices.Contains([]string{"printenv", "unset", "read"}, wordText(n.Args[0])) {
				for _, w := range n.Args[1:] {
					take(wordText(w))
				}
			}
		}
		return found == ""
	})
	return found
}

// tellUsers notes a program of the project's own that may have read what is declared now
// from its environment.
func (j *shellJob) tellUsers(e *jobEntry, stmt *syntax.Stmt) {
	if len(j.added) == 0 || runsKamal(stmt) {
		return
	}
	for _, name := range calls(printed(stmt)) {
		if strings.Contains(name, "/") || slices.Contains([]string{"bundle", "rake", "ruby", "make"}, name) {
			names := make([]string, len(j.added))
			for i, line := range j.added {
				names[i], _, _ = strings.Cut(line, "=")
			}
			j.noteAt(e, "what op read gave is in the environment of kamal-op alone: if "+name+" reads "+strings.Join(names, ", ")+", call it by way of kamal-op run")
		}
	}
}
