package kamal

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

// preloadParts are the files that the preload is put together from, one a concern.
//
//go:embed preload/*.rb
var preloadParts embed.FS

// preloadOrder is the order in which the parts stand in the preload: the first looks
// whether the process is Kamal's, the last begins.
func preloadOrder() []string {
	return []string{
		"kamal", "broker", "hosts", "secrets", "uses", "evaluation", "fidelity", "lock", "boots", "history", "exact", "fresh", "reuse", "login", "early", "start",
	}
}

// frozenStrings is the first line of each part. Ruby reads it at a file's beginning
// only.
const frozenStrings = "# frozen_string_literal: true\n"

// preload is the preload's text.
func preload() ([]byte, error) {
	text := []byte(frozenStrings)
	for _, name := range preloadOrder() {
		part, err := preloadParts.ReadFile("preload/" + name + ".rb")
		if err != nil {
			return nil, err
		}
		text = append(text, bytes.TrimPrefix(part, []byte(frozenStrings))...)
	}
	return text, nil
}

// preloadName is the file name of the preload.
const preloadName = "preload.rb"

// WritePreload writes the Ruby preload into dir, the private directory of the run
// (mode 0700, a path without spaces: RUBYOPT cannot quote), and gives its path.
func WritePreload(dir string) (string, error) {
	text, err := preload()
	path := filepath.Join(dir, preloadName)
	if err == nil {
		err = os.WriteFile(path, text, 0o400)
	}
	if err != nil {
		return "", fmt.Errorf("writing the preload: %w", err)
	}
	return path, nil
}

// EarlyVariable is what has the preload of a Kamal say hello before the first
// command, wait for the answer, and keep Kamal from running or connecting to anything
// until then.
const EarlyVariable = "KAMAL_OP_EARLY"

// RubyOptions is the RUBYOPT of a child that loads the preload at path, keeping
// what the caller's RUBYOPT says.
func RubyOptions(path, current string) string {
	option := "-r" + path
	if current == "" {
		return option
	}
	return option + " " + current
}
