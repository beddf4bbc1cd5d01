package testkit

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A Workshop is a folder in which our Ruby runs beside the real Kamal of its image.
type Workshop struct {
	t   *testing.T
	dir string
}

// NewWorkshop puts files into a folder. Where kamal, a test's flag, names no Kamal, the
// test is skipped.
func NewWorkshop(t *testing.T, kamal string, files map[string]string) Workshop {
	t.Helper()
	if kamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	w := Workshop{t, t.TempDir()}
	for name, text := range files {
		path := filepath.Join(w.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// Ruby runs a script with an environment and gives what it prints.
func (w Workshop) Ruby(script string, env ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "/usr/bin/ruby", "-e", script)
	cmd.Dir, cmd.Env = w.dir, append(os.Environ(), append(env, "HOME="+w.dir)...)
	out, err := cmd.Output()
	if err != nil {
		exit := &exec.ExitError{}
		errors.As(err, &exit)
		w.t.Fatalf("%v\n%s\n%s", err, out, exit.Stderr)
	}
	return string(out)
}
