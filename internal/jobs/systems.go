package jobs

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// gitlab asks for a job by its number.
func (c *Client) gitlab(ctx context.Context, j Job) (*state, error) {
	if j.ID <= 0 || c.own.Repository == "" {
		return nil, nil
	}
	var job struct {
		ID         int64     `json:"id"`
		Status     string    `json:"status"`
		Reason     string    `json:"failure_reason"`
		FinishedAt time.Time `json:"finished_at"`
	}
	found, err := c.get(ctx, fmt.Sprintf("/projects/%s/jobs/%d", url.PathEscape(c.own.Repository), j.ID), &job)
	if err != nil || !found || job.ID != j.ID {
		return nil, err
	}
	s := &state{word: job.Status, ended: job.FinishedAt, itself: []string{"success"}, other: []string{"failed", "canceled"}}
	// These two reasons are told by the runner, which has ended the script. All others,
	// of which each version has more, are GitLab's own guess or the runner's own failure.
	if job.Status == "failed" && job.Reason != "script_failure" && job.Reason != "job_execution_timeout" {
		s.lost = cmp.Or(job.Reason, "no reason")
	}
	return s, nil
}

// buildkite asks for a build, and looks for the job in it.
func (c *Client) buildkite(ctx context.Context, j Job) (*state, error) {
	if j.Run <= 0 || !uuidText().MatchString(j.UUID) || !slugText().MatchString(c.own.Repository) {
		return nil, nil
	}
	var build struct {
		Jobs []struct {
			ID         string    `json:"id"`
			State      string    `json:"state"`
			ExitStatus *int      `json:"exit_status"`
			Reason     string    `json:"signal_reason"`
			FinishedAt time.Time `json:"finished_at"`
		} `json:"jobs"`
	}
	organization, pipeline, _ := strings.Cut(c.own.Repository, "/")
	found, err := c.get(ctx, fmt.Sprintf("/organizations/%s/pipelines/%s/builds/%d?include_retried_jobs=true", organization, pipeline, j.Run), &build)
	if err != nil || !found {
		return nil, err
	}
	for _, job := range build.Jobs {
		if job.ID == j.UUID {
			s := &state{
				word: job.State, ended: job.FinishedAt,
				itself: []string{"passed"}, other: []string{"failed", "canceled", "timed_out", "expired"},
			}
			// An agent that is lost leaves -1. One that was told to cancel may say so, too.
			if job.ExitStatus != nil && *job.ExitStatus == -1 && job.Reason != "cancel" {
				s.lost = "exit status -1"
			}
			return s, nil
		}
	}
	return nil, nil
}

// circleci asks for the jobs of a workflow, and looks for the one of that number.
func (c *Client) circleci(ctx context.Context, j Job) (*state, error) {
	if j.ID <= 0 || !uuidText().MatchString(j.UUID) {
		return nil, nil
	}
	page := ""
	for range mostPages {
		var jobs struct {
			Items []struct {
				Number    int64     `json:"job_number"`
				Status    string    `json:"status"`
				StoppedAt time.Time `json:"stopped_at"`
			} `json:"items"`
			Next string `json:"next_page_token"`
		}
		path := "/workflow/" + j.UUID + "/job"
		if page != "" {
			path += "?page-token=" + url.QueryEscape(page)
		}
		found, err := c.get(ctx, path, &jobs)
		if err != nil || !found {
			return nil, err
		}
		for _, job := range jobs.Items {
			if job.Number == j.ID {
				// infrastructure_fail and terminated-unknown are jobs whose machine is lost:
				// they are no words for an end.
				return &state{
					word: job.Status, ended: job.StoppedAt,
					itself: []string{"success"}, other: []string{"failed", "canceled", "timedout"},
				}, nil
			}
		}
		if page = jobs.Next; page == "" {
			break
		}
	}
	return nil, nil
}
