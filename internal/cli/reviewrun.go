package cli

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A reviewing is one run of a review command.
type reviewing struct {
	*app
	flags  reviewFlags
	rules  review.Rules
	github *github.Client // nil without a token
	event  string         // the workflow's, where the plan is that of an event
	review *review.Review
	report ci.Report // what the run's commands tell
	began  time.Time
}

// carry decides, and has the plan carried out. What is decided here comes before
// Kamal is looked for, 1Password asked or anything of the project read, since all
// of these can be a stranger's.
func (c reviewFlags) carry(a *app, decide decision, act func(*review.Review, context.Context, review.Plan) (review.Outcome, error)) error {
	if err := a.show(c.logFlags, c.WorkingDirectory, true); err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	r, err := c.begin(a)
	if err != nil {
		return err
	}
	defer r.close()
	plan, err := decide(ctx, r)
	if err != nil {
		return r.ended(ctx, review.Outcome{}, err)
	}
	if plan.Do == review.Nothing {
		out, err := r.review.Carry(ctx, plan) // answers the comment, and says why
		return r.ended(ctx, out, err)
	}
	series, err := r.open(ctx, a.process(signals), plan)
	if err != nil {
		return r.ended(ctx, review.Outcome{Plan: plan}, err)
	}
	r.review.Runner = runner{series}
	out, err := act(r.review, ctx, plan)
	out.Plan.Number = plan.Number
	r.report = series.Report(ctx)
	return r.ended(ctx, out, errors.Join(err, series.Close()))
}

// begin reads the options. It looks at nothing of the project's.
func (c reviewFlags) begin(a *app) (*reviewing, error) {
	r := &reviewing{app: a, flags: c, rules: review.Rules{Label: c.ReviewLabel}, began: time.Now()}
	if len(a.rest) > 0 {
		return nil, problem.Usagef("kamal-op review COMMAND --help lists what there is", "review commands take no arguments of Kamal's")
	}
	var problems problem.List
	for _, o := range []struct{ option, given string }{{"--version", c.Version}, {"--hosts", c.Hosts}, {"--roles", c.Roles}} {
		if o.given != "" {
			problems = append(problems, problem.Usagef("leave it out", "%s is not for review apps: each has its own", o.option))
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if c.ReviewHost == "" {
		return nil, problem.Usagef("for example --review-host review.example.com, with a wildcard record in the DNS",
			"no --review-host is given: the domain that previews answer under")
	}
	create, createErr := tasks(c.ReviewCreate)
	drop, dropErr := tasks(c.ReviewDrop)
	if err := errors.Join(createErr, dropErr); err != nil {
		return nil, err
	}
	if c.Limit < 0 {
		return nil, problem.Usagef("give how many previews may run at once", "--limit %d is no number of previews", c.Limit)
	}
	if c.Destination == "" {
		r.flags.Destination = review.DefaultDestination
	}
	if c.CoreCache == "" {
		// Pull requests' code runs as this user: what lies in the user's cache is not
		// run beside a preview's secrets.
		r.flags.NoCoreCache = true
	}
	var err error
	if r.github, err = a.githubClient(c.Repository); err != nil {
		return nil, err
	}
	r.review = &review.Review{
		GitHub: r.github, Run: workflowRun(a.env), Say: a.system.Info, Masked: a.gate.Error,
		Project: review.Project{
			Service: c.Service, Repository: a.repository(c.Repository), Host: c.ReviewHost, Destination: r.flags.Destination,
			Production: c.ProductionDestination, Alone: c.NoProduction, Create: create, Drop: drop,
			Rules: r.rules, Safety: review.Safety{SharedAccessories: c.SharedAccessories.names(), AllowOptions: c.AllowOption.texts()},
			Sweeping:   review.Sweeping{TTL: time.Duration(c.TTL), Keep: c.KeepLabel, Limit: c.Limit, Full: review.Full(c.WhenFull)},
			ReadyCheck: review.ReadyCheck{Path: c.ReadyPath, Timeout: c.ReadyTimeout},
		},
	}
	if c.SkipPush {
		r.review.Project.DeployArgs = []string{"--skip-push"}
	}
	return r, nil
}

// close ends what begin has begun.
func (r *reviewing) close() {
	if r.github != nil {
		r.github.Close()
	}
}

// open does what comes before the first Kamal command: the workspace is held
// against the plan before anything in it is read, and then what is wrong with the
// project, the secrets and this machine is told together.
func (r *reviewing) open(ctx context.Context, p deploy.Process, plan review.Plan) (*deploy.Session, error) {
	c := checkout{dir: r.dir, env: r.Env}
	if plan.Do == review.Deploy || r.event != "" {
		if err := plan.CheckOut(r.event, c.head(ctx), r.env["GITHUB_SHA"]); err != nil {
			return nil, err
		}
	}
	r.keepFromHead(ctx, c, plan.Base, r.github, kamal.ProjectOptions{ConfigFile: r.flags.ConfigFile, Destination: r.flags.Destination})
	p.Env = r.Env
	if err := r.service(r.dir); err != nil {
		return nil, err
	}
	deploys := plan.Do == review.Deploy
	if !deploys {
		// What is amiss with the secrets' names keeps nothing from being removed.
		r.flags.Check = string(deploy.CheckOff)
	}
	j, err := r.flags.fill(r.app, deploy.Job{Args: []string{"deploy"}, Builds: deploys && !r.flags.SkipPush}, deploys)
	if err != nil {
		return nil, err
	}
	j.Process = p
	if deploys {
		app, err := review.NewApp(r.review.Project.Service, r.flags.ReviewHost, r.flags.Destination, plan.Number, plan.SHA)
		if err != nil {
			return nil, err
		}
		j.Project.Env = append(j.Project.Env[:len(j.Project.Env):len(j.Project.Env)], app.Env()...)
		if err := r.checkItems(ctx, c, plan, j); err != nil {
			return nil, err
		}
		r.leave(plan)
	}
	return j.Open(ctx)
}

// service finds production's service, without which a preview has no name.
func (r *reviewing) service(dir string) error {
	if r.review.Project.Service != "" {
		return nil
	}
	config, err := kamal.ReadConfig(kamal.ProjectOptions{Dir: dir, ConfigFile: r.flags.ConfigFile, Destination: r.flags.ProductionDestination})
	if err != nil {
		return err
	}
	if !config.Service.Known {
		return problem.Usagef("give it with --service", "the service in %s is not known before ERB has run", config.Files[0])
	}
	r.review.Project.Service = config.Service.Text
	return nil
}

// checkItems refuses a preview that would read an item which production's secrets
// are in, by what stands in the base commit.
func (r *reviewing) checkItems(ctx context.Context, c checkout, plan review.Plan, j deploy.Job) error {
	if r.flags.SharedSecrets || r.flags.NoProduction || plan.Base == "" {
		return nil
	}
	base, err := c.base(ctx, plan.Base, r.github, kamal.ProjectOptions{
		ConfigFile: r.flags.ConfigFile, Destination: r.flags.ProductionDestination,
	})
	if err != nil {
		return err
	}
	project, err := kamal.OpenProject(j.Project)
	if err != nil {
		return err
	}
	refs := broker.References(project)
	for _, key := range j.Wanted.Keys {
		refs = append(refs, key.Ref)
	}
	for _, d := range j.Wanted.Secrets {
		refs = append(refs, d.Ref)
	}
	refs = append(refs, j.Wanted.Passphrase.Ref)
	for _, c := range j.Wanted.Certs {
		refs = append(refs, c.Ref)
	}
	return review.CheckItems(items(base), items(refs))
}

// items are references as vault/item.
func items(refs []onepassword.Reference) []string {
	var list []string
	for _, ref := range refs {
		if ref.Item != "" {
			list = append(list, ref.Vault+"/"+ref.Item)
		}
	}
	return list
}

// ended tells how the run ended, to the log, the summary and later steps.
func (r *reviewing) ended(ctx context.Context, out review.Outcome, err error) error {
	status := problem.Status(err)
	var signalled supervise.Signalled
	var late deploy.OutOfTime
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &signalled):
		status = signalled.Status()
		if out.Plan.Do != review.Sweep {
			err = nil // whoever cancelled knows
		}
	case errors.As(cause, &late):
		if status = problem.TimedOut; problem.Status(err) != problem.TimedOut {
			err = errors.Join(late.Problem("before all was done"), err)
		}
	}
	for _, p := range out.Untold {
		r.system.Warning(p)
	}
	var told problem.List
	if err = r.explainConnect(err); err != nil {
		told = problem.Of(err)
	}
	r.tell(told.Err(), "review")
	if out.URL != "" {
		r.system.Info("the preview answers at " + out.URL)
	}
	report := r.report
	report.RunURL, report.Status, report.Took, report.Problems = r.review.Run.URL, status, time.Since(r.began), told
	errs := []error{r.system.Summary(gate.Cleaned(r.gate, out).Page(gate.Cleaned(r.gate, report)))}
	if out.App.SHA != "" {
		errs = append(errs, r.system.Output("version", out.App.Version))
	}
	if out.URL != "" {
		errs = append(errs, r.system.Output("url", out.URL))
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			r.system.Warning(problem.New("the summary of the run could not be written: "+err.Error(), ""))
			break
		}
	}
	return exitStatus(status)
}

// A runner runs a review's commands in a series.
type runner struct{ series *deploy.Session }

// Run is part of review.Runner.
func (r runner) Run(ctx context.Context, c review.Command) ([]byte, error) {
	return r.series.Run(ctx, deploy.Call{Title: c.Title, Env: c.Env, Args: c.Args, Capture: c.Capture, Preload: c.Preload})
}

// workflowRun is the workflow's run that this is part of.
func workflowRun(env map[string]string) review.Run {
	var run review.Run
	run.ID, _ = strconv.ParseInt(env["GITHUB_RUN_ID"], 10, 64)
	run.Attempt, _ = strconv.ParseInt(env["GITHUB_RUN_ATTEMPT"], 10, 64)
	if server, repository := env["GITHUB_SERVER_URL"], env["GITHUB_REPOSITORY"]; run.ID != 0 && server != "" && repository != "" {
		run.URL = server + "/" + repository + "/actions/runs/" + env["GITHUB_RUN_ID"]
	}
	return run
}
