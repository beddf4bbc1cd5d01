package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/reference"
)

// description says what the program is.
const description = "Deploys with Kamal, with the secrets and the SSH key out of 1Password: masked in every log, written to no disk."

// stepInputs are the action's inputs that are no options: tokens have no flag, since
// a command line can be read by every user of the machine.
var stepInputs = []reference.Input{
	{Name: "command", Description: "What to do: deploy, setup, redeploy, rollback (to the input version), kamal (any Kamal command, in args), run (any command, in args, with the secrets in its environment and the key in an agent), check, verify (what the running containers have, against the vault), plan (what a deploy would change), comment (what a comment on a pull request asks for: /plan or /deploy), doctor (all that a run needs), watch (what runs, for a schedule), rotate (restart containers that have old secrets), promote (deploy to one destination what another runs), freeze (keep the app from being deployed) and thaw, history (what was deployed), rehearse (a deploy on the runner itself; in the native form alone), or review (a preview of the pull request, as the event asks for it; review build builds its image and nothing else).", Default: "deploy"},
	{Name: "args", Description: "Further arguments for Kamal, or the command of kamal or run, or options of check, verify, plan, doctor, watch, rotate, promote, freeze, thaw, history and rehearse, split into words as a shell does. No shell is involved, so nothing in it is expanded."},
	{Name: "service-account-token", Description: "Token of a 1Password service account (ops_…), from the repository's secrets; more than one, a line each, for vaults of several accounts. Not needed where a Connect server is given. The environment variable OP_SERVICE_ACCOUNT_TOKEN does the same."},
	{Name: "connect-token", Description: "Token of the Connect server, from the repository's secrets. The environment variable OP_CONNECT_TOKEN does the same."},
	{Name: "github-token", Description: "Token that may read this repository's runs (permissions: actions: read), to know whether the run that holds the deploy lock is over. With review: also contents: read, deployments: write and pull-requests: write. With github-environment: deployments: write. With comment, and with plan and comment: pull-requests: write. With watch and issue: issues: write.", Default: "${{ github.token }}"},
}

// Grammar is the command line as data: all that is shown of it.
func Grammar() reference.Grammar {
	var g grammar
	parser, err := kong.New(&g)
	if err != nil {
		panic(err) // the declarations are wrong: no user can mend that
	}
	out := reference.Grammar{Description: description, Inputs: stepInputs, TestedKamal: kamal.TestedVersion, Global: options(parser.Model.Node)}
	var walk func(n *kong.Node, path []string)
	walk = func(n *kong.Node, path []string) {
		for _, child := range n.Children {
			if child.Hidden {
				continue
			}
			path := append(slices.Clone(path), child.Name)
			name := strings.Join(path, " ")
			c := reference.Command{Name: name, Help: child.Help, Usage: child.Tag.Get("usage"), Group: len(child.Children) > 0, Options: options(child)}
			for _, a := range child.Positional {
				argument := reference.Argument{
					Name: a.Name, Help: a.Help, Optional: !a.Required, Repeats: a.IsSlice(), Complete: a.Tag.Get("complete"),
				}
				if a.Enum != "" {
					argument.Enum = a.EnumSlice()
				}
				c.Arguments = append(c.Arguments, argument)
			}
			c.Action = slices.Contains(actionCommands, name) || name == "review event"
			out.Commands = append(out.Commands, c)
			walk(child, path)
		}
	}
	walk(parser.Model.Node, nil)
	return out
}

// options are those of a command's own.
func options(n *kong.Node) (all []reference.Option) {
	for _, f := range n.Flags {
		if f.Name == "help" || f.Hidden {
			continue
		}
		o := reference.Option{
			Name: f.Name, Noun: f.PlaceHolder, Help: f.Help, Default: f.Default,
			Input: f.Tag.Get("input"), Note: f.Tag.Get("note"), Given: f.Tag.Get("given"), Complete: f.Tag.Get("complete"), File: f.Tag.Get("file"),
		}
		if f.Enum != "" {
			o.Enum = f.EnumSlice()
		}
		if f.Short != 0 {
			o.Short = string(f.Short)
		}
		switch f.Target.Interface().(type) {
		case bool:
			o.Kind = reference.Switch
		case lines:
			o.Kind = reference.List
		case selection:
			o.Kind = reference.Selection
		case int, int64:
			o.Kind = reference.Number
		case time.Duration, days:
			o.Kind = reference.Duration
		}
		if o.Noun == "" && o.Kind != reference.Switch {
			o.Noun = strings.ToUpper(o.Name)
			if len(o.Enum) > 0 {
				o.Noun = strings.Join(o.Enum, "|")
			}
		}
		all = append(all, o)
	}
	return all
}
