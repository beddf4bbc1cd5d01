package cli

import (
	"context"
	"fmt"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/edit"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// checkCommand is `kamal-op check`.
type checkCommand struct {
	vaultFlags
	destinationFlag `set:"destination=Check this destination alone (default all that have a file)."`
	configFileFlag
	directoryFlag
	Offline bool `name:"offline" help:"Ask no vault and run nothing: safe for a pull request from anyone."`
	ERB     bool `name:"erb" help:"Let the project's own Kamal run the ERB in deploy.yml: not for the pull request of a stranger."`
	envFlag
	kamalFlag     `set:"kamal=Kamal for --erb (default bin/kamal of the project if it works, else kamal on the PATH)."`
	Fix           bool `name:"fix" help:"Write what can be written, show it, and check again."`
	dryChangeFlag `set:"dry_run=With --fix: show what would be written, and write nothing."`
	Format        string `name:"format" enum:"text,json,sarif" default:"text" help:"Output: text, json or sarif."`
}

// Run checks, and ends with 3 where something is wrong.
func (c checkCommand) Run(a *app) error {
	switch {
	case c.Offline && c.ERB:
		return problem.Usagef("--offline runs nothing of a project: leave one of the two away", "--offline and --erb are given both")
	case c.DryRun && !c.Fix:
		return problem.Usagef("check writes nothing without --fix", "--dry-run is given without --fix")
	}
	if err := a.show(logFlags{}, c.WorkingDirectory, false); err != nil {
		return err
	}
	if err := a.withEnv(c.Env); err != nil {
		return err
	}
	o := check.Options{Dir: a.dir, ConfigFile: c.ConfigFile, Env: a.Env}
	if c.Destination != "" {
		o.Destinations = []string{c.Destination}
	}
	if err := c.toCheck(&o); err != nil {
		return err
	}
	o.For = c.forDestination(a)
	ctx, _, stop := supervise.Notify(context.Background())
	defer stop()
	if c.Offline {
		o.Env = nil // whose value is another machine's matter
	} else {
		vault, ok, err := a.vault(c.credentialFlags)
		if err != nil {
			return err
		}
		if !ok {
			a.notices("no credentials for 1Password are given: the vault is not asked (--offline says so without this notice)")
		} else {
			a.asking(vault)
			backend, err := vault.OpenPrepared()
			if err != nil {
				return err
			}
			defer func() { _ = backend.Close() }() // it was only read from
			o.Vault = onepassword.NewResolver(backend, onepassword.Options{AllowEmpty: c.AllowEmpty.names()})
		}
	}
	if c.ERB {
		if err := c.askKamal(ctx, a, &o); err != nil {
			return err
		}
	}
	report, err := check.Check(ctx, o)
	if err != nil {
		return a.explainConnect(err)
	}
	if c.Fix {
		if report, err = c.fix(ctx, a, o, report); err != nil {
			return err
		}
	}
	return c.tell(a, report)
}

// askKamal takes the configuration from the project's Kamal.
func (c checkCommand) askKamal(ctx context.Context, a *app, o *check.Options) error {
	binary, err := kamal.Find(ctx, kamal.FindOptions{Dir: o.Dir, Explicit: c.Kamal, Env: a.Env})
	if err != nil {
		return err
	}
	loaded := map[string]*kamal.Config{} // Kamal takes half a second
	o.Config = func(destination string) (*kamal.Config, error) {
		if config := loaded[destination]; config != nil {
			return config, nil
		}
		config, err := resolved.Load(ctx, binary, kamal.ProjectOptions{
			Dir: o.Dir, ConfigFile: o.ConfigFile, Destination: destination,
		}, a.envFor(destination))
		if err == nil {
			loaded[destination] = config
		}
		return config, err
	}
	return nil
}

// fix writes what can be written, and gives the report of what is then there.
// The diff goes beside a report that a program reads.
func (c checkCommand) fix(ctx context.Context, a *app, o check.Options, report check.Report) (check.Report, error) {
	files := o
	files.Env = nil // what is written must hold on every machine
	plan, err := edit.Fix(files, report)
	if err != nil {
		return report, err
	}
	if !c.DryRun {
		if err := plan.Write(o.Dir); err != nil {
			return report, err
		}
	}
	out := a.Stdout
	if c.Format != "text" {
		out = a.Stderr
	}
	if err := edit.WritePlan(out, plan, c.DryRun, a.colours(out), a.folder(out)); err != nil {
		return report, fmt.Errorf("writing what was changed: %w", err)
	}
	if c.DryRun || len(plan.Changes) == 0 {
		return report, nil
	}
	if c.Format == "text" {
		if _, err := fmt.Fprintln(out); err != nil {
			return report, fmt.Errorf("writing what was changed: %w", err)
		}
	}
	report, err = check.Check(ctx, o)
	return report, a.explainConnect(err)
}

// forDestination gives a check the options of each destination: the project file may
// have other ones for it than those that hold here.
func (c checkCommand) forDestination(a *app) func(check.Options, string) (check.Options, error) {
	return func(o check.Options, destination string) (check.Options, error) {
		if destination == c.Destination || a.lookup.file.file == nil {
			return o, nil
		}
		g, err := a.again(destination)
		if err != nil {
			return o, err
		}
		if o.Env != nil {
			o.Env = a.envFor(destination)
		}
		err = g.Check.toCheck(&o)
		return o, err
	}
}

// toCheck has a check look at what the options declare.
func (f vaultFlags) toCheck(o *check.Options) error {
	declared, err := f.declarations(unread)
	if err != nil {
		return err
	}
	o.Declared = nil
	for _, d := range declared {
		o.Declared = append(o.Declared, check.Declared{Name: d.Name, Ref: d.Ref, Variable: d.Variable, Origin: d.Origin})
	}
	o.Keys, err = f.namedKeys()
	o.AllowEmpty, o.AllowReference, o.AllowNames = f.AllowEmpty.names(), f.AllowReference.names(), f.AllowName.names()
	return err
}

// namedKeys are the SSH keys and their passphrase.
func (f vaultFlags) namedKeys() ([]check.Declared, error) {
	keys, err := f.keys(unread)
	if err != nil {
		return nil, err
	}
	passphrase, err := f.passphrase(unread)
	if err != nil {
		return nil, err
	}
	var named []check.Declared
	for _, key := range keys { // of one that is loaded, the vault has nothing
		named = append(named, check.Declared{Name: "the SSH key", Ref: key.Ref, Origin: check.KeyOrigin})
	}
	return append(named, check.Declared{Name: "the passphrase", Ref: passphrase.Ref, Origin: "--ssh-key-passphrase"}), nil
}

// tell writes the report; on a CI system that can show them at the line, its
// findings are annotations too.
func (c checkCommand) tell(a *app, report check.Report) error {
	var err error
	report = gate.Cleaned(a.gate, report) // before anything in it is made visible
	switch c.Format {
	case "json":
		err = check.WriteJSON(a.Stdout.JSON(), report)
	case "sarif":
		err = check.WriteSARIF(a.Stdout.JSON(), report, releaseVersion())
	default:
		err = check.WriteText(a.Stdout, report, a.colours(a.Stdout), columns(a.Stdout))
		if a.env["GITHUB_ACTIONS"] == "true" {
			annotate(a, report)
		}
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if report.Failed() {
		return exitStatus(problem.Found)
	}
	return nil
}

func annotate(a *app, report check.Report) {
	for _, f := range report.Findings {
		switch f.Level {
		case check.Error:
			a.system.Error(f.Problem)
		case check.Warning:
			a.system.Warning(f.Problem)
		default:
			a.system.Notice(f.Problem)
		}
	}
}
