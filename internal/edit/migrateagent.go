package edit

import (
	"bytes"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// An agentScript is a script that starts an ssh-agent or gives one its keys.
type agentScript struct {
	script *script
	keys   []keySource
	rest   []*syntax.Stmt // without those of the agent's
	alone  bool           // nothing in it has any other effect
}

var (
	octal         = lazy.Regexp(`^[0-7]{3,4}$`) // of mkdir -m 700
	agentNamed    = lazy.Regexp(`\bssh-(agent|add)\b`)
	agentVariable = lazy.Regexp(`^(SSH_AUTH_SOCK|SSH_AGENT_PID)\b`)

	// What eval is given to start an agent, and what ends one; nothing beside it.
	agentStart = lazy.Regexp("^[\"']?(\\$\\(|`)\\s*ssh-agent\\b[^;&|()`$]*(\\)|`)[\"']?$")
	agentEnd   = lazy.Regexp("^[\"']?\\s*(eval [\"']?(\\$\\(|`)\\s*ssh-agent\\b[^;&|()`$]*(\\)|`)[\"']?|ssh-agent\\b[^;&|()`$]*|kill [^;&|()`$]*\\$\\{?SSH_AGENT_PID\\}?[^;&|()`$]*)[\"']?( [A-Z0-9 ]+)?$")
)

// agentScripts are the steps of a job whose scripts have to do with an agent.
func (w *workflow) agentScripts(steps []workflowStep) map[int]agentScript {
	agents := map[int]agentScript{}
	for i, s := range steps {
		if agentNamed().MatchString(withoutComments(s.Run)) {
			a := w.agentScript(s, steps[:i])
			a.alone = a.alone && !s.flow
			agents[i] = a
		}
	}
	return agents
}

func (w *workflow) agentScript(s workflowStep, before []workflowStep) agentScript {
	a := agentScript{script: parseScript(s.Run)}
	if a.script.why != nil {
		a.keys = []keySource{{}}
		return a
	}
	r := &agentReader{
		w: w, given: map[string]bool{}, files: map[string]keySource{}, variables: map[string]keySource{},
		scriptReader: &scriptReader{script: a.script, values: map[string]string{}, lookup: func(name string) (string, error) { return w.value(s, before, name) }},
	}
	r.find()
	a.alone = true
	for _, stmt := range a.script.file.Stmts {
		if r.isAgents(stmt) {
			continue
		}
		a.rest = append(a.rest, stmt)
		a.alone = a.alone && r.isHarmless(stmt)
	}
	if a.keys = r.keys; r.adds > len(r.keys) { // one stands where it is not understood
		a.keys = append(a.keys, keySource{})
	}
	return a
}

// needs are the needs of the steps that stay. A step that is there for an agent
// alone is gone where its key is known and no other step has a use for an agent.
func (w *workflow) needs(steps []workflowStep, deploying map[int]bool, agents map[int]agentScript, gone map[int]bool) stepNeeds {
	leaving := map[int]bool{}
	for i := range steps {
		leaving[i] = deploying[i] || agents[i].alone && !w.asksFor(steps[i].ID) && (w.key != "" || w.o.SSHKey != "")
	}
	needs := needsOf(steps, leaving)
	if needs.ssh {
		return needsOf(steps, deploying)
	}
	for i := range steps {
		gone[i] = leaving[i] && !deploying[i]
	}
	return needs
}

// asksFor tells whether the workflow reads a step's outcome or output.
func (w *workflow) asksFor(id string) bool {
	return id != "" && readsStep(strings.Join(w.lines[w.within.from:w.within.to], ""), id)
}

// readsStep tells whether a text reads a step's outcome or output.
func readsStep(text, id string) bool {
	return strings.Contains(text, "steps."+id+".") || strings.Contains(text, "steps['"+id+"']")
}

// noteAgents tells what becomes of the agents that scripts start.
func (w *workflow) noteAgents(steps []workflowStep, deploying, gone map[int]bool, agents map[int]agentScript, needs stepNeeds) {
	for i, s := range steps {
		a, ok := agents[i]
		switch {
		case !ok || deploying[i]:
		case gone[i] && needs.scripts:
			w.plan.note("%s:%d: no agent runs any more for the other steps of the job", w.file, s.from+1)
		case gone[i]:
		case w.key != "" && (!w.lost || w.o.SSHKey != ""):
			w.plan.note("%s:%d: the agent of this step stays, for what else uses it: kamal-op has its own", w.file, s.from+1)
		default:
			for _, key := range a.keys {
				if key.reference == "" {
					w.plan.note("%s:%d: this step starts an agent with a key that %s, and the action's container has no such agent: put the key into 1Password, and migrate with --ssh-key op://Vault/Server", w.file, s.from+1, key.origin())
				}
			}
		}
	}
}

// allKeys are those of all the job's agents.
func (w *workflow) allKeys() []keySource {
	var keys []keySource
	for _, a := range w.agents {
		keys = append(keys, a.keys...)
	}
	return keys
}

// An agentReader finds the statements of an agent's in a script.
type agentReader struct {
	*scriptReader
	w         *workflow
	variables map[string]keySource // that hold keys
	files     map[string]keySource // that the script writes keys to, as it writes their names
	given     map[string]bool      // files that ssh-add is given
	keys      []keySource
	adds      int // calls of ssh-add that give a key
}

// find looks at the whole script: variables and files that have a key, and how
// often one is given.
func (r *agentReader) find() {
	syntax.Walk(r.file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			if len(n.Args) > 0 && wordText(n.Args[0]) == "ssh-add" {
				words, gives := addArguments(n)
				if gives {
					r.adds++
				}
				for _, word := range words {
					r.given[source(word)] = true
				}
			}
			if len(n.Args) == 0 {
				for _, a := range n.Assigns {
					if key := r.ofWord(a.Value); key.reference != "" {
						r.variables[a.Name.Value] = key
					}
				}
			}
		case *syntax.Stmt:
			for _, redirect := range n.Redirs {
				if redirect.Op == syntax.RdrOut && redirect.Word != nil {
					if key := r.ofCommand(n); key != (keySource{}) {
						r.files[source(redirect.Word)] = key
					}
				}
			}
		}
		return true
	})
}

// source is a part of a script as it is written, without double quotes.
func source(n syntax.Node) string { return strings.Trim(printed(n), `"`) }

// printed is a part of a script as it is written.
func printed(n syntax.Node) string {
	var b bytes.Buffer
	if err := syntax.NewPrinter().Print(&b, n); err != nil {
		return ""
	}
	return b.String()
}

// isAgents tells whether a statement serves an agent alone, and takes the key that
// it gives.
func (r *agentReader) isAgents(stmt *syntax.Stmt) bool {
	if stmt.Negated || stmt.Background {
		return false
	}
	switch cmd := stmt.Cmd.(type) {
	case *syntax.BinaryCmd:
		if cmd.Op == syntax.AndStmt || cmd.Op == syntax.OrStmt {
			x := r.isAgents(cmd.X)
			y := r.isAgents(cmd.Y)
			return (x || r.isHarmless(cmd.X)) && (y || r.isHarmless(cmd.Y)) && (x || y)
		}
		if call, ok := cmd.Y.Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 && wordText(call.Args[0]) == "ssh-add" {
			return r.add(call, r.ofCommand(cmd.X))
		}
	case *syntax.DeclClause:
		return !slices.ContainsFunc(cmd.Args, func(a *syntax.Assign) bool { return a.Name == nil || !agentVariable().MatchString(a.Name.Value) })
	case *syntax.CallExpr:
		return r.isAgentsCall(cmd, stmt)
	}
	return false
}

func (r *agentReader) isAgentsCall(call *syntax.CallExpr, stmt *syntax.Stmt) bool {
	if len(call.Args) == 0 {
		return !slices.ContainsFunc(call.Assigns, func(a *syntax.Assign) bool {
			return r.variables[a.Name.Value] == (keySource{}) && !agentVariable().MatchString(a.Name.Value)
		})
	}
	words := make([]string, len(call.Args))
	for i, w := range call.Args {
		words[i] = source(w)
	}
	all := strings.Join(words[1:], " ")
	switch words[0] {
	case "ssh-add":
		return r.add(call, r.redirected(stmt))
	case "ssh-agent": // and no command that runs under it
		return !slices.ContainsFunc(words[1:], func(word string) bool {
			return !strings.HasPrefix(word, "-") && !strings.Contains(word, "SOCK") && !strings.Contains(word, "sock")
		})
	case "eval":
		return agentStart().MatchString(all)
	case "trap":
		return agentEnd().MatchString(all)
	case "kill":
		return agentEnd().MatchString("kill " + all)
	case "echo", "printf":
		written := slices.ContainsFunc(stmt.Redirs, func(d *syntax.Redirect) bool { return strings.Contains(source(d.Word), "GITHUB_ENV") })
		return written && agentVariable().MatchString(strings.Trim(words[len(words)-1], `"'`)) || r.isKeyFile(stmt)
	case "op":
		return r.isKeyFile(stmt)
	case "chmod", "rm", "shred":
		files := slices.DeleteFunc(slices.Clone(words[1:]), isFlag)
		if words[0] == "chmod" {
			files = files[min(1, len(files)):]
		}
		return len(files) > 0 && !slices.ContainsFunc(files, func(file string) bool { return !r.isKey(file) })
	}
	return false
}

// isKeyFile tells whether a statement writes a key into a file that ssh-add is given: any
// other file is one of the project's.
func (r *agentReader) isKeyFile(stmt *syntax.Stmt) bool {
	return writesFile(stmt.Redirs) && !slices.ContainsFunc(stmt.Redirs, func(d *syntax.Redirect) bool { return isOutput(d) && !r.isKey(source(d.Word)) })
}

func (r *agentReader) isKey(file string) bool { return r.files[file] != (keySource{}) && r.given[file] }

// isHarmless tells whether a statement changes nothing that another step could see.
func (r *agentReader) isHarmless(stmt *syntax.Stmt) bool {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || stmt.Background || len(call.Args) == 0 {
		return false
	}
	// A command within runs as well, and a line with :: may be one to the runner.
	if text := source(call); strings.Contains(text, "$(") || strings.Contains(text, "`") || strings.Contains(text, "::") {
		return false
	}
	switch wordText(call.Args[0]) {
	case "set", "true", ":", "echo", "printf", "sleep":
		return len(stmt.Redirs) == 0
	case "mkdir", "chmod":
		folders := call.Args[1:]
		if wordText(call.Args[0]) == "chmod" {
			folders = folders[min(1, len(folders)):]
		}
		made := slices.DeleteFunc(slices.Clone(folders), func(w *syntax.Word) bool { return isFlag(source(w)) || octal().MatchString(source(w)) })
		return len(made) > 0 && !slices.ContainsFunc(made, func(w *syntax.Word) bool { return !strings.HasSuffix(source(w), "/.ssh") })
	}
	return false
}

// add takes the key of an ssh-add: from its input, or from the files that it names.
func (r *agentReader) add(call *syntax.CallExpr, input keySource) bool {
	arguments, gives := addArguments(call)
	if len(call.Assigns) > 0 { // a passphrase's
		return false
	}
	if !gives {
		return true
	}
	if len(arguments) != 1 {
		return false
	}
	key := input
	if text := source(arguments[0]); text != "-" && text != "/dev/stdin" {
		key = r.files[text]
		if len(arguments[0].Parts) == 1 {
			if from, ok := arguments[0].Parts[0].(*syntax.ProcSubst); ok && len(from.Stmts) == 1 {
				key = r.ofCommand(from.Stmts[0])
			}
		}
	}
	r.keys = append(r.keys, key)
	return key.reference != "" || r.w.o.SSHKey != ""
}

// addArguments are what ssh-add adds, and whether it adds any: it lists and deletes
// with options.
func addArguments(call *syntax.CallExpr) (words []*syntax.Word, gives bool) {
	for i := 1; i < len(call.Args); i++ {
		switch text := wordText(call.Args[i]); {
		case text == "-t":
			i++
		case text == "-l" || text == "-L" || text == "-D" || text == "-d":
			return nil, false
		case text == "-" || !strings.HasPrefix(text, "-"):
			words = append(words, call.Args[i])
		}
	}
	return words, true
}
