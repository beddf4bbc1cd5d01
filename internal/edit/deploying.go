package edit

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// otherCI are the files of other systems that deploy.
var otherCI = [...]string{".gitlab-ci.yml", "bitbucket-pipelines.yml", ".circleci/config.yml", ".buildkite/pipeline.yml", "Jenkinsfile", ".drone.yml", ".woodpecker.yml", ".semaphore/semaphore.yml", "azure-pipelines.yml"}

var (
	usesKamal  = lazy.Regexp(`(?m)^\s*-?\s*uses:\s*["']?(\S*kamal\S*)`)
	usesLocal  = lazy.Regexp(`(?m)^\s*-?\s*uses:\s*["']?\./(\S+)`)
	makeTarget = lazy.Regexp(`\b(make|just|rake|task)\s+[\w:.-]+`)
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
		if err == nil && (deploys().MatchString(withoutComments(string(text))) || strings.Contains(withoutComments(string(text)), "kamal-op deploy")) {
			return t.prefix() + name, false
		}
	}
	return "", false
}

// remoteDeploy is a call of another repository's workflow that has deploying in its
// name, and no documentation.
var remoteDeploy = lazy.Regexp(`(?m)^ +uses:\s*["']?[\w.-]+/[\w.-]+/\.github/workflows/(?:[\w.-]*[_.-])?(?:deploy|ship)(?:[_.-](?:app|prod\w*|kamal|server|rails|web|service|staging))?\.ya?ml@`)

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
	if len(scriptsOf(text, (*script).mayDeploy)) == 0 && !deploys().MatchString(plain) && !usesKamal().MatchString(plain) && !strings.Contains(plain, "kamal-op deploy") {
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
			case parseScript(run).mayDeploy() || deploys().MatchString(run) || strings.Contains(run, "kamal-op deploy"):
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
	var names []string
	for _, m := range usesLocal().FindAllStringSubmatch(text, -1) {
		name := strings.TrimRight(m[1], `"'`)
		names = append(names, name, name+"/action.yml", name+"/action.yaml")
	}
	for _, m := range fileInRepo().FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	if makeTarget().MatchString(text) {
		names = append(names, "Makefile", "justfile", "Rakefile", "Taskfile.yml")
	}
	for _, name := range names {
		for _, dir := range []string{t.top, t.dir} {
			at := filepath.Join(dir, filepath.FromSlash(name))
			info, err := os.Stat(at)
			if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
				continue
			}
			inner, err := os.ReadFile(at)
			plain := withoutComments(string(inner))
			if err == nil && (deploys().MatchString(plain) || usesKamal().MatchString(plain) || path.Ext(name) != ".md" && t.deploysBeyond(plain, depth+1) != "") {
				return name
			}
			break
		}
	}
	return ""
}
