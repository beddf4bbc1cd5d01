package cli

import (
	"fmt"

	"github.com/alecthomas/kong"
)

// exitStatuses ends every help text.
const exitStatuses = `
Every option can be given as a flag (--ssh-key), as an input of the action
(ssh-key) or in the environment (KAMAL_OP_SSH_KEY, lists one a line).
Credentials: OP_SERVICE_ACCOUNT_TOKEN, or OP_CONNECT_HOST with OP_CONNECT_TOKEN
or OP_CONNECT_TOKEN_FILE.

Exit status: 0 done; Kamal's own where Kamal failed; 2 wrong usage; 3 a problem
found before anything changed; 4 1Password refused or could not be reached;
5 time ran out; 6 done in part; 130 and 143 cancelled. kamal-op run passes on
the command's own; 125 is a problem of ours, 126 and 127 as in a shell.
`

// help prints kong's help and what holds for every command.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	_, err := fmt.Fprint(ctx.Stdout, exitStatuses)
	return err
}
