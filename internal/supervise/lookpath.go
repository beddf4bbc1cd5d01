package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A StartError is a child that could not be started: Err is ErrNotFound,
// ErrNotExecutable, or whatever else the system said.
type StartError struct {
	Path string // as it was asked for
	Err  error
}

// What a StartError wraps where the program itself is at fault.
var (
	ErrNotFound      = errors.New("command not found")
	ErrNotExecutable = errors.New("command cannot be executed")
)

// Error is the program and what is wrong with it.
func (e *StartError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap is what is wrong.
func (e *StartError) Unwrap() error { return e.Err }

// Status is what a shell ends with: 127 for a command that is not there, 126
// for one that cannot be executed or started.
func (e *StartError) Status() int {
	if errors.Is(e.Err, ErrNotFound) {
		return 127
	}
	return 126
}

// An OutputError is output of the child that could not be passed on: the first
// error of that stream's writer.
type OutputError struct {
	Stream string // "standard output", "standard error", "the terminal"
	Err    error
}

// Error is the stream and what its writer said.
func (e *OutputError) Error() string { return fmt.Sprintf("writing %s: %v", e.Stream, e.Err) }

// Unwrap is what the writer said.
func (e *OutputError) Unwrap() error { return e.Err }

// LookPath finds a program as a shell does that has this environment and
// working directory ("" is ours): a name with a slash is a path, any other is
// looked for along PATH, where an empty entry is the working directory. The
// error is a *StartError.
func LookPath(name string, env []string, dir string) (string, error) {
	if name == "" {
		return "", &StartError{Path: `""`, Err: ErrNotFound}
	}
	if strings.Contains(name, "/") {
		at := name
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, at)
		}
		if err := executable(at); err != nil {
			return "", &StartError{Path: name, Err: err}
		}
		return filepath.Abs(at)
	}
	found := ErrNotFound
	for _, entry := range filepath.SplitList(lookup(env, "PATH")) {
		if !filepath.IsAbs(entry) {
			entry = filepath.Join(dir, entry)
		}
		at := filepath.Join(entry, name)
		err := executable(at)
		if err == nil {
			return filepath.Abs(at)
		}
		// As shells do: what is there but cannot be executed is told only
		// where no later entry has the program.
		if errors.Is(err, ErrNotExecutable) && errors.Is(found, ErrNotFound) {
			found = err
		}
	}
	return "", &StartError{Path: name, Err: found}
}

// mayExecute is access(2)'s X_OK.
const mayExecute = 1

// executable says why the file at a path cannot be executed, if so.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotExecutable, errors.Unwrap(err))
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", ErrNotExecutable)
	case syscall.Access(path, mayExecute) != nil:
		return fmt.Errorf("%w: permission denied", ErrNotExecutable)
	}
	return nil
}

// lookup is the last value of a name in an environment, or "".
func lookup(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(env[i], "="); ok && key == name {
			return value
		}
	}
	return ""
}
