// Package program is kamal-op as a process: which of its names it was started under,
// what is set for the whole process before it holds a secret, and the one place that
// reads the arguments, the environment and the streams, and hands them on. Its tests
// are those of the whole program, through the real main, and of what the repository
// says of itself.
package program

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/cli"
	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
)

// Main runs the program, and ends the process.
func Main() {
	if filepath.Base(os.Args[0]) == opclient.Name {
		os.Exit(opclient.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
	}
	if sshname.IsName(os.Args[0]) {
		os.Exit(sshname.Main(os.Args[0], os.Args[1:], os.Environ(), os.Stderr))
	}
	args := os.Args[1:]
	if len(args) > 0 && args[0] == cli.EntrypointName {
		program, own := cli.Entrypoint(args[1:], os.Environ())
		if program != "" {
			err := syscall.Exec(program, args[1:], os.Environ()) //nolint:gosec // one of a few programs, as whoever starts the container asks
			fmt.Fprintf(os.Stderr, "kamal-op: %s: %v\n", program, err)
			os.Exit(126) // as a shell does
		}
		args = own
	}
	forget := forgetter()
	refused := harden()
	dir, dirErr := os.Getwd()
	executable, _ := os.Executable() // "" where it is not known: what needs it says so
	os.Exit(cli.Main(cli.Process{
		Name: filepath.Base(os.Args[0]), Args: args, Env: os.Environ(), Dir: dir, DirErr: dirErr, Executable: executable,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Refused: refused, Forget: forget,
	}))
}
