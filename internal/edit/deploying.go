package edit

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// otherCI are the files of other systems that deploy.
var otherCI = [...]string{".gitlab-ci.yml", "bitbucket-pipelines.yml", ".circleci/config.yml", ".buildkite/pipeline.yml", "Jenkinsfile", ".drone.yml", ".woodpecker.yml", ".semaphore/semaphore.yml", "azure-pipelines.yml"}

var (
	usesKamal = lazy.Regexp(`(?m)^\s*-?\s*uses:\s*["']?(\S*kamal\S*)`)
	usesLocal = lazy.Regexp(`(?m)^\s*-?\s*uses:\s*["']?\./(\S+)`)
	// task is a program that runs what a file of the project has under a name.
	task = lazy.Regexp(`\b(make|just|rake|rails|task|mise|npm|yarn|pnpm|bun)\s+(?:run\s+)?([\w:.-]+)`)
	// inCode is a deploy as a program in Ruby or JavaScript starts it: system("kamal", "deploy").
	inCode = lazy.Regexp(`["']\S*\bkamal["'],\s*["'](?:deploy|setup|redeploy)["']`)
	// containerOfKamal is a deploy by Kamal's own image.
	containerOfKamal = lazy.Regexp(`\bdocker\s(?:[^#\n]|\\\n)*/kamal(?::\S+)?["']?\s(?:[^#\n]*\s)?(?:deploy|redeploy|setup)\b`)
	// givenConfig is the configuration that a command names.
	givenConfig = lazy.Regexp(`\s(?:-c|--config-file)[ =]?["']?([\w./-]+)`)
	fileInRepo  = lazy.Regexp(`(?:^|[\s"'=])(?:\./)?((?:[\w.-]+/)+[\w.-]+|[\w-]+\.sh)`)
)

// deploysAlready is the file of the repository that deploys the project already, by
// kamal-op, by Kamal, by an action or a script that runs it, and whether that is
// known to be by kamal-op; "" where none does.
func (t tree) deploysAlready(config string) (file string, ours bool) {
	for _, name := range t.workflowNames() {
		f, err := t.read(name)
		if err != nil || f.opaque {
			continue
		}
		if t.deploysHere(f.text, config) {
			return name, strings.Contains(f.text, oneStep)
		}
	}
	for _, name := range otherCI {
		text, err := os.ReadFile(filepath.Join(t.top, filepath.FromSlash(name)))
		plain := withoutComments(string(text))
		if err == nil && (deploys().MatchString(plain) || undecided().MatchString(plain) || strings.Contains(plain, "kamal-op deploy")) {
			return t.prefix() + name, false
		}
	}
	return "", false
}

// remoteDeploy is a call of another repository's workflow that has deploying in its
// name, and no documentation.
var remoteDeploy = lazy.Regexp(`(?m)^ +uses:\s*["']?[\w.-]+/[\w.-]+/\.github/workflows/(?:[\w.-]*[_.-])?(?:deploy|ship)(?:[_.-](?:app|prod\w*|kamal|server|rails|web|service|staging))?\.ya?ml@`)

// ownPreviews are kamal-op's workflows to call that deploy or remove previews alone.
var ownPreviews = lazy.Regexp(`^kamal-op/kamal-op/\.github/workflows/(?:review|sweep)\.yml@`)

// callsDeploy is the workflow that calls one of another repository which deploys, as
// far as its name says; "" where none does.
func (t tree) callsDeploy() string {
	for _, name := range t.workflowNames() {
		if f, err := t.read(name); err == nil && !f.opaque && remoteDeploy().MatchString(withoutComments(f.text)) {
			return name
		}
	}
	return ""
}

// deploysHere tells whether a workflow deploys this project. One of a repository
// with several projects deploys those whose directory it names, and of several
// services in one those whose configuration it names.
func (t tree) deploysHere(text, config string) bool {
	plain := withoutComments(text)
	if len(scriptsOf(text, (*script).mayDeploy)) == 0 && len(deployingSteps(text)) == 0 && deploysElsewhere(text) == 0 && !usesKamal().MatchString(plain) && !strings.Contains(plain, "kamal-op deploy") {
		return t.deploysBeyond(plain, 0) != ""
	}
	root, _, err := parseWorkflow(text)
	if err != nil || root == nil {
		return true
	}
	w := workflow{root: root}
	seen := false
	for _, job := range yamlfile.Pairs(yamlfile.Child(root, "jobs")) {
		w.job = job.Value
		if uses := scalarText(yamlfile.Child(job.Value, "uses")); ownPreviews().MatchString(uses) {
			seen = true
			continue // no deploy of production
		}
		list, ok := yamlfile.Child(job.Value, "steps").(*ast.SequenceNode)
		if !ok {
			continue
		}
		for _, v := range list.Values {
			step, ok := v.(*ast.MappingNode)
			if !ok {
				continue
			}
			run, uses := scalarText(yamlfile.Child(step, "run")), scalarText(yamlfile.Child(step, "uses"))
			var dir, other string
			switch {
			case strings.Contains(uses, "kamal"):
				if command := scalarText(yamlfile.Child(yamlfile.Child(step, "with"), "command")); strings.Contains(uses, oneStep) && (command == "review" || command == "check" || command == "verify") {
					seen = true
					continue // no deploy of production
				}
				dir = scalarText(yamlfile.Child(yamlfile.Child(step, "with"), "working-directory"))
				other = scalarText(yamlfile.Child(yamlfile.Child(step, "with"), "config-file"))
			case parseScript(run).mayDeploy() || parseScript(run).deploys() || containerOfKamal().MatchString(run) || strings.Contains(run, "kamal-op deploy"):
				dir = w.inherited(workflowStep{node: step}, "working-directory")
				if m := givenConfig().FindAllStringSubmatch(run, -1); len(m) == 1 && len(deploys().FindAllString(run, -1)) == 1 {
					other = m[0][1]
				}
				call, err := parseScript(run).understand(func(string) (string, error) { return "", errUnknown })
				if err == nil && call.directory != "" {
					dir = joinDirectory(dir, call.directory)
				}
			default:
				continue
			}
			seen = true
			if other = strings.TrimPrefix(other, "./"); other != "" && other != orElse(config, kamal.DefaultConfigFile) && !strings.Contains(other, "$") {
				continue // another service
			}
			if strings.Contains(dir, "${{") || strings.Trim(path.Clean(dir), "./") == strings.Trim(t.within(), "./") {
				return true
			}
		}
	}
	return !seen
}

// deploysBeyond is the file that a workflow calls and that deploys: a script of the
// repository, its own action, a Makefile. "" where there is none.
func (t tree) deploysBeyond(text string, depth int) string {
	if depth > 3 {
		return ""
	}
	type called struct{ name, task string }
	var all []called
	add := func(names ...string) {
		for _, name := range names {
			all = append(all, called{name, ""})
		}
	}
	for _, m := range usesLocal().FindAllStringSubmatch(text, -1) {
		name := strings.TrimRight(m[1], `"'`)
		add(name, name+"/action.yml", name+"/action.yaml")
	}
	for _, m := range fileInRepo().FindAllStringSubmatch(text, -1) {
		add(m[1])
	}
	for _, m := range task().FindAllStringSubmatch(text, -1) {
		for _, name := range t.taskFiles(m[1]) {
			all = append(all, called{name, m[2]})
		}
	}
	for _, c := range all {
		for _, dir := range []string{t.top, t.dir} {
			at := filepath.Join(dir, filepath.FromSlash(c.name))
			info, err := os.Stat(at)
			if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
				continue
			}
			inner, err := os.ReadFile(at)
			plain := ofTask(withoutComments(string(inner)), c.task)
			if err == nil && (deploys().MatchString(plain) || inCode().MatchString(plain) || containerOfKamal().MatchString(plain) || usesKamal().MatchString(plain) ||
				path.Ext(c.name) != ".md" && t.deploysBeyond(plain, depth+1) != "") {
				return c.name
			}
			break
		}
	}
	return ""
}

// deployTask is the name of a task that may well deploy by way of others.
var deployTask = lazy.Regexp(`(?i)deploy|release|ship|kamal|prod|staging|publish|live`)

// ofTask is what of a file of tasks runs under a name: the lines that begin with it
// and those that are further in. All of it where the name is one of deploying.
func ofTask(text, name string) string {
	if name == "" || deployTask().MatchString(name) {
		return text
	}
	begins := regexp.MustCompile(`^\s*(?:\[tasks\.)?["']?` + regexp.QuoteMeta(name) + `["']?\s*[:=\]]`)
	var b strings.Builder
	inside := -1 // how far in the task begins
	for line := range strings.Lines(text) {
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		switch {
		case begins.MatchString(line):
			inside = indent
		case strings.TrimSpace(line) == "":
			continue
		case indent <= inside && !(strings.HasPrefix(strings.TrimSpace(line), "run") && inside == 0):
			inside = -1 // of TOML the keys are no further in
		}
		if inside >= 0 {
			b.WriteString(line)
		}
	}
	return b.String()
}

// taskFiles are the files that have what a program runs by name.
func (t tree) taskFiles(program string) []string {
	switch program {
	case "make":
		return []string{"Makefile", "makefile", "GNUmakefile"}
	case "just":
		return []string{"justfile", "Justfile", ".justfile"}
	case "task":
		return []string{"Taskfile.yml", "Taskfile.yaml"}
	case "mise":
		return []string{"mise.toml", ".mise.toml", "mise/config.toml", ".config/mise.toml"}
	case "npm", "yarn", "pnpm", "bun":
		return []string{"package.json"}
	}
	names := []string{"Rakefile"}
	for _, dir := range []string{t.top, t.dir} {
		found, _ := filepath.Glob(filepath.Join(dir, "lib", "tasks", "*.rake")) // the pattern is well-formed
		for _, name := range found {
			names = append(names, "lib/tasks/"+filepath.Base(name))
		}
	}
	return names
}
