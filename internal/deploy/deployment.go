package deploy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// GitHub may take so long to accept a report: while the deploy runs and at its end, and
// after a cancellation, when the runner kills us 10 s after it asked us to stop.
const (
	reportTimeout    = 30 * time.Second
	cancelledTimeout = 3 * time.Second
)

// DeploymentState names the state in which the action's main step saves the deployment
// that it is about to create on GitHub.
const DeploymentState = "deployment"

// A Deployment reports a deploy to GitHub, as a deployment of an environment that the
// project names.
type Deployment struct {
	GitHub      *github.Client
	Environment string
	App         string // SERVICE or SERVICE/DESTINATION: other apps' deployments are left alone
	SHA         string // the commit that is deployed; "" where the version is none
	URL         string // where the app answers; "" where that is not known
	RunURL      string
	Run         int64
	Attempt     int64

	left *savedDeployments // of all apps of the run; nil where there is this one alone
}

// Close closes the connections to GitHub. A nil Deployment has none.
func (t *Deployment) Close() {
	if t != nil {
		t.GitHub.Close()
	}
}

// task is what the deployments of an app are known by. No preview has a task like it
// (review.App), whatever the app is called.
func (t Deployment) task() string { return "deploy/" + t.App }

// A savedDeployment is what the main step saves of one app under DeploymentState.
type savedDeployment struct {
	Environment, App string
	End              *github.Status `json:",omitempty"` // of a deploy that is over, where GitHub did not take it in time
}

// savedDeployments is what it saves of all apps that it deploys: a state has one value,
// and the next app's is not to take the place of that of the one before.
type savedDeployments []savedDeployment

// with is the list with the entry of one app, which replaces an earlier one of it.
func (all savedDeployments) with(one savedDeployment) savedDeployments {
	others := slices.DeleteFunc(slices.Clone(all), func(l savedDeployment) bool { return l.Environment == one.Environment && l.App == one.App })
	return append(others, one)
}

// shareDeployments has all of them save their deployments in one state.
func (t Jobs) shareDeployments() {
	left := new(savedDeployments)
	for _, j := range t {
		if j.Deployment != nil {
			j.Deployment.left = left
		}
	}
}

// UnreportedDeployment reports whether a deploy is over and GitHub may not know it.
// state is what was saved under DeploymentState.
func UnreportedDeployment(state string) bool {
	var left savedDeployments
	return json.Unmarshal([]byte(state), &left) == nil && slices.ContainsFunc(left, func(l savedDeployment) bool { return l.End != nil })
}

// EndLeft ends the deployments that a run has left unfinished: the run was killed, or
// GitHub did not take how it ended. state is what it saved under DeploymentState; over
// says that the run has ended in order.
func (t Deployment) EndLeft(ctx context.Context, state string, over bool) error {
	var left savedDeployments
	if err := json.Unmarshal([]byte(state), &left); err != nil {
		return problem.New("what the step says of its deployment is not understood", "look at the repository's deployments").About(problem.GitHubRefuses)
	}
	var errs []error
	for _, l := range left {
		end := github.Status{State: github.Errored, Description: "the run was killed", LogURL: t.RunURL}
		switch {
		case l.End != nil:
			end = *l.End
		case over:
			continue // GitHub knows how it ended
		}
		t.App = l.App
		_, err := t.GitHub.EndUnfinished(ctx, l.Environment, t.task(), t.Run, t.Attempt, end)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// A deploymentReport is one deploy as it is reported to GitHub.
type deploymentReport struct {
	Deployment
	system interface {
		Info(string)
		Notice(*problem.Problem)
		Warning(*problem.Problem)
		State(name, value string) error
	}
	cancelledTimeout time.Duration // how long the last report may take after a cancellation
	created          chan struct{} // closed once GitHub knows of the beginning, or has refused it
	deployment       github.Deployment
	jobHasOne        bool // the job has a deployment by itself
	err              error
}

// start reports that a deploy begins, in the background: the deploy does not wait for
// it. A nil Deployment reports nothing.
func (t *Deployment) start(ctx context.Context, r *runner, command string) *deploymentReport {
	if t == nil {
		return nil
	}
	d := &deploymentReport{Deployment: *t, system: r.System, cancelledTimeout: cancelledTimeout, created: make(chan struct{})}
	if d.SHA == "" {
		d.system.Info("GitHub is told of no deployment: the version that is deployed is no commit")
		return nil
	}
	d.save(nil)
	what := command
	if by := r.locks.Mark().By(); by != "" {
		what += " by " + by
	}
	go func() {
		defer close(d.created)
		// Cancelled or not: what is begun there is ended there.
		ctx, done := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
		defer done()
		d.err = d.create(ctx, what)
	}()
	return d
}

// save tells the post step what is about to begin, or how it ended.
func (d *deploymentReport) save(end *github.Status) {
	if d.left == nil {
		d.left = new(savedDeployments)
	}
	*d.left = d.left.with(savedDeployment{d.Environment, d.App, end})
	left, err := json.Marshal(d.left)
	if err == nil {
		err = d.system.State(DeploymentState, string(left))
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		d.system.Warning(problem.New("the action's post step will not know of the deployment: "+err.Error(), ""))
	}
}

func (d *deploymentReport) create(ctx context.Context, what string) (err error) {
	if d.jobHasOne, err = d.GitHub.MadeByRun(ctx, d.Environment, d.RunURL); err != nil || d.jobHasOne {
		return err
	}
	d.deployment, err = d.GitHub.CreateDeployment(ctx, github.DeploymentRequest{
		SHA: d.SHA, Environment: d.Environment, Task: d.task(), Description: what, Lasting: true,
		Payload: github.Payload{Service: d.App, Run: d.Run, Attempt: d.Attempt, Nonce: rand.Text()},
	})
	if err != nil {
		return err
	}
	return d.GitHub.SetStatus(ctx, d.deployment.ID, github.Status{State: github.InProgress, Description: what, LogURL: d.RunURL})
}

// finish reports how the deploy ended. A report that fails does not fail the run.
func (d *deploymentReport) finish(ctx context.Context, status int, took time.Duration) {
	if d == nil {
		return
	}
	end, within := d.status(Cancelled(ctx, status), status, took), reportTimeout
	if ctx.Err() != nil {
		within = d.cancelledTimeout
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer done()
	select {
	case <-d.created:
	case <-ctx.Done():
		d.system.Warning(problem.New("GitHub was not told of the deployment: it did not answer in time", ""))
		d.save(&end) // what was asked for may be made still
		return
	}
	if d.jobHasOne {
		d.system.Info("the job has a deployment of " + d.Environment + " by its `environment:`, so kamal-op makes none; with `deployment: false` there it does")
	}
	err := d.err
	if d.deployment.ID != 0 {
		err = errors.Join(err, d.setStatus(ctx, end))
	}
	if denied := new(github.DeniedError); err != nil && !errors.As(err, &denied) {
		d.save(&end)
	}
	d.warn(err)
}

// Cancelled reports whether a run that ended with a status was ended by a signal, and neither
// by itself nor because its time ran out.
func Cancelled(ctx context.Context, status int) bool {
	return status == problem.Interrupted || status == problem.Terminated ||
		ctx.Err() != nil && status != problem.Done && status != problem.TimedOut
}

// status is how a deploy ended as GitHub has it.
func (d *deploymentReport) status(cancelled bool, status int, took time.Duration) github.Status {
	s := github.Status{
		State: github.Success, Description: fmt.Sprintf("done in %s", took.Round(time.Second)), LogURL: d.RunURL, EnvironmentURL: d.URL,
	}
	switch {
	case cancelled:
		s.State, s.Description = github.Errored, "cancelled"
	case status != problem.Done:
		s.State, s.Description = github.Failure, fmt.Sprintf("failed with %d", status)
	}
	return s
}

func (d *deploymentReport) setStatus(ctx context.Context, s github.Status) error {
	err := d.GitHub.SetStatus(ctx, d.deployment.ID, s)
	if err != nil || s.State != github.Success {
		return err
	}
	return d.GitHub.Supersede(ctx, d.Environment, d.task(), d.deployment.ID, github.Status{
		State: github.Inactive, Description: "followed by " + d.SHA[:min(len(d.SHA), 7)], LogURL: d.RunURL,
	})
}

// warn says why GitHub was not told. A missing permission is a notice: nothing is wrong
// then. A token that has ended is a warning.
func (d *deploymentReport) warn(err error) {
	for _, p := range problem.Of(err) {
		p := *p
		p.Message = strings.TrimSuffix("GitHub was not told of the deployment: "+p.Message, ".")
		var denied *github.DeniedError
		if errors.As(p.Cause, &denied) && !github.IsStale(p.Cause) {
			d.system.Notice(&p)
			continue
		}
		d.system.Warning(&p)
	}
}
