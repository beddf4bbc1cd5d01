package check

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A WorkflowJob is a job of a GitHub workflow that calls kamal-op, as its file has it.
type WorkflowJob struct {
	Name  string
	Place problem.Place
	// Events are those that start the workflow.
	Events []string
	// Permissions are those that the job or its workflow says, by scope; nil where neither
	// says any. "*" is all scopes.
	Permissions map[string]string
	// Environment of GitHub's, "" for none; one that an expression names is not known.
	Environment string
	// Commands of kamal-op's, each with those of its options that ask more of GitHub, such
	// as "watch --issue".
	Commands []string
	// Head is that it checks out what a pull request or another workflow's run brings.
	Head bool
	// Own is that its condition lets in what is of this repository alone, no fork's.
	Own bool
	// Asks is the command of kamal-op's own workflow that it calls, "" where it calls none:
	// GitHub starts no such workflow with fewer permissions than it asks for.
	Asks string
	// Token is that it hands such a workflow a token of 1Password's.
	Token bool
	// Unread is a workflow of another repository that it calls, and that may deploy: what
	// it does is not known.
	Unread string
	// Unfollowed is that its call is not followed, since so many have been; so it is with
	// others behind it. Nothing else of the job is told then.
	Unfollowed bool

	gives func(option string) bool // whether the project's file gives an option
	// brings is that an input names a fork's commit: one that its workflow is handed, and
	// then one that it hands to the workflow that it calls.
	brings bool
}

// Options of the project's file too that ask more of GitHub: by the one it is told of
// deploys, by the other a project has previews.
const (
	GitHubEnvironment = "github-environment"
	ReviewHost        = "review-host"
)

// WorkflowJobs are the jobs that call kamal-op in the GitHub workflows of a project, or of
// the repository that it is in. gives tells whether the project's file gives an option.
func WorkflowJobs(dir string, gives func(option string) bool) []WorkflowJob {
	root := repositoryRoot(dir)
	if root == "" {
		root = dir
	}
	r := workflowReader{docs: map[string][]ast.Node{}, read: map[string]bool{}, gives: gives}
	var names []string
	for _, pattern := range []string{"*.yml", "*.yaml"} {
		files, _ := filepath.Glob(filepath.Join(root, ".github/workflows", pattern)) // the pattern is right
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil || len(text) > maxDeployFile {
				continue // GitHub has it, or nobody
			}
			file, err := yamlfile.Parse(string(text), true)
			if err != nil {
				continue
			}
			shown := ".github/workflows/" + filepath.Base(name)
			names = append(names, shown)
			for _, doc := range file.Docs {
				r.docs[shown] = append(r.docs[shown], yamlfile.Unaliased(doc.Body))
			}
		}
	}
	for _, name := range names {
		if !r.onlyCalled(name) {
			r.file(name, nil, nil)
		}
	}
	for _, name := range names {
		if !r.read[name] {
			r.file(name, nil, nil) // another repository's call it, or nobody
		}
	}
	if r.first != nil {
		r.jobs = append(r.jobs, *r.first)
	}
	return r.jobs
}

// namesOf are the names that a scalar, a list or a mapping has.
func namesOf(n ast.Node) (names []string) {
	if list, ok := n.(*ast.SequenceNode); ok {
		for _, v := range list.Values {
			names = append(names, scalarOf(v))
		}
		return names
	}
	if name := scalarOf(n); name != "" {
		return []string{name}
	}
	for _, pair := range yamlfile.Pairs(n) {
		names = append(names, pair.Key.GetToken().Value)
	}
	return names
}

// permissionsOf are permissions as a workflow says them, nil where it says none.
func permissionsOf(n ast.Node) map[string]string {
	if n == nil {
		return nil
	}
	all := map[string]string{}
	if level, ok := strings.CutSuffix(scalarOf(n), "-all"); ok {
		all["*"] = level
	}
	for _, pair := range yamlfile.Pairs(n) {
		all[pair.Key.GetToken().Value] = scalarOf(pair.Value)
	}
	return all
}

// environmentName is a name that stands there as it is.
var environmentName = lazy.Regexp(`^[A-Za-z0-9 _.-]+$`)

func environmentOf(n ast.Node) string {
	name := scalarOf(n)
	if name == "" {
		name = scalarOf(valueOf(yamlfile.Pairs(n), "name"))
	}
	if !environmentName().MatchString(name) {
		return "" // an expression's
	}
	return name
}
