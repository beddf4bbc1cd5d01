package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/duration"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

type (
	// reviewCommand is `kamal-op review COMMAND`.
	reviewCommand struct {
		Deploy reviewDeployCommand `cmd:"" help:"Deploy the preview of a pull request, whose head must be checked out."`
		Remove reviewRemoveCommand `cmd:"" help:"Remove the preview of a pull request, with all that is its own."`
		Sweep  reviewSweepCommand  `cmd:"" help:"Remove the previews of closed pull requests, and those that have expired."`
		Status reviewStatusCommand `cmd:"" help:"Show everything that is on the hosts of one preview."`
		List   reviewListCommand   `cmd:"" help:"Show every preview that is on the hosts."`
		Build  reviewBuildCommand  `cmd:"" help:"Build and push a preview's image, and nothing else."`
		Event  reviewEventCommand  `cmd:"" help:"Do what the event of this workflow asks for: the action's command review."`
	}
	reviewDeployCommand struct {
		reviewFlags
		Number int `arg:"" name:"number" help:"The pull request's number."`
	}
	reviewRemoveCommand struct {
		reviewFlags
		Number int `arg:"" name:"number" help:"The pull request's number."`
	}
	reviewSweepCommand struct {
		reviewFlags
		DryRun bool `name:"dry-run" help:"Say what a sweep would remove, and remove nothing."`
	}
	reviewStatusCommand struct {
		reviewFlags
		reportFormatFlag
		Number int `arg:"" name:"number" help:"The pull request's number."`
	}
	reviewListCommand struct {
		reviewFlags
		reportFormatFlag
	}
	reviewBuildCommand struct {
		reviewFlags
		Number int `arg:"" optional:"" name:"number" help:"The pull request's number (default that of the workflow's event)."`
	}
	reviewEventCommand struct {
		reviewFlags
		DryRun bool `name:"dry-run" help:"Where the event asks for a sweep: say what it would remove, and remove nothing."`
	}
)

// reviewFlags are the options of review apps, beside those of a deploy.
type reviewFlags struct {
	deployCommand
	Repository string `name:"repository" placeholder:"OWNER/NAME" help:"GitHub's repository (default GITHUB_REPOSITORY)."`

	ReviewHost  string `name:"review-host" placeholder:"HOST" help:"Domain of the previews, such as review.example.com for pr-12.review.example.com, or a template with {app}, {number} or {service}." file:"yes"`
	ReviewLabel string `name:"review-label" placeholder:"LABEL" help:"Deploy only pull requests with this label (default all of the repository's own)." file:"yes"`

	Service               string `name:"service" placeholder:"NAME" help:"Production's service (default that of deploy.yml)." file:"yes"`
	ProductionDestination string `name:"production-destination" placeholder:"NAME" help:"Kamal's destination of production, which previews are held against (default none)." complete:"destination" file:"yes"`
	NoProduction          bool   `name:"no-production" help:"There is no production in this project that previews could be held against." file:"confirmed"`
	SharedAccessories     lines  `name:"shared-accessories" placeholder:"NAME" help:"Accessories that previews share with each other or with production: never booted, stopped or removed. Repeatable." complete:"accessory" file:"yes"`
	AllowOption           lines  `name:"allow-option" placeholder:"NAME[=VALUE]" help:"Option of docker run that a preview may have although it is not its own, such as volume=/srv/media:/media:ro, with {service} and {number} filled in. Repeatable." file:"confirmed"`
	SharedSecrets         bool   `name:"shared-secrets" help:"Let a preview read the 1Password items that production's secrets are in." file:"confirmed"`

	SkipPush     bool  `name:"skip-push" help:"Deploy the image that review build has pushed, and build none."`
	ReviewCreate lines `name:"review-create" placeholder:"[ACCESSORY: ]COMMAND" help:"Command to run before a deploy in an accessory, or after it in the app, with {database}, {service} and {number} filled in. Repeatable." file:"yes"`
	ReviewDrop   lines `name:"review-drop" placeholder:"[ACCESSORY: ]COMMAND" help:"Command to run at the removal, in the same places. Repeatable." file:"yes"`

	ReadyPath    string        `name:"ready-path" placeholder:"PATH" help:"Path that is requested until the preview answers (default the proxy's health path, or /up)." file:"yes"`
	ReadyTimeout time.Duration `name:"ready-timeout" placeholder:"DURATION" help:"How long the preview may take to answer (default 2m; less than 0 does not ask)." file:"yes"`

	TTL       days   `name:"ttl" placeholder:"DURATION" help:"A sweep removes previews without a push for so long, such as 10d or 36h (default never)." file:"yes"`
	KeepLabel string `name:"keep-label" placeholder:"LABEL" help:"Open pull requests with this label are kept by every sweep." file:"yes"`
	Limit     int    `name:"limit" placeholder:"N" help:"How many previews may run at once (default any number)." file:"yes"`
	WhenFull  string `name:"when-full" enum:"oldest-goes,new-waits" default:"oldest-goes" help:"What happens where the limit is reached: oldest-goes or new-waits." file:"yes"`
}

// days is a duration that may be given in days: 10d.
type days time.Duration

// UnmarshalText reads it.
func (d *days) UnmarshalText(text []byte) error {
	all, err := duration.Parse(string(text))
	if err != nil || all < 0 {
		return fmt.Errorf("%q is no duration: write 10d or 36h", strings.TrimSpace(string(text)))
	}
	*d = days(all)
	return nil
}

// Run deploys.
func (c reviewDeployCommand) Run(a *app) error {
	return c.carry(a, asked(review.Deploy, c.Number), (*review.Review).Carry)
}

// Run removes.
func (c reviewRemoveCommand) Run(a *app) error {
	return c.carry(a, asked(review.Remove, c.Number), (*review.Review).Carry)
}

// Run sweeps.
func (c reviewSweepCommand) Run(a *app) error {
	sweep := func(_ context.Context, r *reviewing) (review.Plan, error) {
		return review.Plan{Do: review.Sweep, Why: "by hand"}, r.needGitHub()
	}
	return c.carry(a, sweep, dryOr(c.DryRun))
}

// Run builds.
func (c reviewBuildCommand) Run(a *app) error {
	decide := decision(ofEvent)
	if c.Number != 0 {
		decide = asked(review.Deploy, c.Number)
	}
	c.SkipPush = false
	return c.carry(a, decide.toBuild, (*review.Review).Build)
}

// Run does what the event asks for.
func (c reviewEventCommand) Run(a *app) error {
	return c.carry(a, ofEvent, dryOr(c.DryRun))
}

// dryOr carries a plan out, or tells what a sweep would do.
func dryOr(dry bool) func(*review.Review, context.Context, review.Plan) (review.Outcome, error) {
	return func(r *review.Review, ctx context.Context, p review.Plan) (review.Outcome, error) {
		if dry && p.Do == review.Sweep {
			return r.DryRun(ctx)
		}
		return r.Carry(ctx, p)
	}
}

// A decision makes the plan of a run, before anything of the project is read.
type decision func(ctx context.Context, r *reviewing) (review.Plan, error)

// toBuild is the decision of a job that builds: there is nothing to do where another
// job removes or sweeps, and it is that job which answers a comment.
func (d decision) toBuild(ctx context.Context, r *reviewing) (review.Plan, error) {
	plan, err := d(ctx, r)
	if err == nil && plan.Do != review.Deploy {
		if plan.Do != review.Nothing {
			plan.Do, plan.Why = review.Nothing, "there is nothing to build"
		}
		plan.Comment, plan.Reaction = 0, ""
	}
	return plan, err
}

// asked decides on one pull request by its number. Without GitHub only a removal
// is possible: of nothing else is known what to deploy, and whether it is a fork's.
func asked(do review.Deed, number int) decision {
	return func(ctx context.Context, r *reviewing) (review.Plan, error) {
		if number <= 0 {
			return review.Plan{}, problem.Usagef("give a pull request's number", "%d is no pull request's number", number)
		}
		if r.github == nil && do == review.Remove {
			return review.Plan{Do: do, Number: number, Why: "by hand"}, nil
		}
		if err := r.needGitHub(); err != nil {
			return review.Plan{}, err
		}
		return review.Asked(ctx, do, number, r.github)
	}
}

// ofEvent decides on the event of the workflow that this runs in.
func ofEvent(ctx context.Context, r *reviewing) (review.Plan, error) {
	event, err := r.app.event("in a terminal, say what is wanted: kamal-op review deploy NUMBER")
	if err != nil {
		return review.Plan{}, err
	}
	r.event = event.Name
	if err := r.needGitHub(); err != nil {
		// What asks nothing of GitHub is decided all the same: a fork's token may
		// be missing, and that is no mistake.
		if plan, decided := review.Decide(ctx, event, r.rules, nobody{err}); decided != nil || plan.Do == review.Nothing {
			return plan, decided
		}
		return review.Plan{}, err
	}
	return review.Decide(ctx, event, r.rules, r.github)
}

// nobody answers nothing, for want of a token.
type nobody struct{ err error }

func (n nobody) PullRequest(context.Context, int) (github.PullRequest, error) {
	return github.PullRequest{}, n.err
}

func (n nobody) Permission(context.Context, string, int64) (github.Level, error) {
	return github.None, n.err
}

// tasks reads the commands for a preview's database.
func tasks(list lines) ([]review.Task, error) {
	var all []review.Task
	for _, l := range list {
		task, err := review.ParseTask(l.text)
		if err != nil {
			return nil, problem.Usagef("write 'ACCESSORY: COMMAND', or the command alone for the app", "%s: %v", l.origin, err)
		}
		all = append(all, task)
	}
	return all, nil
}
