package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/rotate"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// rotateCommand is `kamal-op rotate [NAME…]`.
type rotateCommand struct {
	vaultFlags
	timeFlags
	destinationFlag
	configFileFlag
	hostsFlag `set:"hosts=Look at these hosts only, separated by commas."`
	rolesFlag `set:"roles=Look at these roles only, separated by commas."`
	kamalFlag
	directoryFlag
	envFlag
	lockFlags
	checkFlag
	hostKeysFlag
	opScopeFlag
	exactFlag
	dryChangeFlag `set:"dry_run=Show what would be booted again, and boot nothing."`
	Accessory     lines    `name:"accessory" placeholder:"NAME" help:"Reboot this accessory too, where it runs with an old value: it is stopped, its image pulled, and started anew. Repeatable." complete:"accessory"`
	JSON          bool     `name:"json" help:"Print what was booted, and what was left, as JSON."`
	Names         []string `arg:"" optional:"" name:"name" help:"Secrets to look at (default all)." complete:"secret"`
}

// rotations is how often a choice is made anew, since others deploy in between.
const rotations = 5

// A rotation is one run of the command.
type rotation struct {
	*app
	flags  rotateCommand
	choice rotate.Choice
	series *deploy.Session
	tried  bool          // something was to be booted, and all else was told before that
	done   []rotate.Boot // what was
	began  time.Time
}

// Run boots what runs with old values again, and ends with 0 where nothing does any more.
func (c rotateCommand) Run(a *app) error {
	if err := a.show(logFlags{}, c.WorkingDirectory, !c.JSON); err != nil {
		return err
	}
	j, err := c.job(a)
	if err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	j.Process = a.process(signals)
	if c.JSON {
		j.Stdout = a.Stderr // standard output is the report's
	}
	if j.Vault.Prepare != nil {
		j.Vault.Prepare()
	}
	r := &rotation{app: a, flags: c, choice: rotate.Choice{Secrets: slices.Concat(c.Names, a.rest), Accessories: c.Accessory.names()}, done: []rotate.Boot{}, began: time.Now()}
	if r.series, err = j.Open(ctx); err != nil {
		return a.explainConnect(err)
	}
	plan, err := r.run(ctx)
	err = r.ended(ctx, plan, err)
	return errors.Join(err, r.series.Close())
}

// job is what Kamal needs to look and to boot.
func (c rotateCommand) job(a *app) (j deploy.Job, err error) {
	if err := a.withEnv(c.Env); err != nil {
		return j, err
	}
	j = deploy.Job{
		Kamal: c.Kamal, Check: deploy.CheckLevel(c.Check), AnyVault: c.OpScope == "any",
		Project: kamal.ProjectOptions{Dir: a.dir, ConfigFile: c.ConfigFile, Destination: c.Destination, Env: a.Env},
	}
	err = a.complete(&j, c.vaultFlags, c.hostKeysFlag, c.exactFlag, c.lockFlags)
	return j, err
}

// run looks, tells and boots. What it gives is what is left after that. Where others
// deploy in between, so that something else runs, it is chosen anew.
func (r *rotation) run(ctx context.Context) (plan rotate.Plan, err error) {
	for range rotations {
		var report rotate.Report
		if plan, report, err = r.look(ctx); err != nil {
			return plan, err
		}
		if err := r.tell(plan, report); err != nil {
			return plan, err
		}
		if r.flags.DryRun || len(plan.Boots) == 0 {
			return plan, nil
		}
		if !plan.Locked(report) {
			return plan, &problem.Problem{
				Message: "nothing is booted: the deploy lock lies on " + report.Lock + ", which could not be reached",
				Hint:    "rotate when it is back", Status: problem.Partial,
			}
		}
		err = r.boot(ctx, plan)
		if ours := problem.Of(err); len(ours) != 1 || ours[0].Status != rotate.Changed {
			return r.after(ctx, plan, err)
		}
		r.system.Info("something else runs now than what was to be booted again: looking anew")
	}
	return plan, problem.New("each time that the deploy lock was free, something else ran than before", "rotate when nothing else is being deployed")
}

// look asks what runs, and makes the plan of it.
func (r *rotation) look(ctx context.Context) (rotate.Plan, rotate.Report, error) {
	c := r.flags
	out, err := r.series.Ask(ctx, deploy.Call{
		Title: "asking the containers what they have", Preload: rotate.Preload(),
		Args: kamal.Args(rotate.LookCommand, kamal.ArgOptions{Destination: c.Destination, ConfigFile: c.ConfigFile, Hosts: commas(c.Hosts), Roles: commas(c.Roles)}),
	})
	if err != nil {
		return rotate.Plan{}, rotate.Report{}, err
	}
	report, err := rotate.Parse(out)
	if err == nil {
		err = r.choice.Check(report)
	}
	if err != nil {
		return rotate.Plan{}, rotate.Report{}, err
	}
	return r.choice.Plan(report), report, nil
}

// tell shows a plan before it is carried out.
func (r *rotation) tell(plan rotate.Plan, report rotate.Report) error {
	for _, version := range plan.Elsewhere(report) {
		r.system.Notice(problem.New("deploy.yml is here as in version "+report.Version+", and "+version+" runs: what else differs between the two comes with the boot",
			"kamal-op plan --version "+kamal.ShellWord(version)+" shows it"))
	}
	if r.flags.JSON {
		return nil
	}
	err := r.report(gate.Cleaned(r.gate, plan).Text(r.colours(r.Stdout)))
	return err
}

// boot carries a plan out, in one Kamal that holds the deploy lock.
func (r *rotation) boot(ctx context.Context, plan rotate.Plan) error {
	env, err := plan.Environment()
	if err != nil {
		return err
	}
	_, err = r.series.Run(ctx, deploy.Call{
		Title: "booting what has old values again", Preload: rotate.Preload(), Env: env,
		Args: kamal.Args(rotate.BootCommand, kamal.ArgOptions{Destination: r.flags.Destination, ConfigFile: r.flags.ConfigFile, Version: plan.Version()}),
	})
	return err
}

// after looks at what a boot has changed, also where it failed.
func (r *rotation) after(ctx context.Context, plan rotate.Plan, err error) (rotate.Plan, error) {
	r.tried, r.done = true, nil // what of it was booted is not known yet
	if ctx.Err() != nil {
		return plan, err
	}
	left, _, lookErr := r.look(ctx)
	if lookErr != nil {
		return plan, errors.Join(err, lookErr)
	}
	r.done = plan.Done(left)
	return left.Undone(), err
}

// rotated is the report as a program reads it.
type rotated struct {
	Equal  bool `json:"equal"` // every container that was looked at has what the vault has
	DryRun bool `json:"dry_run"`
	rotate.Plan
}

// ended tells how the run ended, to the log, the summary, and whoever reads the report.
func (r *rotation) ended(ctx context.Context, plan rotate.Plan, err error) error {
	status := r.status(ctx, plan, err)
	var told problem.List
	if err = r.explainConnect(err); err != nil && !errors.As(err, new(supervise.Signalled)) {
		told = problem.Of(err)
	}
	r.app.tell(told.Err(), "rotate")
	report := rotated{Equal: err == nil && plan.Equal(), DryRun: r.flags.DryRun, Plan: plan}
	if !r.flags.DryRun {
		report.Boots = r.done
	}
	if err := r.write(report, err); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if r.tried || len(told) > 0 && !r.flags.DryRun {
		r.summary(ctx, status, told)
	}
	return exitStatus(status)
}

// status is the status of a run that ended so.
func (r *rotation) status(ctx context.Context, plan rotate.Plan, err error) int {
	var signalled supervise.Signalled
	switch {
	case errors.As(context.Cause(ctx), &signalled):
		return signalled.Status()
	case err != nil:
		return problem.Status(err)
	case len(plan.Unreached) > 0:
		return problem.Partial
	case r.flags.DryRun || plan.Equal():
		return problem.Done
	}
	return problem.Found
}

// write writes the report. As text the plan has been told before; here is what is left of
// it, and how it ended.
func (r *rotation) write(report rotated, failed error) error {
	if r.flags.JSON {
		encoder := json.NewEncoder(r.Stdout.JSON())
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	text := ""
	if r.tried {
		text = gate.Cleaned(r.gate, report.Plan).RestText(r.colours(r.Stdout))
	}
	n := 0
	for _, boot := range report.Boots {
		n += len(boot.Hosts)
	}
	switch {
	case failed != nil: // which is told
	case report.DryRun:
		text += fmt.Sprintf("%d containers would be booted again\n", n)
	case n == 0 && report.Equal:
		text += "nothing runs with an old value: there is nothing to do\n"
	case n == 0:
		text += "nothing was booted again\n"
	case report.Equal:
		text += fmt.Sprintf("%d containers were booted again, and each has what the vault has\n", n)
	default:
		text += fmt.Sprintf("%d containers were booted again\n", n)
	}
	return r.report(text)
}

// summary is the page beside the log.
func (r *rotation) summary(ctx context.Context, status int, told problem.List) {
	report := r.series.Report(ctx)
	report.Command, report.Destination, report.RunURL = "rotate", r.flags.Destination, workflowRun(r.env).URL
	report.Status, report.Took, report.Problems = status, time.Since(r.began), told
	if err := r.system.Summary(gate.Cleaned(r.gate, report).Markdown()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		r.system.Warning(problem.New("the summary of the run could not be written: "+err.Error(), ""))
	}
}
