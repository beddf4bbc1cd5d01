package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kamal-op/kamal-op/internal/comment"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// planCommand is `kamal-op plan`.
type planCommand struct {
	vaultFlags
	timeFlags
	destinationFlag
	configFileFlag
	versionFlag `set:"version=Version of the app that would be deployed (default the commit)."`
	hostsFlag   `set:"hosts=Plan for these hosts only, separated by commas."`
	rolesFlag   `set:"roles=Plan for these roles only, separated by commas."`
	kamalFlag
	directoryFlag
	envFlag
	hostKeysFlag `set:"host_keys="`
	opScopeFlag  `set:"op_scope="`
	exactFlag
	JSON     bool `name:"json" help:"Print the plan as JSON."`
	ExitCode bool `name:"exit-code" help:"End with 7 where something would change."`
	Comment  bool `name:"comment" help:"Keep one comment with the plan on the pull request of this workflow." note:"The token needs pull-requests: write. A pull request from a fork gets none, and nothing of it is run."`
}

// Run asks the hosts what they run, holds it against what Kamal would have them run,
// and tells what differs. Nothing is changed, and no lock is taken.
func (c planCommand) Run(a *app) error {
	if err := a.show(logFlags{}, c.WorkingDirectory, false); err != nil {
		return err
	}
	var pull *pullPlan
	if c.Comment {
		var err error
		if pull, err = c.pull(a); err != nil || pull == nil {
			return err
		}
		defer pull.client.Close()
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	if pull != nil {
		pull.withhold(ctx, c)
	}
	p, err := c.ask(ctx, a, a.process(signals))
	if err != nil {
		if pull != nil {
			pull.failed(ctx, err)
		}
		return err
	}
	if pull != nil {
		pull.tell(ctx, comment.Answer{Title: planTitle(p, c.Destination), Text: p.Text(false)})
	}
	if c.JSON {
		encoder := json.NewEncoder(a.Stdout.JSON())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(p)
	} else {
		err = a.report(p.Text(a.colours(a.Stdout)))
	}
	switch {
	case err != nil:
		return fmt.Errorf("writing the plan: %w", err)
	case len(p.Unreached) > 0:
		return exitStatus(problem.Partial)
	case c.ExitCode && p.Changes:
		return exitStatus(problem.Changes)
	}
	return nil
}

// ask asks the hosts what they run, and holds it against what a deploy would have them run.
func (c planCommand) ask(ctx context.Context, a *app, process deploy.Process) (p plan.Plan, err error) {
	if err := a.withEnv(c.Env); err != nil {
		return p, err
	}
	wanted, vault, err := a.wanted(c.vaultFlags, true)
	if err != nil {
		return p, err
	}
	if wanted.Pins, wanted.PinRefs, err = hostKeys(c.HostKeys, a.loaded); err != nil {
		return p, err
	}
	exact, err := c.exact()
	if err != nil {
		return p, err
	}
	process.Env = a.Env
	j := deploy.Job{
		Process: process, Vault: vault, Wanted: wanted, Kamal: c.Kamal,
		Project: kamal.ProjectOptions{Dir: a.dir, ConfigFile: c.ConfigFile, Destination: c.Destination, Env: a.Env},
		Check:   deploy.CheckOff, AnyVault: c.OpScope == "any", ExactValues: exact,
	}
	j.Stdout = a.Stderr // standard output is the plan's
	out, err := j.Ask(ctx, deploy.Call{
		Title: "asking the hosts what they run", Preload: plan.Preload(),
		Args: kamal.Args(plan.Command, kamal.ArgOptions{
			Destination: c.Destination, ConfigFile: c.ConfigFile, Version: c.Version, Hosts: commas(c.Hosts), Roles: commas(c.Roles),
		}),
	})
	if err != nil {
		return p, a.explainConnect(err)
	}
	observed, err := plan.Parse(out)
	if err != nil {
		return p, err
	}
	return gate.Cleaned(a.gate, plan.Of(observed)), nil
}
