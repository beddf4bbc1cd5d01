package cli

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/comment"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A pullPlan is a plan that a pull request is told of.
type pullPlan struct {
	*app
	client *github.Client
	pull   github.PullRequest
	of     []string // the configuration, where it is not the usual one, and the destination
	began  time.Time
}

// pull is the pull request of the workflow. nil is one whose code is not run: nothing of
// it is read.
func (c planCommand) pull(a *app) (*pullPlan, error) {
	event, err := a.event("leave --comment away: the plan is printed")
	if err != nil {
		return nil, err
	}
	switch {
	case event.Name == "pull_request_target":
		return nil, problem.Usagef("use `on: pull_request`", "pull_request_target would run the pull request's code with the repository's secrets")
	case event.Pull == nil:
		return nil, problem.Usagef("run it on: pull_request, or leave --comment away", "a pull request is commented, and the event %q is of none", event.Name)
	case event.Pull.Fork():
		a.system.Info("skipped: " + comment.FromFork)
		return nil, nil
	}
	client, err := a.githubClient("")
	if err != nil {
		return nil, err
	}
	if client == nil {
		return nil, noGitHub()
	}
	p := &pullPlan{app: a, client: client, pull: *event.Pull, began: time.Now()}
	p.of = c.of(a)
	return p, nil
}

// of is what a plan is of, so that each has a comment of its own: the configuration by its
// path in the repository, which is known also where nothing of it can be read, and the
// destination.
func (c planCommand) of(a *app) (of []string) {
	if path := a.configPath(c.ConfigFile); path != kamal.DefaultConfigFile {
		of = append(of, path)
	}
	if c.Destination != "" {
		of = append(of, c.Destination)
	}
	return of
}

// configPath is the path of a configuration in the repository, "" the usual one.
func (a *app) configPath(file string) string {
	file = cmp.Or(file, kamal.DefaultConfigFile)
	if inside, err := filepath.Rel(a.dir, file); err == nil && filepath.IsAbs(file) {
		file = inside
	}
	path := filepath.ToSlash(filepath.Clean(file))
	if dir, err := filepath.Rel(a.Dir, a.dir); err == nil {
		path = repoPath(filepath.ToSlash(dir), path)
	}
	return path
}

// withhold keeps GitHub's token from what the pull request has run.
func (p *pullPlan) withhold(ctx context.Context, c planCommand) {
	p.keepFromHead(ctx, checkout{dir: p.dir, env: p.Env}, p.pull.BaseSHA, p.client, kamal.ProjectOptions{ConfigFile: c.ConfigFile, Destination: c.Destination})
}

// tell keeps the one comment. What cannot be told fails no plan.
func (p *pullPlan) tell(ctx context.Context, a comment.Answer) {
	ctx, done := answering(ctx)
	defer done()
	a.SHA, a.RunURL, a.At, a.Took = p.pull.HeadSHA, workflowRun(p.env).URL, time.Now(), time.Since(p.began)
	p.untold(p.keepComment(ctx, p.client, p.pull.Number, commentMarker("plan", strings.Join(p.of, ":")), a))
}

// failed tells that there is no plan: an old one would be taken for that of now.
func (p *pullPlan) failed(ctx context.Context, err error) {
	a := comment.Answer{Title: "What a deploy would change is not known"}
	if len(p.of) > 0 {
		a.Title = "What a deploy of " + comment.Code(strings.Join(p.of, ", ")) + " would change is not known"
	}
	if deploy.Cancelled(ctx, problem.Status(err)) {
		a.Title += ": the run was cancelled"
	} else {
		a.Problems = problem.Of(p.gate.Error(err))
	}
	p.tell(ctx, a)
}

// planTitle is what a comment with a plan begins with.
func planTitle(p plan.Plan, destination string) string {
	of := p.Service
	if destination != "" {
		of += " (" + destination + ")"
	}
	switch {
	case !p.Changes && len(p.Unreached) > 0:
		return "What a deploy of " + comment.Code(of) + " would change is not known: not all hosts could be asked"
	case !p.Changes:
		return "A deploy of " + comment.Code(of) + " would change nothing"
	}
	return "What a deploy of " + comment.Code(of) + " would change"
}
