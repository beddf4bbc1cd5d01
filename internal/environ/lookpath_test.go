package environ_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kamal-op/kamal-op/internal/environ"
)

func TestList_LookPath(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"first", "second", "bin"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(at string, mode os.FileMode) string {
		at = filepath.Join(dir, at)
		if err := os.WriteFile(at, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
		return at
	}
	write("first/both", 0o644)
	second := write("second/both", 0o755)
	write("first/only", 0o644)
	here := write("here", 0o755)
	bin := write("bin/kamal", 0o755)
	path := "PATH=" + dir + "/first::" + dir + "/second"
	for _, test := range []struct {
		name string
		env  []string
		want string
		is   error
	}{
		{"both", []string{path}, second, nil},
		{"only", []string{path}, "", environ.ErrNotExecutable},
		{"here", []string{path}, here, nil}, // an empty entry is the working directory
		{"here", []string{"PATH=/nowhere"}, "", environ.ErrNotFound},
		{"here", nil, "", environ.ErrNotFound},
		{"both", []string{"PATH=/nowhere", path}, second, nil}, // the later counts
		{"bin/kamal", nil, bin, nil},
		{"./bin/kamal", nil, bin, nil},
		{"kamal", []string{"PATH=bin"}, bin, nil},
	} {
		got, err := environ.List(test.env).LookPath(test.name, dir)
		if got != test.want || !errors.Is(err, test.is) {
			t.Errorf("%s with %v: %q, %v", test.name, test.env, got, err)
		}
	}
}

// What is asked for by the machine's name for it is no file of where we are.
func TestList_LookTool(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	write := func(path string) string {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write(filepath.Join(dir, "git"))
	write(filepath.Join(dir, "bin/git"))
	machines := write(filepath.Join(elsewhere, "git"))
	for _, test := range []struct{ path, want string }{
		{elsewhere, machines},
		{":.:bin:./bin:" + elsewhere + ":", machines},
		{":", ""},
		{".", ""},
		{"bin", ""},
		{"", ""},
	} {
		got, err := environ.List{"PATH=" + test.path}.LookTool("git")
		if got != test.want || (test.want == "") != errors.Is(err, environ.ErrNotFound) {
			t.Errorf("%q: %q, %v", test.path, got, err)
		}
	}
	if got, err := (environ.List{"PATH=" + elsewhere}).LookTool("./git"); err == nil {
		t.Errorf("a path gives %q", got)
	}
}
