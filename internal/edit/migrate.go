package edit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

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

	// Share moves what holds for the project into the project file.
	Share bool
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
	ci := GitHub
	switch {
	case strings.Contains("/"+name, "/.circleci/"):
		ci = CircleCI
		f.text, err = w.migrateCircle()
	case t.isGitlab(name):
		ci = GitLab
		f.text, err = w.migrateGitlab()
	default:
		f.text, err = w.migrate()
	}
	if err != nil {
		return plan, err
	}
	e := editor{o: o, tree: t, plan: plan, files: append([]*workFile{f}, w.callers...)}
	if m.Share && f.text != f.old {
		if err := e.share(f, ci); err != nil {
			return plan, err
		}
	}
	return e.finish()
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

	token    string // the expression of the service account's token
	newToken bool   // that no workflow has used before
	connect  connectServer
	key      string   // references, one a line
	hostKeys []string // what the job wrote into known_hosts
	declared []string // NAME=reference, of one step
	loaded   map[string]string
	job      ast.Node
	agents   map[int]agentScript // of the job's steps
	lost     bool                // an agent has a key that is none of 1Password's
	within   lineRange           // the lines of the job

	undecided []int // lines of GitLab's or CircleCI's jobs that run a command of kamal that is not known

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
		deploying, err := w.deployingOf(steps, certain)
		if err != nil {
			return "", err
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

// deployingOf are the steps that run kamal deploy. Where certain is false, those count
// whose command is decided when they run.
func (w *workflow) deployingOf(steps []workflowStep, certain bool) (map[int]bool, error) {
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
			return nil, err
		}
		if s.flow {
			return nil, w.refuse(s.from+1, "write it in lines of its own: run: kamal deploy", "the step that runs kamal is written in braces")
		}
		deploying[i] = true
	}
	return deploying, nil
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
