package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v66/github"
)

// A Run names one job of one attempt of a workflow run, as the job itself knows
// it: GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT, GITHUB_JOB, RUNNER_NAME.
type Run struct {
	ID      int64
	Attempt int64 // from 1; 0 is taken as 1
	// Job is GITHUB_JOB, the job's key in the workflow file. Job listings do not
	// have it: they have the name that is shown. See Over.
	Job string
	// JobID is the job's number (job.check_run_id in a workflow), 0 where unknown.
	JobID int64
	// Runner is RUNNER_NAME, "" where unknown.
	Runner string
}

// Over is what GitHub says of a run.
type Over int

const (
	// Unknown is what GitHub does not say: the run is gone, or the token may not see it.
	Unknown Over = iota
	// Alive is a run that has not ended, or of which one of the jobs it may be has not.
	Alive
	// Ended is a run of which nothing runs any more.
	Ended
)

func (o Over) String() string {
	return [...]string{"unknown", "alive", "ended"}[o]
}

// RunOver reports whether a job of a run has ended, and in words why. It says Ended
// only where that is certain:
//
//   - the whole run is completed, or
//   - a later attempt of it has begun, which GitHub allows only when all jobs of
//     the one before have ended, or
//   - the job, by its number, is completed; without the number: every job of that
//     attempt that it may be is completed, by the name of the runner or by the key.
//     A job may show another name than its key, so an attempt in which no job is
//     recognised is Alive.
//
// It needs `actions: read`. err is for what could not be asked; a run that cannot
// be seen is Unknown without one.
func (c *Client) RunOver(ctx context.Context, run Run) (Over, string, error) {
	ctx, done := c.start(ctx)
	defer done()
	doing := fmt.Sprintf("asking whether run %d is over", run.ID)
	attempt := max(run.Attempt, 1)
	got, _, err := c.api.Actions.GetWorkflowRunByID(ctx, c.owner, c.repo, run.ID)
	switch {
	case IsMissing(err):
		return Unknown, fmt.Sprintf("run %d is not to be seen in %s", run.ID, c.Repository()), nil
	case err != nil:
		return Unknown, "", c.tell(err, doing, readActions)
	case got.GetID() != run.ID:
		return Unknown, "", fmt.Errorf("%s: GitHub answered about run %d", doing, got.GetID())
	case got.GetStatus() == "completed" && int64(got.GetRunAttempt()) >= attempt:
		return Ended, fmt.Sprintf("run %d is %s", run.ID, conclusion(got.GetConclusion())), nil
	case int64(got.GetRunAttempt()) > attempt:
		return Ended, fmt.Sprintf("run %d is at attempt %d", run.ID, got.GetRunAttempt()), nil
	case int64(got.GetRunAttempt()) < attempt:
		// Gitea has no attempts, and a replica of GitHub's may lag.
		return Unknown, fmt.Sprintf("GitHub knows no attempt %d of run %d", attempt, run.ID), nil
	}
	var all []*github.WorkflowJob
	err = each(func(o github.ListOptions) ([]*github.WorkflowJob, *github.Response, error) {
		jobs, resp, err := c.api.Actions.ListWorkflowJobsAttempt(ctx, c.owner, c.repo, run.ID, attempt, &o)
		if err != nil {
			return nil, resp, err
		}
		return jobs.Jobs, resp, nil
	}, func(j *github.WorkflowJob) bool { all = append(all, j); return true })
	if IsMissing(err) {
		return Alive, fmt.Sprintf("run %d has not ended", run.ID), nil
	}
	if err != nil {
		return Unknown, "", c.tell(err, doing, readActions)
	}
	return jobOver(run, all)
}

func jobOver(run Run, all []*github.WorkflowJob) (Over, string, error) {
	candidates := 0
	for _, j := range all {
		if !mayBe(run, j) {
			continue
		}
		candidates++
		if j.GetStatus() != "completed" {
			return Alive, fmt.Sprintf("job %q of run %d is %s", clean(j.GetName()), run.ID, clean(strings.ReplaceAll(j.GetStatus(), "_", " "))), nil
		}
	}
	if candidates == 0 {
		return Alive, fmt.Sprintf("run %d has not ended, and its job %q is not recognised", run.ID, clean(run.Job)), nil
	}
	return Ended, fmt.Sprintf("job %q of run %d has ended", clean(run.Job), run.ID), nil
}

// mayBe reports whether a listed job may be the one of a run. A matrix shows "key
// (x, y)", a reusable workflow "caller / key"; `name:` may show anything.
func mayBe(run Run, j *github.WorkflowJob) bool {
	if run.JobID != 0 {
		return j.GetID() == run.JobID
	}
	// Two jobs may have run on one runner, one after the other: both may be it.
	if run.Runner != "" && j.GetRunnerName() == run.Runner {
		return true
	}
	if run.Job == "" {
		return true
	}
	name := j.GetName()
	if i := strings.LastIndex(name, " / "); i >= 0 {
		name = name[i+3:]
	}
	return name == run.Job || strings.HasPrefix(name, run.Job+" (")
}

func conclusion(s string) string {
	if s == "" {
		return "completed"
	}
	return "completed (" + clean(s) + ")"
}
