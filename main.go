// Command kamal-op deploys with Kamal, with the secrets and the SSH key out of
// 1Password. See README.md, and `kamal-op --help`.
package main

import (
	"os"

	"github.com/kamal-op/kamal-op/internal/cli"
)

func main() {
	harden()
	dir, _ := os.Getwd()
	executable, _ := os.Executable()
	os.Exit(cli.Main(cli.Process{
		Args: os.Args[1:], Env: os.Environ(), Dir: dir, Executable: executable,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
