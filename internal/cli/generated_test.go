package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/reference"
)

// What is made of the declarations is as they are now.
func TestGrammar_FilesAreMadeOfIt(t *testing.T) {
	read := func(name string) (string, error) {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		return string(text), err
	}
	files, err := reference.Files(Grammar(), read)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Errorf("only %d files are made", len(files))
	}
	for name, want := range files {
		got, err := read(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is not what the declarations say: make generate (-declared +file)\n%s", name, diff)
		}
	}
}
