// Command generate writes the files that are made of the declarations of the options:
// the inputs in action.yml and the tables of the documentation. It is run in the root
// of the repository, by make generate.
package main

import (
	"fmt"
	"os"

	"github.com/kamal-op/kamal-op/internal/cli"
	"github.com/kamal-op/kamal-op/internal/reference"
)

func main() {
	files, err := reference.Files(cli.Grammar(), func(name string) (string, error) {
		text, err := os.ReadFile(name)
		return string(text), err
	})
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(name, []byte(text), 0o600) // those that are there keep their mode
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
