package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/freeze"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

type (
	// freezingFlags are what a freeze and a thaw need to reach the hosts.
	freezingFlags struct {
		vaultFlags
		timeFlags
		destinationFlag
		configFileFlag
		kamalFlag
		directoryFlag
		envFlag
		hostKeysFlag `set:"host_keys="`
		opScopeFlag  `set:"op_scope="`
		JSON         bool `name:"json" help:"Print whether the app is frozen, by whom and why, as JSON."`
	}
	// freezeCommand is `kamal-op freeze`.
	freezeCommand struct {
		freezingFlags
		lockFlags
		Message string `name:"message" short:"m" placeholder:"TEXT" help:"Why the app is frozen, for whoever would deploy it: one line."`
		Until   string `name:"until" placeholder:"TIME" help:"When the freeze is over by itself: a duration such as 4h or 3d, or a time with its zone such as 2026-12-24T18:00Z (default when it is thawed)."`
	}
	// thawCommand is `kamal-op thaw`.
	thawCommand struct{ freezingFlags }
)

// Run freezes, and ends with 0 where the app is frozen as was asked for.
func (c freezeCommand) Run(a *app) error {
	f, err := freeze.Of(c.Message, c.Until, time.Now())
	if err != nil {
		return err
	}
	locks, err := c.locks(a)
	if err != nil {
		return err
	}
	locks.Freeze = &f
	return c.freezing(a, locks, func(ctx context.Context, s *deploy.Session) (freeze.Report, error) {
		l, err := c.ask(ctx, s, freeze.LookCommand, freeze.LookEnvironment())
		if err != nil {
			return freeze.Report{}, err
		}
		missing, err := l.Missing(f, time.Now())
		if err != nil {
			return freeze.Report{}, err
		}
		if len(missing) == 0 {
			return l.Report(time.Now()), nil
		}
		if l, err = c.ask(ctx, s, freeze.TakeCommand, freeze.TakeEnvironment(missing)); err != nil {
			return freeze.Report{}, err
		}
		r := l.Report(time.Now())
		r.Changed = true
		if slices.ContainsFunc(missing, func(host string) bool { return !slices.Contains(r.Hosts, host) }) {
			r.Changed = false
			return r, problem.New("this Kamal takes its deploy lock in a way that kamal-op does not know; the locks it took are not marked as a freeze", "kamal-op kamal -- lock status shows it; take a newer kamal-op")
		}
		return r, nil
	}, freeze.Report.FrozenText)
}

// Run thaws, and ends with 0 where no host is frozen any more.
func (c thawCommand) Run(a *app) error {
	return c.freezing(a, deploy.LockOptions{}, func(ctx context.Context, s *deploy.Session) (freeze.Report, error) {
		l, err := c.ask(ctx, s, freeze.LookCommand, freeze.LookEnvironment())
		if err != nil {
			return freeze.Report{}, err
		}
		r := l.Report(time.Now())
		frozen := l.Frozen()
		if len(frozen) == 0 {
			return r, nil
		}
		after, err := c.ask(ctx, s, freeze.ThawCommand, l.ThawEnvironment(frozen))
		if err != nil {
			return r, err
		}
		r, kept := r.Thawed(after)
		if len(kept) > 0 {
			release := "kamal-op kamal -- lock release"
			if c.Destination != "" {
				release += " --destination " + c.Destination
			}
			return r, &problem.Problem{
				Message: "the freeze on " + strings.Join(kept, ", ") + " could not be removed",
				Details: []string{"the user that Kamal logs in as may not, or its details are not as kamal-op writes them"},
				Hint:    "log in as who took it; by hand: " + release, Status: problem.Partial,
			}
		}
		return r, nil
	}, freeze.Report.ThawedText)
}

// freezing does one of the two, and tells what came of it.
func (c freezingFlags) freezing(a *app, locks deploy.LockOptions, do func(context.Context, *deploy.Session) (freeze.Report, error), text func(freeze.Report, time.Time) string) error {
	if err := a.show(logFlags{}, c.WorkingDirectory, false); err != nil {
		return err
	}
	j, err := c.job(a)
	if err != nil {
		return err
	}
	j.Locks = locks
	ctx, signals, stop := c.context(a)
	defer stop()
	j.Process = a.process(signals)
	j.Stdout = a.Stderr // standard output is the report's
	s, err := j.Open(ctx)
	if err != nil {
		return a.explainConnect(err)
	}
	r, failed := do(ctx, s)
	failed = errors.Join(a.explainConnect(failed), s.Close())
	if failed != nil && !r.Changed {
		return failed
	}
	if c.JSON {
		encoder := json.NewEncoder(a.Stdout.JSON())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
	} else {
		err = a.report(text(gate.Cleaned(a.gate, r), time.Now()))
	}
	switch {
	case err != nil:
		return fmt.Errorf("writing the report: %w", err)
	case failed != nil:
		return failed
	case len(r.Unreached) > 0:
		return exitStatus(problem.Partial)
	}
	return nil
}

// job is what Kamal needs to get to the locks.
func (c freezingFlags) job(a *app) (deploy.Job, error) {
	return a.askJob(c.vaultFlags, c.Env, c.HostKeys, deploy.Job{
		Kamal: c.Kamal, AnyVault: c.OpScope == "any",
		Project: kamal.ProjectOptions{ConfigFile: c.ConfigFile, Destination: c.Destination},
	})
}

// ask has Kamal do something about the locks, and gives what it says of them then.
func (c freezingFlags) ask(ctx context.Context, s *deploy.Session, command string, env []string) (freeze.Locks, error) {
	title := map[string]string{
		freeze.LookCommand: "asking the hosts for their deploy locks", freeze.TakeCommand: "taking the deploy locks, to stay",
		freeze.ThawCommand: "giving the deploy locks back",
	}[command]
	out, err := s.Ask(ctx, deploy.Call{
		Title: title, Preload: freeze.Preload(), Env: env,
		Args: kamal.Args(command, kamal.ArgOptions{Destination: c.Destination, ConfigFile: c.ConfigFile}),
	})
	if err != nil {
		return freeze.Locks{}, err
	}
	return freeze.Parse(out)
}
