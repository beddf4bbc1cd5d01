package environ

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// What LookPath's error wraps.
var (
	ErrNotFound      = errors.New("command not found")
	ErrNotExecutable = errors.New("command cannot be executed")
)

// LookPath finds a program as a shell does that has this environment and working
// directory ("" is ours): a name with a slash is a path, any other is looked for
// along PATH, where an empty entry is the working directory. The path is absolute.
func (l List) LookPath(name, dir string) (string, error) {
	if name == "" {
		return "", ErrNotFound
	}
	if strings.Contains(name, "/") {
		at := name
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, at)
		}
		if err := Executable(at); err != nil {
			return "", err
		}
		return filepath.Abs(at)
	}
	found := ErrNotFound
	for _, entry := range filepath.SplitList(l.Get("PATH")) {
		if !filepath.IsAbs(entry) {
			entry = filepath.Join(dir, entry)
		}
		at := filepath.Join(entry, name)
		err := Executable(at)
		if err == nil {
			return filepath.Abs(at)
		}
		// As shells do: what is there but cannot be executed is told only
		// where no later entry has the program.
		if errors.Is(err, ErrNotExecutable) && errors.Is(found, ErrNotFound) {
			found = err
		}
	}
	return "", found
}

// LookTool finds a program of the machine's by its name: LookPath, less the entries of
// PATH that are empty or relative. Those lead to where we are, which is a project whose
// files may be anybody's.
func (l List) LookTool(name string) (string, error) {
	if strings.Contains(name, "/") {
		return "", ErrNotFound
	}
	entries := slices.DeleteFunc(filepath.SplitList(l.Get("PATH")), func(entry string) bool { return !filepath.IsAbs(entry) })
	return l.With("PATH", strings.Join(entries, string(filepath.ListSeparator))).LookPath(name, "/")
}

// mayExecute is access(2)'s X_OK.
const mayExecute = 1

// Executable says why this process cannot execute the file at a path, if so.
func Executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotExecutable, errors.Unwrap(err))
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", ErrNotExecutable)
	case syscall.Access(path, mayExecute) != nil:
		return fmt.Errorf("%w: %w", ErrNotExecutable, fs.ErrPermission)
	}
	return nil
}
