package edit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

// A Change is one file as it is and as it is to be.
type Change struct {
	File     string // relative to the project
	Real     string // what File leads to, where that is a link
	Old, New string
	Created  bool // it was not there
	Deleted  bool // nothing is left of it

	shown func(text string) string // what of the text may be shown
}

// Diff is the change as a unified diff. Values that stand in the file are not in
// it.
func (c Change) Diff() string {
	from, to := c.path(), c.path()
	if c.Created {
		from = "/dev/null"
	}
	if c.Deleted {
		to = "/dev/null"
	}
	text := string(diff.Diff(from, []byte(c.shown(c.Old)), to, []byte(c.shown(c.New))))
	_, text, _ = strings.Cut(text, "\n") // the line that names the command
	return text
}

// path is the file that is written, by its real name.
func (c Change) path() string {
	if c.Real != "" {
		return c.Real
	}
	return c.File
}

// A Todo is what is left to a person, since kamal-op never writes to 1Password.
type Todo struct {
	Do        string // add-field, rename-field, remove-field, read-variable, declare, load, set-account, set-token
	Reference string // of the field, without a value
	Text      string
	State     check.State // Yes where it was found done, No where it was found not to be, else Unknown
}

// A Plan is what a command is to change, before anything of it is written.
type Plan struct {
	Command string
	Names   []string
	Changes []Change
	Todo    []Todo
	Notes   []string
	Stays   bool // what is wrong stays wrong: nothing of it can be written
}

// todo adds something to do, once.
func (p *Plan) todo(t Todo) {
	if t.State == "" {
		t.State = check.Unknown
	}
	if !slices.ContainsFunc(p.Todo, func(old Todo) bool { return old.Text == t.Text }) {
		p.Todo = append(p.Todo, t)
	}
}

func (p *Plan) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.Notes, text) {
		p.Notes = append(p.Notes, text)
	}
}

// A ready is a change whose new text stands beside the old file.
type ready struct {
	change Change
	root   *os.Root // below which rel is, links or not
	rel    string
	temp   string
	mode   fs.FileMode
	owner  fs.FileInfo // nil for a new file
}

// Write writes every file of the plan or none: each is written whole beside its
// old self, with its mode, and only then do they take their names. A file that
// somebody changed since it was read stops all. Symbolic links stay, and what they
// lead to is written only within the project, whatever is put in the way meanwhile.
func (p Plan) Write(dir string) (err error) {
	t := newTree(dir)
	var files []ready
	defer func() {
		for _, f := range files {
			if f.temp != "" {
				_ = f.root.Remove(f.temp) // what stopped the change is told
			}
			_ = f.root.Close()
		}
	}()
	for _, c := range p.Changes {
		f, err := t.prepare(c)
		if f.root != nil {
			files = append(files, f)
		}
		if err != nil {
			return err
		}
	}
	for i := range files {
		f := &files[i]
		if f.change.Deleted {
			err = f.root.Remove(f.rel)
		} else if err = f.take(); err == nil {
			f.temp = ""
		}
		if err != nil {
			return takeBack(files[:i], writeProblem(f.change.File, err))
		}
	}
	return nil
}

// takeBack gives files that are written their old texts again.
func takeBack(files []ready, failed *problem.Problem) *problem.Problem {
	for _, done := range slices.Backward(files) {
		var err error
		if done.change.Created {
			err = done.root.Remove(done.rel)
		} else {
			var temp string
			if temp, err = writeBeside(done.root, done.rel, done.change.Old, done.mode, done.owner); err == nil {
				err = done.root.Rename(temp, done.rel)
			}
		}
		if err != nil {
			failed.Details = append(failed.Details, done.change.File+" is changed already and cannot be put back: "+err.Error())
			failed.Status, failed.Hint = problem.Partial, "look at the files that are named: they are changed in part"
		}
	}
	return failed
}

// prepare writes the new text of a change beside the file.
func (t tree) prepare(c Change) (f ready, err error) {
	at, err := t.locate(c.File)
	if err != nil {
		return f, err
	}
	if c.Real != "" && at.path(t) != c.Real {
		return f, writeProblem(c.File, errors.New("it leads to another file than when it was read"))
	}
	f = ready{change: c, rel: at.rel, mode: 0o644}
	if f.root, err = os.OpenRoot(at.root); err != nil {
		f.root = nil
		return f, writeProblem(c.File, err)
	}
	info, err := f.root.Stat(f.rel)
	switch {
	case err == nil && c.Created:
		return f, writeProblem(c.File, errors.New("it has appeared since it was looked for"))
	case err == nil:
		f.mode, f.owner = info.Mode().Perm(), info
		now, err := f.root.ReadFile(f.rel)
		if err != nil {
			return f, writeProblem(c.File, err)
		}
		if string(now) != c.Old {
			return f, writeProblem(c.File, errors.New("it has changed since it was read"))
		}
	case !c.Created || !errors.Is(err, fs.ErrNotExist):
		return f, writeProblem(c.File, err)
	}
	if !c.Deleted {
		if f.temp, err = writeBeside(f.root, f.rel, c.New, f.mode, f.owner); err != nil {
			return f, writeProblem(c.File, err)
		}
	}
	return f, nil
}

// take gives a file that is written its name. A new one does not take the place
// of another that somebody made meanwhile.
func (f ready) take() error {
	if !f.change.Created {
		return f.root.Rename(f.temp, f.rel)
	}
	err := f.root.Link(f.temp, f.rel)
	if err == nil {
		_ = f.root.Remove(f.temp) // its other name
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links: the name is taken first.
	file, err := f.root.OpenFile(f.rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Close(), f.root.Rename(f.temp, f.rel)); err != nil {
		_ = f.root.Remove(f.rel) // err says more
		return err
	}
	return nil
}

// isLink tells whether a path is a symbolic link, to whatever.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func danglingProblem(file string) *problem.Problem {
	return problem.New(file+" is a symbolic link to a file that is not there", "make that file, or remove the link")
}

func inProject(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func writeProblem(file string, err error) *problem.Problem {
	if e := errors.Unwrap(err); e != nil {
		err = e
	}
	p := problem.Newf("%s cannot be written: %v", file, err)
	p.Hint = "nothing has been changed; run it again where the project's files can be written"
	p.Cause = err
	return p
}

// writeBeside writes a file of a name of its own into the same directory, for
// the owner of the old one where we may give it away.
func writeBeside(root *os.Root, rel, text string, mode fs.FileMode, owner fs.FileInfo) (temp string, err error) {
	if err := root.MkdirAll(filepath.Dir(rel), 0o755); err != nil {
		return "", err
	}
	temp = filepath.Join(filepath.Dir(rel), "."+filepath.Base(rel)+"."+rand.Text())
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	if owner != nil {
		if stat, ok := owner.Sys().(*syscall.Stat_t); ok {
			_ = f.Chown(int(stat.Uid), int(stat.Gid)) // only root may
		}
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		_ = root.Remove(temp) // err says more
		return "", err
	}
	return temp, nil
}

// A workFile is one file of the project that a plan may change.
type workFile struct {
	name    string
	real    string // what the name leads to, where it is a link
	foreign error  // it is not the project's own: it may be read, and not be changed
	old     string
	exists  bool
	opaque  bool // a pipe: not to be read, nor written
	secrets *kamal.SecretsEdit
	config  *kamal.ConfigEdit
	text    string // of a workflow
}

func (f *workFile) now() string {
	switch {
	case f.secrets != nil:
		return f.secrets.Text()
	case f.config != nil:
		return f.config.Text()
	}
	return f.text
}

// changeOf is what became of a file; ok is false where nothing did.
func (f *workFile) changeOf() (Change, bool) {
	c := Change{File: f.name, Real: f.real, Old: f.old, New: f.now(), Created: !f.exists, shown: shownWorkflow}
	switch {
	case f.secrets != nil:
		c.shown = func(text string) string { return shownSecrets(f.name, text) }
	case f.name == projectfile.Name:
		c.shown = shownProjectFile
	case f.config != nil || f.name == reviewConfig:
		c.shown = shownConfig
	}
	if c.Old == c.New {
		return c, false
	}
	if f.secrets != nil && strings.TrimSpace(c.New) == "" {
		c.New, c.Deleted = "", true
	}
	return c, true
}
