package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
)

// manuals are what the program says of itself to a shell and to man, by the file that
// it has in an archive.
type manuals map[string][]byte

// The files of an archive that the program makes, and the words that make them.
func manualFiles() map[string][]string {
	return map[string][]string{
		"completions/kamal-op.bash": {"completion", "bash"},
		"completions/_kamal-op":     {"completion", "zsh"},
		"completions/kamal-op.fish": {"completion", "fish"},
		"man/kamal-op.1":            {"man"},
	}
}

// readManuals asks the program, built for this machine: it says the same on all.
func readManuals() (manuals, error) {
	dir, err := os.MkdirTemp("", "kamal-op-release-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "kamal-op")
	// Without -trimpath all of it would be compiled once more than for the archives.
	if _, err := output("go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "."); err != nil {
		return nil, err
	}
	m := manuals{}
	for file, words := range manualFiles() {
		text, err := output(binary, words...)
		if err != nil {
			return nil, err
		}
		if text == "" {
			return nil, fmt.Errorf("kamal-op %q says nothing", words)
		}
		m[file] = []byte(text + "\n")
	}
	return m, nil
}

// write puts them into the tree of an archive.
func (m manuals) write(tree string) error {
	for file, text := range m {
		path := filepath.Join(tree, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// compress is a text as man pages are installed, the same for everybody.
func compress(text []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
