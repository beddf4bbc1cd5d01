package github

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/go-github/v66/github"
)

// Each deployment that is looked at costs a request, and an environment that is deployed
// to every day has thousands. What a job has made by itself is among the newest; what had
// success last can be behind a whole day of failures.
const (
	newest     = 20
	mostLooked = 100
)

// MadeByRun reports whether a run has a deployment of an environment by itself, which is
// not over: GitHub makes one for each job that names an `environment:`, and has its
// statuses lead to the job. It is on the workflow's commit, and what is deployed may be
// another: it is looked for among the newest. runURL is the run's page; without it that
// is not known.
// Who asks is about to make one, so that it is told to need `deployments: write`.
func (c *Client) MadeByRun(ctx context.Context, environment, runURL string) (bool, error) {
	if runURL == "" {
		return false, nil
	}
	ctx, done := c.start(ctx)
	defer done()
	found, looked := false, 0
	var failed error
	err := each(func(o github.ListOptions) ([]*github.Deployment, *github.Response, error) {
		return c.api.Repositories.ListDeployments(ctx, c.owner, c.repo, &github.DeploymentsListOptions{Environment: environment, ListOptions: o})
	}, func(d *github.Deployment) bool {
		if _, mine := ours(d); mine || d.GetEnvironment() != environment {
			return true
		}
		looked++
		last, err := c.lastStatus(ctx, d.GetID())
		failed = err
		leads := strings.HasPrefix(last.GetLogURL()+"/", runURL+"/") || strings.HasPrefix(last.GetTargetURL()+"/", runURL+"/")
		found = leads && State(last.GetState()).Unfinished()
		return !found && err == nil && looked < newest
	})
	return found, c.tell(errors.Join(err, failed), "reading the deployments", writeDeployments)
}

// Supersede sets to inactive what the deployments of ours for a task that are older than
// one of them have been until now: those that had success, down to the first that is
// inactive already. One that failed stays as it was. It needs `deployments: write`.
func (c *Client) Supersede(ctx context.Context, environment, task string, by int64, s Status) error {
	ctx, done := c.start(ctx)
	defer done()
	c.changing.Lock()
	defer c.changing.Unlock()
	looked := 0
	var errs []error
	err := c.deployments(ctx, environment, task, "", func(d Deployment) bool {
		if d.ID >= by {
			return true
		}
		looked++
		last, err := c.lastStatus(ctx, d.ID)
		is := State(last.GetState())
		if err == nil && is == Success {
			err = c.setStatus(ctx, d.ID, s)
		}
		errs = append(errs, c.tell(err, "reading a deployment's state", readDeployments))
		return looked < mostLooked && statusOf(err) != http.StatusForbidden && is != Inactive
	})
	return errors.Join(c.tell(err, "reading the deployments", readDeployments), errors.Join(errs...))
}
