// Package testkit is what the tests of several rooms share: small projects, and a
// vault that answers from a list. It is imported by tests only.
package testkit

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Projects are the paths of the small projects, seen from a room directly below
// internal: each a txtar archive whose files are the project's. Three of them are
// not: report (what check says), vault (see ParseVault), declared (names).
func Projects(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "testkit", "testdata", "projects", "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no projects: %v", err)
	}
	return names
}

// A Form is how the files of a project are written.
type Form struct {
	CRLF bool // lines end in CR LF
	Bare bool // the last line has no end
}

// WriteProject writes the files of a project into a directory of its own.
func WriteProject(t testing.TB, archive *txtar.Archive, form Form) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range archive.Files {
		switch file.Name {
		case "report", "vault", "declared":
			continue
		}
		text := string(file.Data)
		if form.Bare {
			text = strings.TrimSuffix(text, "\n")
		}
		if form.CRLF {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		path := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Walkthrough writes the project of the README's walk-through.
func Walkthrough(t testing.TB) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("..", "testkit", "testdata", "projects", "walkthrough.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return WriteProject(t, archive, Form{})
}

// ReadProject is every file below a directory, its mode and its text, by its path.
func ReadProject(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files[strings.TrimPrefix(path, dir)] = info.Mode().String() + "\n" + string(text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
