package edit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A workflowStep is what matters of one step.
type workflowStep struct {
	ID, Uses, Run    string
	WorkingDirectory string `yaml:"working-directory"`
	With, Env        map[string]any

	node     *ast.MappingNode
	from, to int  // lines, counted from 0; to is behind the last
	flow     bool // written in braces: it stays as it is
	marked   bool // an anchor or an alias: it stays too
}

// load notes what a step loads from 1Password.
func (w *workflow) load(s workflowStep) {
	export := fmt.Sprint(s.With["export-env"]) != "false"
	for _, name := range sortedKeys(s.Env) {
		value := fmt.Sprint(s.Env[name])
		switch {
		case name == tokenVariable:
			w.token = value
		case strings.HasPrefix(value, "op://"):
			w.loaded[s.ID+"."+name] = value
			if export {
				w.loaded[name] = value
			}
		}
	}
}

// expressions are values that are names in GitHub's contexts, such as
// secrets.SSH_KEY: no literal in them, nor anything beside them.
var expressions = lazy.Regexp(`^(\s*\$\{\{\s*[\w.-]+\s*\}\}\s*)+$`)

// origin is where a value comes from, in words. A value that stands in the
// workflow itself is not told.
func origin(value string) string {
	if expressions().MatchString(value) {
		return "comes from " + strings.Join(strings.Fields(value), " ") + ", not from 1Password"
	}
	return "is written in the workflow: it is in the repository's history"
}

// value is what a variable has where the script runs: given by the step, the job or
// the workflow, by GitHub, or by a step before.
func (w *workflow) value(s workflowStep, before []workflowStep, name string) (string, error) {
	for _, env := range []ast.Node{yamlfile.Child(s.node, "env"), yamlfile.Child(w.job, "env"), yamlfile.Child(w.root, "env")} {
		if v := yamlfile.Child(env, name); v != nil {
			return strings.TrimSpace(scalarText(v)), nil
		}
	}
	if context, ok := strings.CutPrefix(name, "GITHUB_"); ok && slices.Contains(fromGitHub[:], context) {
		return "${{ github." + strings.ToLower(context) + " }}", nil
	}
	for _, b := range before {
		if strings.Contains(b.Run, "GITHUB_ENV") && wordAt(b.Run, name).Line > 0 || w.loaded[name] != "" {
			return "${{ env." + name + " }}", nil
		}
	}
	if runnersOwn().MatchString(name) {
		return "", fmt.Errorf("its script takes $%s of the runner, which is another in the action's container", name)
	}
	return "", fmt.Errorf("its script takes $%s, which nothing in the workflow sets", name)
}

// runnersOwn are the variables of the machine that a step runs on.
var runnersOwn = lazy.Regexp(`^(?:GITHUB|RUNNER|ACTIONS|ImageOS|HOME$|PWD$|USER$|PATH$|TMPDIR$|HOSTNAME$)`)

// fromGitHub are the variables that every step has, and a context of the same name.
var fromGitHub = [...]string{
	"ACTOR", "BASE_REF", "EVENT_NAME", "HEAD_REF", "JOB", "REF", "REF_NAME", "REF_TYPE", "REPOSITORY", "REPOSITORY_OWNER",
	"RUN_ATTEMPT", "RUN_ID", "RUN_NUMBER", "SHA", "TRIGGERING_ACTOR", "WORKFLOW",
}

// step is the one step, in the lines of the one that ran kamal: what it has
// beside its script stays.
func (w *workflow) step(s workflowStep, before []workflowStep, a agentScript) ([]string, error) {
	script := parseScript(s.Run)
	if script.why == nil && a.script != nil && w.key != "" {
		script = a.script
		script.file.Stmts = a.rest
	}
	call, err := script.understand(func(name string) (string, error) { return w.value(s, before, name) })
	if err != nil {
		return nil, w.refuse(s.from+1, "give kamal a step of its own first, with nothing else in it", "the step that runs kamal cannot become a step of kamal-op: %s", err)
	}
	if call.prints {
		w.plan.note("%s:%d: what the script prints by itself (echo) is left out", w.file, s.from+1)
	}
	if call.pinned != "" {
		w.notePinned(s.from+1, call.pinned)
	}
	directory := w.inherited(s, "working-directory")
	if call.directory != "" {
		directory = joinDirectory(directory, call.directory)
	}
	w.noteProject(s.from+1, directory, s.Run)
	removed := w.declare(s, call.opRun)
	e := &stepEdit{w: w, s: s, lines: slices.Clone(w.lines[s.from:s.to]), eol: "\n"}
	if strings.Contains(w.text, "\r\n") {
		e.eol = "\r\n"
	}
	return e.rewrite(w.inputs(s, call, directory), call, removed)
}

// inputs are the lines under with:.
func (w *workflow) inputs(s workflowStep, call kamalCall, directory string) []string {
	var with []string
	put := func(name, value string) {
		switch {
		case value == "":
		case strings.Contains(value, "\n"):
			with = append(with, name+": |")
			for line := range strings.Lines(value) {
				with = append(with, "  "+strings.TrimRight(line, "\r\n"))
			}
		default:
			with = append(with, name+": "+yamlValue(value))
		}
	}
	if call.command != "deploy" {
		put("command", call.command)
	}
	w.credentials(s, put)
	put("ssh-key", w.key)
	switch {
	case w.key != "":
	case len(w.agents) > 0:
		if !slices.ContainsFunc(w.allKeys(), func(k keySource) bool { return k.reference == "" }) {
			w.plan.note("%s starts an agent with keys that are not known here: put them into 1Password, and name them in the input ssh-key", w.file)
		}
	default:
		w.plan.note("%s starts no agent: add the input ssh-key, unless the servers are reached without a key", w.file)
	}
	put("host-keys", strings.Join(w.hostKeys, "\n"))
	put("destination", call.destination)
	put("config-file", call.config)
	put("args", strings.Join(call.args, " "))
	put("kamal", call.program)
	put("working-directory", strings.TrimPrefix(directory, "./"))
	put("timeout", call.timeout)
	if len(w.declared) > 0 {
		with = append(with, "secrets: |")
		for _, line := range w.declared {
			with = append(with, "  "+line)
		}
	}
	return with
}

// declare collects what the step gets from 1Password: names that were exported,
// those that its env takes from the loading step, and those that op run resolved. It
// gives the names in env that are declared now.
func (w *workflow) declare(s workflowStep, opRun bool) (removed []string) {
	w.declared = nil
	add := func(name, reference string) {
		if line := name + "=" + reference; !slices.Contains(w.declared, line) {
			w.declared = append(w.declared, line)
		}
	}
	for _, name := range sortedKeys(s.Env) {
		value := fmt.Sprint(s.Env[name])
		reference := ""
		if m := outputOf().FindStringSubmatch(value); m != nil {
			reference = w.loaded[m[1]+"."+m[2]]
		} else if m := variable().FindStringSubmatch(value); m != nil {
			reference = w.loaded[m[1]]
		} else if strings.HasPrefix(value, "op://") && w.isDeclared(s, name, value, opRun) {
			reference = value
		}
		switch {
		case name == tokenVariable:
			removed = append(removed, name)
		case reference != "":
			add(name, reference)
			removed = append(removed, name)
		case strings.Contains(value, "secrets."):
			w.plan.note("%s: %s comes from GitHub's secrets still: for 1Password's, write %s=op://VAULT/ITEM/%s under secrets: of the step, and take it out of env:", w.file, name, name, name)
		}
	}
	for _, env := range []ast.Node{yamlfile.Child(w.job, "env"), yamlfile.Child(w.root, "env")} {
		for _, v := range yamlfile.Pairs(env) {
			name, value := v.Key.GetToken().Value, scalarText(v.Value)
			if strings.HasPrefix(value, "op://") && s.Env[name] == nil && w.isDeclared(s, name, value, opRun) {
				add(name, value)
			}
		}
	}
	for _, name := range sortedKeys(w.loaded) {
		if !strings.Contains(name, ".") && !w.isKey(w.loaded[name]) {
			add(name, w.loaded[name])
		}
	}
	return removed
}

// isDeclared tells whether a reference in the environment is one to a secret of the
// deploy. What op run resolved is; what nothing did would be deployed as it is
// written, unless a secrets file has op read it.
func (w *workflow) isDeclared(s workflowStep, name, reference string, opRun bool) bool {
	if opRun {
		return true
	}
	if w.isKey(reference) {
		return false
	}
	files, _ := filepath.Glob(filepath.Join(w.tree.dir, ".kamal", "secrets*")) // the pattern is well-formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "op read") && (strings.Contains(line, "$"+name) || strings.Contains(line, "${"+name)) {
				return false
			}
		}
	}
	w.plan.note("%s:%d: %s is a secret reference in the environment: it is declared as a secret now", w.file, s.from+1, name)
	return true
}

// isKey tells whether a reference is to a key of the agent's: the item that the step
// names may be what it is a field of.
func (w *workflow) isKey(reference string) bool {
	return slices.ContainsFunc(strings.Split(w.key, "\n"), func(key string) bool {
		return key != "" && (reference == key || strings.HasPrefix(reference, key+"/") && strings.HasSuffix(strings.ToLower(reference), "/private key"))
	})
}

// stepsOf are the steps of a job with their lines: what is blank or a comment in
// front of a step belongs to none.
func (w *workflow) stepsOf(job ast.Node) ([]workflowStep, error) {
	list, ok := yamlfile.Child(job, "steps").(*ast.SequenceNode)
	if !ok {
		return nil, nil
	}
	if list.IsFlowStyle {
		if slices.ContainsFunc(list.Values, func(v ast.Node) bool {
			item, _ := w.item(v)
			return deploys().MatchString(item.String())
		}) {
			return nil, w.refuse(list.Start.Position.Line, "write each in lines of its own: - run: kamal deploy", "the steps that run kamal are written in brackets")
		}
		return nil, nil
	}
	var steps []workflowStep
	for i, v := range list.Values {
		item, marked := w.item(v)
		n, ok := item.(*ast.MappingNode)
		if !ok || len(n.Values) == 0 {
			continue
		}
		s := workflowStep{node: n, flow: n.IsFlowStyle, from: n.Values[0].Key.GetToken().Position.Line - 1}
		if marked {
			s.marked, s.flow, s.from = true, true, v.GetToken().Position.Line-1
		}
		if err := yaml.NodeToValue(n, &s); err != nil {
			return nil, w.refuse(s.from+1, "GitHub would not take it either", "a step of %s cannot be read", w.file)
		}
		end := len(w.lines)
		if i+1 < len(list.Values) {
			end = list.Values[i+1].GetToken().Position.Line - 1
			if next, ok := list.Values[i+1].(*ast.MappingNode); ok && len(next.Values) > 0 {
				end = next.Values[0].Key.GetToken().Position.Line - 1
			}
		}
		dash := list.Start.Position.Column - 1
		s.to = s.from + 1
		for line := s.from + 1; line < end; line++ {
			trimmed := strings.TrimLeft(w.lines[line], " ")
			if strings.TrimSpace(trimmed) == "" || trimmed[0] == '#' && len(w.lines[line])-len(trimmed) <= dash {
				continue
			}
			if len(w.lines[line])-len(trimmed) <= dash {
				break
			}
			s.to = line + 1
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// vaults are those of the secrets that the one step reads, and of the secrets files.
func (w *workflow) vaults() []string {
	var vaults []string
	add := func(vault string) {
		if vault != "" && !strings.Contains(vault, "$") && !slices.Contains(vaults, vault) {
			vaults = append(vaults, vault)
		}
	}
	references := strings.Split(w.key, "\n")
	for _, line := range w.declared {
		_, reference, _ := strings.Cut(line, "=")
		references = append(references, reference)
	}
	for _, reference := range references {
		if ref, err := onepassword.ParseReference(reference); err == nil {
			add(ref.Vault)
		}
	}
	files, _ := filepath.Glob(filepath.Join(w.tree.dir, ".kamal", "secrets*")) // the pattern is well-formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, def := range kamal.ParseSecrets(file, string(text), nil).Definitions {
			for _, p := range def.Parts {
				for _, wanted := range p.Wanted {
					add(wanted.Vault)
				}
			}
		}
	}
	return vaults
}
