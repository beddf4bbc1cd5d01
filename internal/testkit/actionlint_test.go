package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where the tool is missing nothing passes.
func TestActionlint_failsWithoutTheTool(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deploy.yml")
	if err := os.WriteFile(file, []byte("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("..", "..")
	if err := Actionlint(root, file); err != nil {
		t.Error(err)
	}
	if err := Actionlint(root); err == nil {
		t.Error("no workflow is taken for a right one")
	}
	t.Setenv("PATH", t.TempDir())
	if err := Actionlint(t.TempDir(), file); err == nil || !strings.Contains(err.Error(), "make .cache/tools/actionlint") {
		t.Errorf("without actionlint: %v", err)
	}
	if err := os.WriteFile(file, []byte("on: push\njobs: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Actionlint(root, file); err == nil {
		t.Error("a workflow that is none is taken")
	}
}
