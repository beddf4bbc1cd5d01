package cli

import (
	"context"
	"time"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/doctor"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
	"github.com/kamal-op/kamal-op/internal/watch"
)

// watchCommand is `kamal-op watch`: what the doctor asks, and what runs.
type watchCommand struct {
	lookFlags
	Issue bool `name:"issue" help:"Keep one issue on GitHub open for as long as something is wrong." note:"The token needs issues: write."`
}

// Run looks at what runs, and tells what is not as it should be. Nothing on a server is
// changed, and no lock is taken.
func (c watchCommand) Run(a *app) error {
	if token, _ := a.githubToken(); c.Issue && (token == "" || a.repository("") == "") {
		return problem.Usagef("run it in a workflow on GitHub, or set GITHUB_TOKEN and GITHUB_REPOSITORY",
			"--issue: no token for GitHub is given, or no repository").About(problem.Watching)
	}
	return c.look(a, (*doctorProject).watchChecks, func(ctx context.Context, p *doctorProject, r doctor.Report) error {
		if !c.Issue {
			return reported(r)
		}
		if err := p.keepIssue(ctx, r); err != nil || watch.Wrong(r) {
			return err // where there is none, the issue tells it
		}
		return reported(r)
	})
}

// watchChecks are those of what runs.
func (p *doctorProject) watchChecks() ([]doctor.Check, error) {
	checks, err := p.serverChecks()
	if err != nil {
		return nil, err
	}
	certificates := watch.Certificates{Hosts: p.certified, Now: time.Now}
	checks = append(checks, watch.CheckDrift(p.plan), certificates.Check())
	previews, err := p.previews()
	var job deploy.Job
	if previews != nil {
		p.reviews = previews
		job, err = p.previewJob(previews.flags.Destination)
	}
	switch {
	case err != nil: // of options that are not watch's own: all else is looked at
		checks = append(checks, watch.CheckPreviews(func(context.Context) ([]review.Orphan, int, error) { return nil, 0, err }))
	case previews != nil:
		checks = append(checks, watch.CheckPreviews(p.orphans(previews, job)))
	}
	return checks, nil
}

// keepIssue keeps the issue of this service and destination.
func (p *doctorProject) keepIssue(ctx context.Context, r doctor.Report) error {
	client, err := p.githubClient("")
	if err != nil {
		return err
	}
	of := ""
	if config, err := p.config(ctx); err == nil {
		of = config.Service.Or("")
	}
	if of == "" {
		return problem.New("the issue is not kept: which service this is, is not known", "what is wrong with deploy.yml stands above")
	}
	marker := "kamal-op:watch:" + of
	if d := p.given.Destination; d != "" {
		marker, of = marker+":"+d, of+" ("+d+")"
	}
	issue, err := client.Issue(ctx, github.Marker(marker), func(body string) github.IssueChange {
		return watch.Change(body, r, of, workflowRun(p.env).URL)
	})
	if err == nil && issue.URL != "" {
		p.system.Notice(problem.New("something is not as it should be: "+issue.URL, "the issue is closed by the run that finds nothing"))
	}
	return err
}

// plan is the plan of a deploy of what is checked out.
func (p *doctorProject) plan(ctx context.Context) (plan.Plan, error) {
	if p.backend == nil && !p.keyless {
		return plan.Plan{}, noCredentials()
	}
	out, err := p.job.Ask(ctx, deploy.Call{
		Title: "asking the hosts what they run", Preload: plan.Preload(), Args: kamal.Args(plan.Command, kamal.ArgOptions{Destination: p.given.Destination, ConfigFile: p.given.ConfigFile}),
	})
	if err != nil {
		return plan.Plan{}, p.explainConnect(err)
	}
	observed, err := plan.Parse(out)
	if err != nil {
		return plan.Plan{}, err
	}
	return gate.Cleaned(p.gate, plan.Of(observed)), nil
}

// certified are the hosts that the app is served under with TLS.
func (p *doctorProject) certified(ctx context.Context) (hosts []string) {
	config, err := p.config(ctx)
	if err != nil || !config.Proxy.TLS {
		return nil
	}
	for _, h := range config.Proxy.Hosts {
		if h.Known {
			hosts = append(hosts, h.Text)
		}
	}
	return hosts
}
