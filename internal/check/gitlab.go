package check

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

const gitlabFile = ".gitlab-ci.yml"

// maxIncluded is how many files a .gitlab-ci.yml may include: GitLab's own limit.
const maxIncluded = 150

// GitlabIncluded are the files of a repository that its .gitlab-ci.yml includes by
// include:local, and those that they include, seen from its root.
func GitlabIncluded(top string) []string {
	names := []string{gitlabFile}
	for i := 0; i < len(names) && len(names) < maxIncluded; i++ {
		local, _ := IncludedBy(readIncluding(filepath.Join(top, filepath.FromSlash(names[i]))))
		for _, pattern := range local {
			found, _ := filepath.Glob(filepath.Join(top, filepath.FromSlash(pattern))) // one that is not well-formed names none
			for _, at := range found {
				rel, err := filepath.Rel(top, at)
				if name := filepath.ToSlash(rel); err == nil && filepath.IsLocal(rel) && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names[1:]
}

// readIncluding is the tree of a file; nil where it cannot be read, which is told by who
// has more to do with it.
func readIncluding(name string) ast.Node {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxDeployFile {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	file, err := yamlfile.Parse(string(text), true)
	if err != nil || len(file.Docs) == 0 {
		return nil
	}
	return file.Docs[0].Body
}

// IncludedBy are the files of the repository that a file of GitLab's includes, by their
// patterns, and whether it includes others too.
func IncludedBy(root ast.Node) (local []string, others bool) {
	n := yamlfile.Child(root, "include")
	entries := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		entries = list.Values
	}
	for _, entry := range entries {
		names := []string{scalarOf(entry)}
		if len(yamlfile.Pairs(entry)) > 0 {
			names = scalarsOf(yamlfile.Child(entry, "local"))
			others = others || len(names) == 0
		}
		for _, name := range names {
			switch {
			case name == "":
			case strings.Contains(name, "://"), strings.ContainsRune(name, '$'):
				others = true
			default:
				local = append(local, strings.TrimPrefix(path.Clean(name), "/"))
			}
		}
	}
	return local, others
}

// scalarsOf are the texts of a node: one, or those of a list.
func scalarsOf(n ast.Node) []string {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		if text := scalarOf(n); text != "" {
			return []string{text}
		}
		return nil
	}
	var all []string
	for _, v := range list.Values {
		all = append(all, scalarOf(v))
	}
	return all
}

// unseenSystem is what gives variables to the jobs of a file and is in no file itself; ""
// where the file names each that it takes.
func unseenSystem(name string) string {
	switch {
	case strings.HasPrefix(name, ".circleci/"):
		return "contexts and environment variables of CircleCI"
	case strings.HasSuffix(name, ".gitlab-ci.yml"), strings.HasPrefix(name, ".gitlab/"):
		return "CI/CD variables of GitLab"
	}
	return ""
}
