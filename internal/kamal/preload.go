package kamal

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed preload.rb
var preload []byte

// PreloadName is the file name of the preload.
const PreloadName = "preload.rb"

// WritePreload writes the Ruby preload into dir, the private directory of the run
// (mode 0700, a path without spaces: RUBYOPT cannot quote), and gives its path.
func WritePreload(dir string) (string, error) {
	path := filepath.Join(dir, PreloadName)
	if err := os.WriteFile(path, preload, 0o400); err != nil {
		return "", fmt.Errorf("writing the preload: %w", err)
	}
	return path, nil
}

// RubyOptions is the RUBYOPT of a child that loads the preload at path, keeping
// what the caller's RUBYOPT says.
func RubyOptions(path, current string) string {
	option := "-r" + path
	if current == "" {
		return option
	}
	return option + " " + current
}
