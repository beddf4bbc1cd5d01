package edit

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
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
	name, err := deployingWorkflow(o.Dir, m.Workflow)
	if err != nil {
		return plan, err
	}
	t := newTree(o.Dir)
	f, err := t.read(name)
	if err != nil {
		return plan, err
	}
	if !f.exists {
		return plan, problem.Usagef("give the path of a workflow: kamal-op migrate .github/workflows/deploy.yml", "%s is not there", name)
	}
	w := workflow{plan: &plan, file: name, text: f.text, o: m}
	if f.text, err = w.migrate(); err != nil {
		return plan, err
	}
	e := editor{o: o, tree: t, plan: plan, files: []*workFile{f}}
	return e.finish()
}

// deployingWorkflow is the workflow that runs Kamal.
func deployingWorkflow(dir, given string) (string, error) {
	if given != "" {
		return filepath.ToSlash(given), nil
	}
	var found, done []string
	for _, pattern := range []string{"*.yml", "*.yaml"} {
		names, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(workflowDir), pattern))
		for _, name := range names {
			text, err := os.ReadFile(name)
			switch {
			case err != nil:
			case kamalLine().Match(text):
				found = append(found, path.Join(workflowDir, filepath.Base(name)))
			case strings.Contains(string(text), oneStep):
				done = append(done, path.Join(workflowDir, filepath.Base(name)))
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", problem.Usagef("say which: kamal-op migrate "+found[0], "more than one workflow runs kamal: %s", strings.Join(found, ", "))
	case len(done) > 0:
		return done[0], nil
	}
	return "", problem.Usagef("give its path: kamal-op migrate FILE; kamal-op init writes one", "no workflow in %s runs kamal", workflowDir)
}

const oneStep = "kamal-op/kamal-op@"

var (
	// kamalLine is a line of a script that deploys.
	kamalLine = lazy.Regexp(`(?m)^[\s-]*(?:run:\s*)?(?:bundle exec |\./)?(?:bin/)?kamal (deploy|setup|redeploy)\b([^\n&|;]*)$`)
	outputOf  = lazy.Regexp(`^\s*\$\{\{\s*steps\.([\w-]+)\.outputs\.(\w+)\s*\}\}\s*$`)
	variable  = lazy.Regexp(`^\s*\$\{\{\s*env\.(\w+)\s*\}\}\s*$`)
	// expression is a value that is one name in GitHub's contexts, such as
	// secrets.SSH_KEY: no literal in it, nor anything beside it.
	expression = lazy.Regexp(`^\s*\$\{\{\s*[\w.-]+\s*\}\}\s*$`)
	onlyKamal  = lazy.Regexp(`^\s*(sudo )?gem install (kamal|--no-document|-N|-v\s*\S+|--version\s*\S+|\s)+\s*$`)
)

type workflow struct {
	plan  *Plan
	file  string
	text  string
	lines []string
	o     MigrateOptions

	token    string            // the expression of the service account's token
	key      string            // reference
	declared []string          // NAME=reference
	loaded   map[string]string // id.NAME or NAME: reference

	keepsToken bool // in the job's environment, for a step that stays
}

func (w *workflow) refuse(line int, hint, format string, args ...any) error {
	p := problem.Newf(format, args...)
	p.Hint = hint
	return p.At(w.file, line, 0)
}

// migrate gives the new text.
func (w *workflow) migrate() (string, error) {
	file, err := parser.ParseBytes([]byte(strings.ReplaceAll(w.text, "\r\n", "\n")), 0)
	if err != nil || len(file.Docs) == 0 {
		return "", w.refuse(0, "GitHub would not take it either", "%s is not YAML", w.file)
	}
	w.lines = strings.SplitAfter(w.text, "\n")
	w.loaded = map[string]string{}
	migrated := false
	// The last job first: what is changed below leaves the lines above alone.
	jobs := mappingOf(child(file.Docs[0].Body, "jobs"))
	for _, job := range slices.Backward(jobs) {
		steps, err := w.stepsOf(job.Value)
		if err != nil {
			return "", err
		}
		deploying := -1
		for i, s := range steps {
			if kamalLine().MatchString(s.Run) {
				if s.flow {
					return "", w.refuse(s.from+1, "write it in lines of its own: run: kamal deploy", "the step that runs kamal is written in braces")
				}
				if deploying >= 0 {
					return "", w.refuse(s.from+1, "keep one, or migrate them by hand", "the job %s runs kamal in more than one step", job.Key)
				}
				deploying = i
			}
		}
		if deploying < 0 {
			continue
		}
		if migrated {
			return "", w.refuse(steps[deploying].from+1, "migrate them by hand, one after the other", "more than one job runs kamal")
		}
		migrated = true
		if err := w.job(job.Value, steps, deploying); err != nil {
			return "", err
		}
	}
	if !migrated {
		if strings.Contains(w.text, oneStep) {
			w.plan.note("%s has the one step already", w.file)
			return w.text, nil
		}
		return "", w.refuse(0, "such as a step with run: kamal deploy; kamal-op init writes a workflow", "%s has no step that runs kamal deploy", w.file)
	}
	text := strings.Join(w.lines, "")
	if _, err := parser.ParseBytes([]byte(strings.ReplaceAll(text, "\r\n", "\n")), 0); err != nil {
		return "", w.refuse(0, "migrate it by hand", "%s is written in a way that cannot be changed here", w.file)
	}
	return text, nil
}

// job changes the steps of one job.
func (w *workflow) job(job ast.Node, steps []workflowStep, deploying int) error {
	gone := map[int]bool{}
	needs := needsOf(steps, deploying)
	others := false // steps that may need Ruby
	for i, s := range steps {
		action, _, _ := strings.Cut(s.Uses, "@")
		switch {
		case i == deploying:
		case s.flow:
			others = others || s.Run != ""
		case isCLI(s):
			gone[i] = !needs.op
		case action == loadAction:
			gone[i] = true // unless another step needs it, see keepLoading
			w.load(s)
		case action == agentAction:
			if gone[i] = !needs.ssh; needs.ssh {
				w.plan.note("%s:%d: the agent stays for the other steps of the job: kamal-op has its own", w.file, s.from+1)
			} else if needs.scripts {
				w.plan.note("%s:%d: no agent runs any more for the other steps of the job", w.file, s.from+1)
			}
		case isKamalAlone(s):
			gone[i] = !needs.kamal
		case s.Run != "" && strings.Contains(s.Run, "ssh-keyscan"):
			w.plan.note("%s:%d: ssh-keyscan takes whatever key answers: kamal-op has known hosts of its own for the run", w.file, s.from+1)
			others = true
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
		if strings.HasPrefix(s.Uses, agentAction+"@") {
			if err := w.sshKey(s); err != nil {
				return err
			}
		}
	}
	if w.o.SSHKey != "" {
		ref, err := onepassword.ParseReference(w.o.SSHKey)
		if err != nil {
			return err
		}
		w.key = ref.String()
	}
	w.takeToken(job, steps)
	step := steps[deploying]
	lines, err := w.step(step)
	if err != nil {
		return err
	}
	w.keepLoading(steps, deploying, gone, lines)
	w.keepsToken = w.keepsToken || needs.op
	for i, s := range slices.Backward(steps) {
		switch {
		case i == deploying:
			w.lines = slices.Replace(w.lines, s.from, s.to, lines...)
		case gone[i]:
			w.lines = slices.Delete(w.lines, s.from, s.to)
		}
	}
	return w.dropToken(job)
}

// takeToken finds the token of the service account in the environment.
func (w *workflow) takeToken(job ast.Node, steps []workflowStep) {
	for _, env := range []ast.Node{child(job, "env")} {
		for _, v := range mappingOf(env) {
			if v.Key.String() == "OP_SERVICE_ACCOUNT_TOKEN" && w.token == "" {
				w.token = v.Value.String()
			}
		}
	}
	for _, s := range steps {
		if v, ok := s.Env["OP_SERVICE_ACCOUNT_TOKEN"]; ok && w.token == "" {
			w.token = fmt.Sprint(v)
		}
	}
	if w.token == "" {
		w.token = "${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}"
	}
}

// dropToken takes the token out of the job's environment, where no step of it
// could need it any more.
func (w *workflow) dropToken(job ast.Node) error {
	env := child(job, "env")
	values := mappingOf(env)
	for _, v := range values {
		if v.Key.String() != "OP_SERVICE_ACCOUNT_TOKEN" {
			continue
		}
		line := v.Key.GetToken().Position.Line - 1
		if w.keepsToken {
			w.plan.note("%s:%d: the token stays in the job's environment, for the steps that ask 1Password themselves", w.file, line+1)
			return nil
		}
		from := line
		if len(values) == 1 {
			for _, j := range mappingOf(job) {
				if j.Key.String() == "env" && j.Key.GetToken().Position.Line-1 < line {
					from = j.Key.GetToken().Position.Line - 1
				}
			}
		}
		if line >= len(w.lines) || !strings.HasPrefix(strings.TrimSpace(w.lines[line]), "OP_SERVICE_ACCOUNT_TOKEN") {
			w.plan.note("%s:%d: the token stays in the job's environment", w.file, line+1)
			return nil
		}
		w.lines = slices.Delete(w.lines, from, line+1)
	}
	return nil
}

// beginsKey tells whether a key of a mapping begins in a line.
func beginsKey(n *ast.MappingNode, line int) bool {
	return slices.ContainsFunc(n.Values, func(v *ast.MappingValueNode) bool { return v.Key.GetToken().Position.Line-1 == line })
}

func child(n ast.Node, key string) ast.Node {
	for _, v := range mappingOf(n) {
		if v.Key.String() == key {
			return v.Value
		}
	}
	return nil
}

func mappingOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
