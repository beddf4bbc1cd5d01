package edit

import (
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// A keySource is where a script has a key from that it gives to ssh-add: a reference
// of 1Password's, or else the text that stands there, as far as one can be read.
type keySource struct{ reference, text string }

// agentKeys takes the keys that Kamal's agent had. Where a script gave it one that is
// none of 1Password's, none of the scripts' is taken: the agent had them all.
func (w *workflow) agentKeys(steps []workflowStep, deploying map[int]bool, agents map[int]agentScript) error {
	// Whether an agent of the action's takes the place of one before, or is the same,
	// is different between its versions: what is known of those before is taken too.
	last := lastAgent(steps, deploying)
	var ofActions, all, loaded []string
	w.lost = false
	add := func(to *[]string, key string) {
		if !slices.Contains(*to, key) {
			*to = append(*to, key)
		}
	}
	whole := true
	for i, s := range steps {
		if strings.HasPrefix(s.Uses, agentAction+"@") {
			given, names := w.actionKeys(s)
			switch loaded = append(loaded, names...); {
			case i == last && given == nil && w.o.SSHKey == "":
				return w.refuse(s.from+1, "put the key into 1Password, and name it: --ssh-key op://Vault/Server",
					"the SSH key %s", origin(fmt.Sprint(s.With["ssh-private-key"])))
			case i == last:
				w.lost = given == nil
			case i < last && given == nil:
				w.notTaken(steps, i, last)
			}
			for _, key := range given {
				if i > last {
					break // for what comes behind the deploy
				}
				add(&ofActions, key)
				add(&all, key)
			}
		}
		for _, key := range agents[i].keys {
			switch {
			case key.reference != "":
				add(&all, key.reference)
			case i < last:
				w.notTaken(steps, i, last)
			default:
				whole = false
			}
		}
	}
	w.lost = w.lost || !whole
	for _, name := range loaded {
		delete(w.loaded, name) // it is no secret of the app's
	}
	switch {
	case w.o.SSHKey != "":
		return w.givenKey(all)
	case whole:
		w.key = strings.Join(all, "\n")
	default:
		w.key = strings.Join(ofActions, "\n")
	}
	return nil
}

// lastAgent is the step that starts the last agent of the action's before a deploy, -1
// where none does.
func lastAgent(steps []workflowStep, deploying map[int]bool) int {
	last, before := -1, -1
	for i, s := range steps {
		if strings.HasPrefix(s.Uses, agentAction+"@") {
			before = i
		} else if deploying[i] {
			last = before
		}
	}
	return last
}

// notTaken tells of a key that is not known, and that Kamal need not have had.
func (w *workflow) notTaken(steps []workflowStep, i, last int) {
	w.plan.note("%s:%d: the key of this step, which is not from 1Password, is not taken along: the agent of line %d takes the place of this one", w.file, steps[i].from+1, steps[last].from+1)
}

// actionKeys are the references of the keys that the action starts an agent with, nil
// where one of them is not known, and the names that they were loaded as.
func (w *workflow) actionKeys(s workflowStep) (keys, names []string) {
	for line := range strings.Lines(strings.TrimSpace(fmt.Sprint(s.With["ssh-private-key"]))) {
		name := ""
		if m := outputOf().FindStringSubmatch(line); m != nil {
			name = m[1] + "." + m[2]
		} else if m := variable().FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		if w.loaded[name] == "" {
			return nil, names
		}
		keys, names = append(keys, w.loaded[name]), append(names, name)
	}
	return keys, names
}

// givenKey takes the key that the command line names: in the place of all that are
// known, or beside them where it stands for one that is not.
func (w *workflow) givenKey(known []string) error {
	ref, err := onepassword.ParseReference(w.o.SSHKey)
	if err != nil {
		return err
	}
	w.key = ref.String()
	for _, key := range known {
		if w.lost && !w.isKey(key) {
			w.key += "\n" + key
		}
	}
	return nil
}

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
		if slices.ContainsFunc(call.Args, func(w *syntax.Word) bool { return strings.HasPrefix(wordText(w), "--account") }) {
			return keySource{} // of another account, where the token may have no access
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
