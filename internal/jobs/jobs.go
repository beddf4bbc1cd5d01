// Package jobs asks the API of GitLab, Buildkite or CircleCI whether a job has ended:
// for the deploy lock that it has left. GitHub's is package github's.
//
// The token goes to the host that the CI system's own variables name, over TLS, and
// nowhere else: redirects are not followed. What is not certain is not over.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

const (
	// settled is how long a job that did not end by itself counts as alive: these
	// systems call it canceled or failed before its machine has heard of it.
	settled = 2 * time.Minute
	// mostAnswer is the most that is read of an answer.
	mostAnswer = 8 << 20
	// mostPages is how many pages of a workflow's jobs are looked through.
	mostPages = 20
)

// A Job names one job as it knows itself.
type Job struct {
	Server     string // https://gitlab.com
	Repository string // the project's path; Buildkite's organization and pipeline
	Run        int64  // the pipeline's or build's number
	ID         int64  // the job's number
	UUID       string // Buildkite's of the job, CircleCI's of the workflow
	Name       string
	Actor      string
	Runner     string
	Link       string
}

// What becomes part of an address comes from a lock, which anybody may have written
// who may log in to the server.
var (
	uuidText = lazy.Regexp(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	slugText = lazy.Regexp(`^[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9_-][A-Za-z0-9._-]*$`)
)

// Own is the job that has this environment; false where no system is known here.
func Own(env map[string]string) (Job, bool) {
	number := func(name string) int64 { n, _ := strconv.ParseInt(env[name], 10, 64); return n } // 0 is not known
	set := func(name string) bool { return env[name] != "" && env[name] != "false" }
	switch {
	case set("GITLAB_CI"):
		return Job{
			Server: env["CI_SERVER_URL"], Repository: env["CI_PROJECT_PATH"], Run: number("CI_PIPELINE_ID"), ID: number("CI_JOB_ID"),
			Name: env["CI_JOB_NAME"], Actor: env["GITLAB_USER_LOGIN"], Runner: env["CI_RUNNER_DESCRIPTION"], Link: env["CI_JOB_URL"],
		}, true
	case set("BUILDKITE"):
		return Job{
			Server: "https://buildkite.com", Repository: slug(env["BUILDKITE_ORGANIZATION_SLUG"], env["BUILDKITE_PIPELINE_SLUG"]),
			Run: number("BUILDKITE_BUILD_NUMBER"), UUID: env["BUILDKITE_JOB_ID"], Name: env["BUILDKITE_LABEL"],
			Actor: env["BUILDKITE_BUILD_CREATOR"], Runner: env["BUILDKITE_AGENT_NAME"], Link: env["BUILDKITE_BUILD_URL"],
		}, true
	case set("CIRCLECI"):
		return Job{
			Server: circleServer(env), Repository: slug(env["CIRCLE_PROJECT_USERNAME"], env["CIRCLE_PROJECT_REPONAME"]),
			ID: number("CIRCLE_BUILD_NUM"), UUID: env["CIRCLE_WORKFLOW_ID"], Name: env["CIRCLE_JOB"], Actor: env["CIRCLE_USERNAME"], Link: env["CIRCLE_BUILD_URL"],
		}, true
	}
	return Job{}, false
}

func slug(owner, name string) string {
	if owner == "" || name == "" {
		return ""
	}
	return owner + "/" + name
}

// circleServer is where CircleCI is: its web pages have another name than its API.
func circleServer(env map[string]string) string {
	u, err := url.Parse(env["CIRCLE_BUILD_URL"])
	if err != nil || u.Host == "" {
		return ""
	}
	if u.Host == "app.circleci.com" {
		u.Host = "circleci.com"
	}
	return u.Scheme + "://" + u.Host
}

// Options say who is asked.
type Options struct {
	Env       map[string]string // of this job
	Token     string
	Transport http.RoundTripper // nil is the usual one
	Now       func() time.Time  // nil is time.Now
}

// A Client asks about jobs of the project that this job is of.
type Client struct {
	system string
	own    Job
	base   string
	set    func(http.Header) // the token
	http   *http.Client
	now    func() time.Time
}

// New is a client for the system that this environment is of. Nothing is asked yet.
func New(o Options) (*Client, error) {
	own, _ := Own(o.Env)
	c := &Client{own: own, now: o.Now, http: &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.now == nil {
		c.now = time.Now
	}
	header := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	switch {
	case o.Env["GITLAB_CI"] != "":
		c.system, c.base, c.set = "GitLab", o.Env["CI_API_V4_URL"], header("PRIVATE-TOKEN", o.Token)
		if o.Token == o.Env["CI_JOB_TOKEN"] {
			c.set = header("JOB-TOKEN", o.Token)
		}
	case o.Env["BUILDKITE"] != "":
		// No variable names the API: it has one address.
		c.system, c.base, c.set = "Buildkite", "https://api.buildkite.com/v2", header("Authorization", "Bearer "+o.Token)
	case o.Env["CIRCLECI"] != "":
		c.system, c.base, c.set = "CircleCI", own.Server+"/api/v2", header("Circle-Token", o.Token)
	default:
		return nil, errors.New("jobs: no system that is known")
	}
	if u, err := url.Parse(c.base); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, problem.New(c.system+" is not asked whether another job is over: its API's address is not https://", "").About(problem.DeployLock)
	}
	return c, nil
}

// Over reports whether a job has ended, and in words why. It is of this job's project,
// or it is not known. err is for what could not be asked.
func (c *Client) Over(ctx context.Context, j Job) (over bool, why string, err error) {
	if j.Server != c.own.Server || !strings.EqualFold(j.Repository, c.own.Repository) {
		return false, "whether that job is over is not known here", nil
	}
	var found *state
	switch c.system {
	case "GitLab":
		found, err = c.gitlab(ctx, j)
	case "Buildkite":
		found, err = c.buildkite(ctx, j)
	case "CircleCI":
		found, err = c.circleci(ctx, j)
	}
	switch {
	case err != nil:
		return false, "", err
	case found == nil:
		return false, c.system + " does not know that job", nil
	}
	return found.over(c.system, c.now())
}

// A state is what a system says of a job: its own word, since when it has ended, and
// whether the word says that it ended by itself, or that it ended at all. Where the
// system calls it ended because its machine does not answer, why is in lost: that
// machine may go on with the deploy.
type state struct {
	word          string
	ended         time.Time
	itself, other []string
	lost          string
}

// over reports whether the job has ended. One that was ended from outside has only where
// its machine has had the time to hear of it.
func (s state) over(system string, now time.Time) (bool, string, error) {
	what := fmt.Sprintf("%s says that the job is %.40q", system, s.word)
	switch {
	case slices.Contains(s.itself, s.word):
		return true, what, nil
	case !slices.Contains(s.other, s.word):
		return false, what, nil
	case s.lost != "":
		return false, fmt.Sprintf("%s (%.40q): its machine does not answer, and may go on with it", what, s.lost), nil
	case s.ended.IsZero() || now.Sub(s.ended) < settled:
		return false, what + ", which its machine may not have heard yet", nil
	}
	return true, what, nil
}

// get asks for a document. A 404 is no error, and nothing is found.
func (c *Client) get(ctx context.Context, path string, answer any) (found bool, err error) {
	doing := "asking " + c.system + " whether a job is over"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	c.set(req.Header)
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return false, nil
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return false, problem.New(c.system+" does not let KAMAL_OP_CI_TOKEN read jobs: "+resp.Status, "give it the scope that docs/locks.md names").About(problem.DeployLock)
	case resp.StatusCode != http.StatusOK:
		return false, fmt.Errorf("%s: %s", doing, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostAnswer)).Decode(answer); err != nil {
		return false, fmt.Errorf("%s: the answer is not what it should be", doing)
	}
	return true, nil
}

// Close ends what is open to the API.
func (c *Client) Close() { c.http.CloseIdleConnections() }
