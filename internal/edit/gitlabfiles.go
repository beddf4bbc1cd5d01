package edit

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/check"
)

// gitlabNames are .gitlab-ci.yml and the files of the repository that it includes, seen
// from its root.
func (t tree) gitlabNames() []string {
	return append([]string{gitlabFile}, check.GitlabIncluded(t.top)...)
}

// gitlabOthers are the trees of the files that are read together with one, without it.
func (t tree) gitlabOthers(name string) (roots []ast.Node, unread bool) {
	for _, other := range t.gitlabNames() {
		f, err := t.read(t.prefix() + other)
		if err != nil || f.opaque || !f.exists {
			continue
		}
		root, _, err := parseWorkflow(f.text)
		if err != nil || root == nil {
			continue // which is told where it is migrated
		}
		_, others := check.IncludedBy(root)
		unread = unread || others
		if t.prefix()+other != name {
			roots = append(roots, root)
		}
	}
	return roots, unread
}

// isGitlab tells whether a file is one of GitLab's.
func (t tree) isGitlab(name string) bool {
	name = strings.TrimPrefix(name, t.prefix())
	return slices.Contains(t.gitlabNames(), name) || strings.HasSuffix(name, ".gitlab-ci.yml") || strings.HasSuffix(name, ".gitlab-ci.yaml") || strings.HasPrefix(name, ".gitlab/")
}

// otherFiles are the files of GitLab's and CircleCI's that are there.
func (t tree) otherFiles() []string {
	var found []string
	for _, name := range append(t.gitlabNames(), circleFile) {
		if f, err := t.read(t.prefix() + name); err == nil && f.exists && !f.opaque {
			found = append(found, t.prefix()+name)
		}
	}
	return found
}

// otherJobs are those with a job that runs kamal.
func (t tree) otherJobs() []string {
	return slices.DeleteFunc(t.otherFiles(), func(name string) bool {
		f, err := t.read(name)
		if err != nil {
			return true
		}
		plain := withoutComments(f.text)
		return !deploys().MatchString(plain) && !undecided().MatchString(plain)
	})
}
