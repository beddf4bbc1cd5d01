package cli

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// runCommand is `kamal-op run [flags] -- COMMAND ARGS…`. Standard output belongs
// to the command: nothing of ours is written to it.
type runCommand struct {
	vaultFlags
	timeFlags
	directoryFlag `set:"directory=Directory to run the command in (default the current one)."`
	Command       []string `arg:"" optional:"" passthrough:"" name:"command" help:"The command and its arguments, best behind --."`
}

// Run runs the command and ends with its exit status.
func (c runCommand) Run(a *app) error {
	argv := slices.Concat(c.Command, a.rest)
	if len(argv) == 0 {
		return problem.Usagef("such as kamal-op run --secret TOKEN=op://Vault/Item/field -- ./script", "no command is given")
	}
	if first := argv[0]; len(c.Command) > 0 && strings.HasPrefix(first, "-") {
		return problem.Usagef("kamal-op run --help lists the options; put -- before a command whose own name begins with a dash",
			"unknown flag %s", flagName(first))
	}
	a.getReady()
	wanted, vault, err := a.wanted(c.vaultFlags, false)
	if err != nil {
		return err
	}
	dir, err := a.directory("--working-directory", c.WorkingDirectory)
	if err != nil {
		return err
	}
	a.asking(vault)
	ctx, signals, stop := c.context(a)
	defer stop()
	status, err := deploy.Command{
		Process: a.process(signals), Vault: vault, Wanted: wanted,
		Argv: argv, Dir: dir, Terminal: a.terminal(),
	}.Run(ctx)
	return a.ended(status, a.explainConnect(err), "run")
}

// flagName is a flag without the value that may stand behind it.
func flagName(word string) string {
	name, _, _ := strings.Cut(word, "=")
	return name
}
