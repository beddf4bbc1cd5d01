package edit

import (
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

func itoa(n int) string { return strconv.Itoa(n) }

// sshFolders lets mkdir ~/.ssh go where nothing that stays has a use for it.
func (j *shellJob) sshFolders() {
	needed := false
	for _, e := range j.entries {
		for i, stmt := range e.script.file.Stmts {
			needed = needed || e.fates[i] == stays && ofSSHFolder().MatchString(source(stmt))
		}
	}
	for _, e := range j.entries {
		for i := range e.fates {
			if e.fates[i] == forSSH {
				e.fates[i] = goes
				if needed {
					e.fates[i] = stays
				}
			}
		}
	}
}

// remaining refuses what stays and would not run in kamal-op's image.
func (j *shellJob) remaining(e *jobEntry) error {
	brought := j.brought()
	for i, stmt := range e.script.file.Stmts {
		line := e.lineOf(stmt)
		if e.fates[i] == unclear {
			return j.refuse(line, "write each on a line of its own", "a line of the job does what kamal-op does now, and more: %s", firstLine(source(stmt)))
		}
		if e.fates[i] != stays {
			continue
		}
		text := source(stmt)
		if what := bashOnly(stmt); what != "" {
			return j.refuse(line, "write it for sh", "the job has %s of bash's, and kamal-op's image has BusyBox's sh alone: %s", what, firstLine(text))
		}
		if j.ci == CircleCI && strings.Contains(text, "BASH_ENV") && !j.readsBashEnv() {
			return j.refuse(line, "have the step that deploys read it: . \"$BASH_ENV\"", "the job hands variables to later steps by $BASH_ENV, which sh does not read")
		}
		if j.usesOp(stmt) {
			return j.refuse(line, "take it out: kamal-op answers as op by itself", "the job has the program op, which is not downloaded any more, in a way that is not understood here: %s", firstLine(text))
		}
		if strings.Contains(text, ".ssh/known_hosts") {
			j.hosts(e, text)
		}
		for _, name := range calls(printed(stmt)) {
			switch {
			case name == "ssh-add" || name == "ssh-agent":
				return j.refuse(line, "start it and give it its key each on a line of its own", "the job has an agent in a way that is not understood here: %s", firstLine(text))
			case name == unreadReference:
				return j.refuse(line, "write out what it takes", "the job has a !reference that names no job of the files here")
			case name == "op" && !callsOpRun(stmt):
				return j.refuse(line, "declare what it reads (KAMAL_OP_SECRETS), or call it by way of kamal-op run", "the job calls op itself, which answers within a run alone: %s", firstLine(text))
			case name == "bundle" && !bundlesKamal(stmt), ofRails().MatchString(name):
				return j.refuse(line, "give the deploy a job of its own, without it", "the job calls %s, which needs the project's gems: kamal-op's image has them not", name)
			case isKamal(name), name == "bundle", strings.Contains(name, "/"), slices.Contains(inImage, name), slices.Contains(brought, name):
			case slices.Contains([]string{"sudo", "rbenv", "mise", "asdf", "ionice", "stdbuf"}, name) && deploys().MatchString(text):
			case givesEnvironment[name]:
				return j.refuse(line, "declare what it gives (KAMAL_OP_SECRETS), and call kamal by itself", "the job lets %s give kamal its environment", name)
			default:
				return j.refuse(line, "give the deploy a job of its own, without it", "the job calls %s, which kamal-op's image has not", name)
			}
		}
		if j.agent.adds > 0 && callsSSH().MatchString(strings.ReplaceAll(text, "git ", "")) {
			return j.refuse(line, "call it by way of kamal-op run, which has an agent, or give the deploy a job of its own", "the job logs in by SSH itself beside Kamal: %s", firstLine(text))
		}
	}
	return nil
}

// bundlesKamal tells whether bundle is there for kamal alone.
func bundlesKamal(stmt *syntax.Stmt) bool {
	only := true
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 0 && slices.ContainsFunc(call.Args, func(w *syntax.Word) bool { return wordText(w) == "bundle" }) {
			only = only && kamalWord(call) > 0
		}
		return only
	})
	return only
}

// bashOnly is what of a statement BusyBox's sh does not know; "" where it knows all.
func bashOnly(stmt *syntax.Stmt) (what string) {
	syntax.Walk(stmt, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ProcSubst:
			what = "a <(…)"
		case *syntax.ArrayExpr:
			what = "an array"
		case *syntax.CStyleLoop:
			what = "a for ((…))"
		case *syntax.Redirect:
			if n.Op == syntax.WordHdoc || n.Op == syntax.RdrAll || n.Op == syntax.AppAll {
				what = "a " + n.Op.String()
			}
		case *syntax.DeclClause:
			if n.Variant.Value == "declare" || n.Variant.Value == "typeset" {
				what = "a " + n.Variant.Value
			}
		}
		return what == ""
	})
	return what
}

// readsBashEnv tells whether a step that deploys reads the file itself.
func (j *shellJob) readsBashEnv() bool {
	return slices.ContainsFunc(j.entries, func(e *jobEntry) bool { return e.script.deploys() && bashEnvRead().MatchString(e.text) })
}

var bashEnvRead = lazy.Regexp(`(?m)(?:^|[\s;])(?:\.|source)\s+"?\$\{?BASH_ENV\}?`)

// brought are the packages that an apk add which stays brings: most have the name of
// their program.
func (j *shellJob) brought() []string {
	var all []string
	for _, e := range j.entries {
		for i, stmt := range e.script.file.Stmts {
			if text := strings.Fields(source(stmt)); e.fates[i] == stays && len(text) > 2 && text[0] == "apk" && text[1] == "add" {
				all = append(all, text[2:]...)
			}
		}
	}
	if len(all) > 0 {
		all = append(all, "apk")
	}
	return all
}

// callsOpRun tells whether a statement calls op for op run before kamal alone.
func callsOpRun(stmt *syntax.Stmt) bool {
	only := true
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 1 && wordText(call.Args[0]) == "op" {
			only = only && wordText(call.Args[1]) == "run" && kamalWord(call) > 0
		}
		return only
	})
	return only
}

func isKamal(name string) bool { return name == "kamal" || strings.HasSuffix(name, "/kamal") }

// kamalWord is the word of a call that names kamal, -1 where it calls something else.
func kamalWord(call *syntax.CallExpr) int {
	return slices.IndexFunc(call.Args, func(w *syntax.Word) bool { return isKamal(wordText(w)) })
}

func firstLine(text string) string {
	line, rest, _ := strings.Cut(text, "\n")
	if rest != "" {
		line += " …"
	}
	return line
}
