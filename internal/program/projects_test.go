package program

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kamal-op/kamal-op/internal/testkit"
)

// TestProjects runs every script in testdata/projects through the real main: each is
// a shape of project that people have and a command, and what is right was found
// with Kamal's own `secrets print` and `config`, and with actionlint.
func TestProjects(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("internal", "program", "testdata", "projects"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			here, err := os.Getwd()
			if err != nil {
				return err
			}
			env.Setenv("HERE", here)
			for _, name := range []string{"CI", "GITHUB_ACTIONS"} {
				env.Setenv(name, "")
			}
			return os.CopyFS(filepath.Join(env.WorkDir, "before"), os.DirFS(filepath.Join(env.WorkDir, "project")))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"become":    become,
			"workflows": workflows,
		},
	})
}

// become checks what the project's files have become: those of a folder beside it,
// and as they were where that folder does not have them.
func become(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: become FOLDER")
	}
	want := ts.MkAbs(filepath.Join("..", args[0]))
	project := ts.MkAbs(".")
	err := filepath.WalkDir(project, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(project, name)
		if err != nil {
			return err
		}
		expected := filepath.Join(want, relative)
		if _, err := os.Stat(expected); err != nil {
			expected = filepath.Join(ts.MkAbs("../before"), relative)
		}
		if got, want := ts.ReadFile(name), ts.ReadFile(expected); got != want {
			ts.Fatalf("%s has become:\n%s\nand should be:\n%s", relative, got, want)
		}
		return nil
	})
	ts.Check(err)
	ts.Check(filepath.WalkDir(want, func(name string, entry fs.DirEntry, err error) error {
		if err != nil && os.IsNotExist(err) {
			return nil // nothing changes
		}
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(want, name)
		if err != nil {
			return err
		}
		_, err = os.Stat(filepath.Join(project, relative))
		return err
	}))
}

// workflows has actionlint look at the project's workflows.
func workflows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: workflows")
	}
	files, err := filepath.Glob(ts.MkAbs(".github/workflows/*.yml"))
	ts.Check(err)
	ts.Check(testkit.Actionlint(ts.Getenv("HERE"), files...))
}
