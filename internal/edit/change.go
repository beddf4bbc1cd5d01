package edit

import (
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
)

// A Change is one file as it is and as it is to be.
type Change struct {
	File     string // relative to the project
	Old, New string
	Created  bool // it was not there
	Deleted  bool // nothing is left of it

	shown func(text string) string // what of the text may be shown
}

// Diff is the change as a unified diff. Values that stand in the file are not in
// it.
func (c Change) Diff() string {
	from, to := c.File, c.File
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

// A Todo is what is left to a person, since kamal-op never writes to 1Password.
type Todo struct {
	Do        string // add-field, rename-field, remove-field, declare, set-account, set-token
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

// Write writes every file of the plan or none: each is written whole beside its
// old self, with its mode, and only then do they take their names. A file that
// somebody changed since it was read stops all. Symbolic links stay.
func (p Plan) Write(dir string) (err error) {
	type ready struct {
		path, temp string
		change     Change
		mode       fs.FileMode
		owner      fs.FileInfo // nil for a new file
	}
	var files []ready
	defer func() {
		for _, f := range files {
			if f.temp != "" {
				_ = os.Remove(f.temp)
			}
		}
	}()
	for _, c := range p.Changes {
		f := ready{path: inProject(dir, c.File), change: c, mode: 0o644}
		if real, err := filepath.EvalSymlinks(f.path); err == nil {
			f.path = real
		}
		info, err := os.Stat(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && isLink(f.path):
			return danglingProblem(c.File)
		case err == nil && c.Created:
			return writeProblem(c.File, errors.New("it has appeared since it was looked for"))
		case err == nil:
			f.mode, f.owner = info.Mode().Perm(), info
			now, err := os.ReadFile(f.path)
			if err != nil {
				return writeProblem(c.File, err)
			}
			if string(now) != c.Old {
				return writeProblem(c.File, errors.New("it has changed since it was read"))
			}
		case !c.Created || !errors.Is(err, fs.ErrNotExist):
			return writeProblem(c.File, err)
		}
		if !c.Deleted {
			if f.temp, err = writeBeside(f.path, c.New, f.mode, f.owner); err != nil {
				return writeProblem(c.File, err)
			}
		}
		files = append(files, f)
	}
	for i := range files {
		f := &files[i]
		if f.change.Deleted {
			err = os.Remove(f.path)
		} else if err = f.change.take(f.temp, f.path); err == nil {
			f.temp = ""
		}
		if err == nil {
			continue
		}
		// What is done already is taken back.
		failed := writeProblem(f.change.File, err)
		for _, done := range slices.Backward(files[:i]) {
			if done.change.Created {
				err = os.Remove(done.path)
			} else {
				var temp string
				if temp, err = writeBeside(done.path, done.change.Old, done.mode, done.owner); err == nil {
					err = os.Rename(temp, done.path)
				}
			}
			if err != nil {
				failed.Details = append(failed.Details, done.change.File+" is changed already and cannot be put back: "+err.Error())
				failed.Status = problem.Partial
			}
		}
		return failed
	}
	return nil
}

// take gives a file that is written its name. A new one does not take the place
// of another that somebody made meanwhile.
func (c Change) take(temp, path string) error {
	if !c.Created {
		return os.Rename(temp, path)
	}
	err := os.Link(temp, path)
	if err == nil {
		_ = os.Remove(temp) // its other name
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links: the name is taken first.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), os.Rename(temp, path)); err != nil {
		_ = os.Remove(path)
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
func writeBeside(path, text string, mode fs.FileMode, owner fs.FileInfo) (temp string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a folder of the project, as git makes them
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
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
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// A workFile is one file of the project that a plan may change.
type workFile struct {
	name    string
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

// readWork reads a file; one that is not there is empty.
func readWork(dir, name string) (*workFile, error) {
	f := &workFile{name: name}
	path := inProject(dir, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if isLink(path) {
			return nil, danglingProblem(name)
		}
		return f, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		f.exists, f.opaque = true, true
		return f, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, problem.Newf("%s cannot be read: %v", name, errors.Unwrap(err))
	}
	f.old, f.text, f.exists = string(text), string(text), true
	return f, nil
}

// changeOf is what became of a file; ok is false where nothing did.
func (f *workFile) changeOf() (Change, bool) {
	c := Change{File: f.name, Old: f.old, New: f.now(), Created: !f.exists, shown: shownWorkflow}
	switch {
	case f.secrets != nil:
		c.shown = func(text string) string { return shownSecrets(f.name, text) }
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
