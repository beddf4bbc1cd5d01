package edit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// workflowDir is where GitHub looks for workflows: at the root of the repository
// and nowhere else.
const workflowDir = ".github/workflows"

// pipelines are the files of other CI systems in which secrets can be declared to
// kamal-op: at the root of the repository, too.
var pipelines = [...]string{
	gitlabFile, ".circleci/*.yml", ".circleci/*.yaml", ".buildkite/*.yml", ".buildkite/*.yaml", ".woodpecker.yml", ".woodpecker.yaml", ".woodpecker/*.yml", ".woodpecker/*.yaml", ".drone.yml",
	".gitea/workflows/*.yml", ".gitea/workflows/*.yaml", ".forgejo/workflows/*.yml", ".forgejo/workflows/*.yaml", "azure-pipelines.yml",
}

// A tree is where a project's files are read and written. Links are followed while
// they stay in it; nothing is written elsewhere.
type tree struct {
	dir string // of the project
	top string // of its repository, whose workflows may be written too
}

func newTree(dir string) tree {
	t := tree{dir: dir, top: dir}
	at, err := realDir(dir)
	if err != nil {
		return t
	}
	for here := at; ; here = filepath.Dir(here) {
		if _, err := os.Lstat(filepath.Join(here, ".git")); err == nil {
			if here != at {
				t.top = here
			}
			return t
		}
		if here == filepath.Dir(here) {
			return t
		}
	}
}

func realDir(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("the path of the project: %w", err)
	}
	if at, err = filepath.EvalSymlinks(at); err != nil {
		return "", fmt.Errorf("the project's directory: %w", err)
	}
	return at, nil
}

// prefix is what stands before the name of a file of the repository, seen from the
// project: "" or several "../".
func (t tree) prefix() string {
	at, err := realDir(t.dir)
	if err != nil || t.top == t.dir {
		return ""
	}
	rel, err := filepath.Rel(at, t.top)
	if err != nil {
		return ""
	}
	return filepath.ToSlash(rel) + "/"
}

// within is the project's directory, seen from the repository: "" where they are
// the same.
func (t tree) within() string {
	at, err := realDir(t.dir)
	if err != nil || t.top == t.dir {
		return ""
	}
	rel, _ := filepath.Rel(t.top, at)
	return filepath.ToSlash(rel)
}

// workflowNames are the workflows of the repository, seen from the project.
func (t tree) workflowNames() []string {
	var names []string
	for _, pattern := range []string{"*.yml", "*.yaml"} {
		found, _ := filepath.Glob(filepath.Join(t.top, filepath.FromSlash(workflowDir), pattern))
		for _, name := range found {
			names = append(names, t.prefix()+path.Join(workflowDir, filepath.Base(name)))
		}
	}
	slices.Sort(names)
	return names
}

// pipelineNames are the files of other CI systems that the repository has, seen from
// the project.
func (t tree) pipelineNames() []string {
	var names []string
	for _, pattern := range pipelines {
		found, _ := filepath.Glob(filepath.Join(t.top, filepath.FromSlash(pattern)))
		for _, name := range found {
			names = append(names, t.prefix()+path.Join(path.Dir(pattern), filepath.Base(name)))
		}
	}
	for _, name := range check.GitlabIncluded(t.top) {
		names = append(names, t.prefix()+name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// startsDeploys tells whether a file, seen from the root of the repository, is a
// workflow or another CI system's.
func (t tree) startsDeploys(name string) bool {
	if strings.HasPrefix(name, workflowDir+"/") {
		return true
	}
	return slices.ContainsFunc(pipelines[:], func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	}) || slices.Contains(check.GitlabIncluded(t.top), name)
}

// A location is a file by its real path: below a directory that it cannot leave.
type location struct{ root, rel string }

// locate follows the links on the way to a file. A file that is not in the tree, by
// its own name or by a link, is a problem.
func (t tree) locate(name string) (location, error) {
	bound := t.dir
	if prefix := t.prefix(); prefix != "" {
		if rest, ok := strings.CutPrefix(filepath.ToSlash(filepath.Clean(name)), prefix); ok && t.startsDeploys(rest) {
			bound = t.top
		}
	}
	root, err := realDir(bound)
	if err != nil {
		return location{}, err
	}
	at, err := filepath.Abs(inProject(t.dir, name))
	if err != nil {
		return location{}, fmt.Errorf("the path of %s: %w", name, err)
	}
	target, err := follow(at, name)
	if err != nil {
		return location{}, err
	}
	rel, err := filepath.Rel(root, target)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return location{}, &outside{outsideProblem(t.dir, name, target), target}
	}
	return location{root, rel}, nil
}

// follow is the real path of a file that need not be there.
func follow(at, name string) (string, error) {
	target, err := filepath.EvalSymlinks(at)
	if err == nil {
		return target, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the path of %s: %w", name, err)
	}
	if isLink(at) {
		return "", danglingProblem(name)
	}
	if at == filepath.Dir(at) {
		return at, nil
	}
	parent, err := follow(filepath.Dir(at), name)
	return filepath.Join(parent, filepath.Base(at)), err
}

// outside is that a file is not in the tree.
type outside struct {
	*problem.Problem

	target string
}

func (o *outside) Unwrap() error { return o.Problem }

func outsideProblem(dir, name, target string) *problem.Problem {
	link := name
	for i := range name + "/" { // the first of the directories that is one
		if i == len(name) || name[i] == '/' {
			if i > 0 && isLink(inProject(dir, name[:i])) {
				link = name[:i]
				break
			}
		}
	}
	if !isLink(inProject(dir, link)) {
		return problem.New(name+" is outside of the project: it is not written to", "run kamal-op in the project that the file belongs to (--working-directory)")
	}
	p := problem.New(link+" is a symbolic link that leads out of the project, to "+target+": nothing is written through it", "put a file of the project's own there, or change the other one where it belongs")
	p.Place.File = name
	return p
}

// read reads a file; one that is not there is empty. What a link leads out of the
// project to may be read, as Kamal does, and not be changed.
func (t tree) read(name string) (*workFile, error) {
	f := &workFile{name: name}
	at, err := t.locate(name)
	var out *outside
	switch {
	case errors.As(err, &out):
		f.foreign = out
		return f, f.load(os.DirFS(filepath.Dir(out.target)), filepath.Base(out.target))
	case err != nil:
		return nil, err
	}
	root, err := os.OpenRoot(at.root)
	if err != nil {
		return nil, readProblem(name, err)
	}
	defer func() { _ = root.Close() }()
	if at.path(t) != filepath.ToSlash(filepath.Clean(name)) && !filepath.IsAbs(name) {
		f.real = at.path(t)
	}
	return f, f.load(root.FS(), filepath.ToSlash(at.rel))
}

// path is a location as it is seen from the project.
func (l location) path(t tree) string {
	at, err := realDir(t.dir)
	if err != nil {
		return l.rel
	}
	rel, err := filepath.Rel(at, filepath.Join(l.root, l.rel))
	if err != nil {
		return l.rel
	}
	return filepath.ToSlash(rel)
}

// load takes the text of a file.
func (f *workFile) load(from fs.FS, rel string) error {
	info, err := fs.Stat(from, rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && !info.Mode().IsRegular():
		f.exists, f.opaque = true, true
		return nil
	case err != nil:
		return readProblem(f.name, err)
	}
	text, err := fs.ReadFile(from, rel)
	if err != nil {
		return readProblem(f.name, err)
	}
	f.old, f.text, f.exists = string(text), string(text), true
	return nil
}

func readProblem(name string, err error) *problem.Problem {
	if e := errors.Unwrap(err); e != nil {
		err = e
	}
	return problem.Newf("%s cannot be read: %v", name, err)
}
