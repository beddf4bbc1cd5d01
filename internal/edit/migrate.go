package edit

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// MigrateOptions say what a workflow does not.
type MigrateOptions struct {
	Workflow string // relative to the project; "" is the one that deploys
	SSHKey   string // secret reference of the SSH key, where the workflow has the key from elsewhere
}

// Migrate plans to make one step of those that install op, Ruby and Kamal, load
// secrets, start an agent and deploy. Everything else of the workflow stays as it
// is, byte for byte; what cannot be carried over is a problem or a note.
func Migrate(o check.Options, m MigrateOptions) (Plan, error) {
	plan := Plan{Command: "migrate"}
	t := newTree(o.Dir)
	name, err := deployingWorkflow(t, m.Workflow)
	if err != nil {
		return plan, err
	}
	f, err := t.read(name)
	if err != nil {
		return plan, err
	}
	if !f.exists || f.opaque {
		return plan, problem.Usagef("give the path of a workflow: kamal-op migrate .github/workflows/deploy.yml", "%s is not there", name)
	}
	w := workflow{plan: &plan, file: name, text: f.text, o: m, tree: t}
	if f.text, err = w.migrate(); err != nil {
		return plan, err
	}
	files := append([]*workFile{f}, w.callers...)
	e := editor{o: o, tree: t, plan: plan, files: files}
	return e.finish()
}

// deployingWorkflow is the workflow that runs Kamal.
func deployingWorkflow(t tree, given string) (string, error) {
	if given != "" {
		if page := pageOf(filepath.ToSlash(given)); page != "" {
			return "", notMigrated(given, page)
		}
		return filepath.ToSlash(given), nil
	}
	var found, undecided, done []string
	for _, name := range t.workflowNames() {
		f, err := t.read(name)
		switch {
		case err != nil || f.opaque:
		case len(deployingSteps(f.text)) > 0 || deploysElsewhere(f.text) > 0:
			found = append(found, name)
		case len(scriptsOf(f.text, (*script).mayDeploy)) > 0:
			undecided = append(undecided, name)
		case strings.Contains(f.text, oneStep):
			done = append(done, name)
		}
	}
	if len(found) == 0 {
		found = undecided
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", problem.Usagef("say which: kamal-op migrate "+found[0], "more than one workflow runs kamal: %s", strings.Join(found, ", "))
	case len(done) > 0:
		return done[0], nil
	}
	for _, name := range t.workflowNames() {
		if f, err := t.read(name); err == nil && !f.opaque {
			if by := t.deploysBeyond(withoutComments(f.text), 0); by != "" {
				return "", problem.Usagef("write the deploy into a step of "+name+" first, as run: kamal deploy, or use kamal-op there by hand",
					"%s deploys by way of %s, which is not migrated: only the steps of a workflow are", name, by)
			}
		}
	}
	for _, name := range t.workflowNames() {
		if f, err := t.read(name); err == nil && !f.opaque && deploysElsewhere(f.text) > 0 {
			return name, nil // which is told with the place
		}
	}
	if by := t.callsDeploy(); by != "" {
		return "", problem.Usagef("migrate it in the repository that has it", "%s calls a workflow of another repository, which is not migrated from here", by)
	}
	if by, _ := t.deploysAlready(""); by != "" {
		if page := pageOf(by); page != "" {
			return "", notMigrated(by, page)
		}
	}
	return "", problem.Usagef("give its path: kamal-op migrate FILE; kamal-op init writes one", "no workflow in %s runs kamal", workflowDir)
}

// deployingSteps are the scripts of a workflow that run kamal deploy.
func deployingSteps(text string) []*script { return scriptsOf(text, (*script).deploys) }

// scriptsOf are the scripts of a workflow that call kamal in some way.
func scriptsOf(text string, is func(*script) bool) []*script {
	var w struct {
		Jobs map[string]struct {
			Steps []struct{ Run string }
		}
	}
	if !strings.Contains(text, "kamal") {
		return nil
	}
	// Aliases without an end are none of the library's: it would read on.
	if _, _, err := parseWorkflow(text); err != nil || yaml.Unmarshal([]byte(text), &w) != nil {
		return nil
	}
	var all []*script
	for _, job := range w.Jobs {
		for _, step := range job.Steps {
			if s := parseScript(step.Run); strings.Contains(step.Run, "kamal") && is(s) {
				all = append(all, s)
			}
		}
	}
	return all
}

const oneStep = "kamal-op/kamal-op@"

var (
	outputOf  = lazy.Regexp(`^\s*\$\{\{\s*steps\.([\w-]+)\.outputs\.(\w+)\s*\}\}\s*$`)
	variable  = lazy.Regexp(`^\s*\$\{\{\s*env\.(\w+)\s*\}\}\s*$`)
	onlyKamal = lazy.Regexp(`^\s*(sudo )?gem install (kamal(:\S+)?|--no-document|--no-doc|-N|-v\s*\S+|--version[\s=]\S+|\s)+\s*$`)
	// pinnedKamal is the version in `gem install kamal`.
	pinnedKamal = lazy.Regexp(`\bkamal\b.*?(?:(?:-v|--version)[\s=]*["']?([\w.~>-]+)|kamal:([\w.]+))`)
)

// A workflow is one that is migrated, its jobs one after the other.
type workflow struct {
	plan  *Plan
	file  string
	text  string
	lines []string
	o     MigrateOptions
	tree  tree
	root  ast.Node
	*aliases
	removed []lineRange

	token    string   // the expression of the service account's token
	newToken bool     // that no workflow has used before
	key      string   // references, one a line
	hostKeys []string // what the job wrote into known_hosts
	declared []string // NAME=reference, of one step
	loaded   map[string]string
	job      ast.Node
	agents   map[int]agentScript // of the job's steps
	lost     bool                // an agent has a key that is none of 1Password's
	within   lineRange           // the lines of the job

	keepsToken bool        // in the job's environment, for a step that stays
	callers    []*workFile // workflows that call this one
}

func (w *workflow) refuse(line int, hint, format string, args ...any) error {
	return refuseIn(w.file, line, hint, format, args...)
}

// migrate gives the new text.
func (w *workflow) migrate() (string, error) {
	if yamlfile.LoneCR(w.text) {
		return "", w.refuse(0, "end its lines with LF alone, or with CR LF", "%s has a carriage return within a line", w.file)
	}
	root, shared, err := parseWorkflow(w.text)
	var alias *aliasError
	if errors.As(err, &alias) {
		return "", w.refuse(alias.line, alias.hint, "%s", alias.text)
	}
	if err != nil || root == nil {
		return "", w.refuse(0, "GitHub would not take it either", "%s is not YAML", w.file)
	}
	w.root, w.aliases, w.lines = root, shared, strings.SplitAfter(w.text, "\n")
	migrated, certain := false, len(deployingSteps(w.text)) > 0
	// The last job first: what is changed below leaves the lines above alone.
	jobs := yamlfile.Child(root, "jobs")
	for _, job := range slices.Backward(yamlfile.Pairs(jobs)) {
		steps, err := w.stepsOf(job.Value)
		if err != nil {
			return "", err
		}
		if name := job.Key.GetToken().Value; w.isAlias(jobs, name) || w.isAlias(job.Value, "steps") {
			if slices.ContainsFunc(steps, func(s workflowStep) bool { return parseScript(s.Run).deploys() }) {
				return "", w.refuse(job.Key.GetToken().Position.Line, "write its steps out", "the steps of the job %s are an alias of another job's", name)
			}
			continue
		}
		deploying := map[int]bool{}
		for i, s := range steps {
			if !strings.Contains(s.Run, "kamal") {
				continue
			}
			switch script := parseScript(s.Run); {
			case script.deploys():
			case !script.mayDeploy():
				continue
			case certain:
				w.plan.note("%s:%d: which command of kamal this step runs is not known: it stays as it is", w.file, s.from+1)
				continue
			}
			if err := w.changeable(s); err != nil {
				return "", err
			}
			if s.flow {
				return "", w.refuse(s.from+1, "write it in lines of its own: run: kamal deploy", "the step that runs kamal is written in braces")
			}
			deploying[i] = true
		}
		if len(deploying) == 0 {
			continue
		}
		migrated = true
		w.within = lineRange{job.Key.GetToken().Position.Line - 1, endOfValue(w.lines, job)}
		if err := w.migrateJob(job.Value, steps, deploying); err != nil {
			return "", err
		}
	}
	if !migrated {
		return w.nothing()
	}
	if err := w.anchorsStay(); err != nil {
		return "", err
	}
	text := strings.Join(w.lines, "")
	if text, err = w.declareCalled(text); err != nil {
		return "", err
	}
	if _, _, err := parseWorkflow(text); err != nil {
		return "", w.refuse(0, "migrate it by hand", "%s is written in a way that cannot be changed here", w.file)
	}
	return text, nil
}

// nothing is a workflow in which no step is migrated: it is one already, or the reason
// is told.
func (w *workflow) nothing() (string, error) {
	if strings.Contains(w.text, oneStep) {
		w.plan.note("%s has the one step already", w.file)
		return w.text, nil
	}
	if yamlfile.Child(w.root, "runs") != nil {
		return "", w.refuse(0, "write the deploy into a step of the workflow that uses it, as run: kamal deploy", "%s is an action and no workflow: only the steps of a workflow are migrated", w.file)
	}
	if line := deploysElsewhere(w.text); line > 0 {
		return "", w.refuse(line, "write it as a step with run: kamal deploy first",
			"the deploy stands in no step's run that can be read here: an action's input, an anchor, or a container of Kamal's")
	}
	return "", w.refuse(0, "such as a step with run: kamal deploy; kamal-op init writes a workflow", "%s has no step that runs kamal deploy", w.file)
}

// deploysElsewhere is the line in which a workflow deploys otherwise than by the
// script of a step, as an action's input or in a container of Kamal's; 0 for none.
func deploysElsewhere(text string) int {
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && deployedBy().MatchString(line) && !named().MatchString(line) {
			return i + 1
		}
	}
	return 0
}

var (
	deployedBy = lazy.Regexp(`(?:^|[\s/"'])kamal(?::\S+)?["']?\s(?:[^#\n]*\s)?(?:deploy|redeploy|setup)\b`)
	named      = lazy.Regexp(`^\s*(?:-\s+)?(?:run:\s*["']?)?(?:name|id|group|description|if|echo)\b`)
)

// migrateJob changes the steps of one job.
func (w *workflow) migrateJob(job ast.Node, steps []workflowStep, deploying map[int]bool) error {
	w.job, w.token, w.newToken, w.key, w.hostKeys, w.loaded, w.keepsToken = job, "", false, "", nil, map[string]string{}, false
	if err := w.runnable(job, steps, deploying); err != nil {
		return err
	}
	for _, s := range steps {
		if action, _, _ := strings.Cut(s.Uses, "@"); action == loadAction && !s.flow {
			w.load(s)
		}
	}
	w.agents = w.agentScripts(steps)
	if err := w.agentKeys(steps, deploying, w.agents); err != nil {
		return err
	}
	gone := map[int]bool{}
	needs := w.needs(steps, deploying, w.agents, gone)
	w.goneSteps(steps, deploying, needs, gone)
	w.takeToken(job, steps)
	w.noteAgents(steps, deploying, gone, w.agents, needs)
	w.runnerHad(steps, deploying)
	changed := map[int][]string{}
	var all []string
	for i, s := range steps {
		if !deploying[i] {
			continue
		}
		lines, err := w.step(s, steps[:i], w.agents[i])
		if err != nil {
			return err
		}
		changed[i] = lines
		all = append(all, lines...)
	}
	w.keepLoading(steps, deploying, gone, all)
	w.keepsToken = w.keepsToken || needs.op
	for i, s := range slices.Backward(steps) {
		switch {
		case deploying[i]:
			w.lines = slices.Replace(w.lines, s.from, s.to, changed[i]...)
		case gone[i]:
			w.lines = slices.Delete(w.lines, s.from, s.to)
			w.removed = append(w.removed, lineRange{s.from, s.to})
		}
	}
	return w.dropToken(job)
}

// runnable refuses a job whose steps a container of the action's could not join.
func (w *workflow) runnable(job ast.Node, steps []workflowStep, deploying map[int]bool) error {
	on := strings.ToLower(fmt.Sprint(yamlfile.Child(job, "runs-on")))
	for i, s := range steps {
		if !deploying[i] {
			continue
		}
		if strings.Contains(on, "macos") || strings.Contains(on, "windows") {
			return w.refuse(s.from+1, "let the job run on Linux: runs-on: ubuntu-latest", "the action is a container, which %s cannot run", on)
		}
		shell, _, _ := strings.Cut(w.inherited(s, "shell"), " ")
		if shell = path.Base(shell); shell != "." && shell != "bash" && shell != "sh" {
			return w.refuse(s.from+1, "let the step run kamal in bash first", "the step that runs kamal has %s as its shell", shell)
		}
	}
	return nil
}

// inherited is what a run: step has of its own or of defaults.run, of the job or the
// workflow: a step that uses an action inherits neither.
func (w *workflow) inherited(s workflowStep, key string) string {
	for _, n := range []ast.Node{s.node, yamlfile.Child(yamlfile.Child(w.job, "defaults"), "run"), yamlfile.Child(yamlfile.Child(w.root, "defaults"), "run")} {
		if v := yamlfile.Child(n, key); v != nil {
			return scalarText(v)
		}
	}
	return ""
}

// goneSteps are the steps that the one takes the place of.
func (w *workflow) goneSteps(steps []workflowStep, deploying map[int]bool, needs stepNeeds, gone map[int]bool) {
	others := false // steps that may need Ruby
	for i, s := range steps {
		action, _, _ := strings.Cut(s.Uses, "@")
		switch {
		case deploying[i], gone[i]:
		case s.flow:
			others = others || s.Run != ""
		case isCLI(s):
			gone[i] = !needs.op
		case action == loadAction:
			gone[i] = true // unless another step needs it, see keepLoading
		case action == agentAction:
			if gone[i] = !needs.ssh; needs.ssh {
				w.plan.note("%s:%d: the agent stays for the other steps of the job: kamal-op has its own", w.file, s.from+1)
			} else if needs.scripts {
				w.plan.note("%s:%d: no agent runs any more for the other steps of the job", w.file, s.from+1)
			}
		case isKamalAlone(s):
			if m := pinnedKamal().FindStringSubmatch(s.Run); m != nil {
				w.notePinned(s.from+1, m[1]+m[2])
			}
			gone[i] = !needs.kamal
		case s.Run != "":
			others = true
		}
	}
	for i, s := range steps {
		if action, _, _ := strings.Cut(s.Uses, "@"); action == "ruby/setup-ruby" && !s.flow {
			if gone[i] = !others; others {
				w.plan.note("%s:%d: Ruby stays for the other steps of the job: kamal-op brings its own", w.file, s.from+1)
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
