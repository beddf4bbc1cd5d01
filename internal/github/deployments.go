package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/google/go-github/v66/github"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A State is a deployment's state as GitHub names it.
type State string

// The states that we set, in their order.
const (
	Queued     State = "queued"
	InProgress State = "in_progress"
	Success    State = "success"
	Failure    State = "failure"
	Errored    State = "error"
	Inactive   State = "inactive"
)

// Unfinished says that a deployment in this state waits for its run; "" is one
// that has no status yet, and pending what others set.
func (s State) Unfinished() bool {
	return s == "" || s == Queued || s == InProgress || s == "pending"
}

// Limits of GitHub's.
const (
	maxDescription = 140   // characters of a deployment's or status' description
	maxComment     = 65536 // characters of a comment
)

// A Payload is what we write into a deployment, to know it again: by whom and for
// what it was made.
type Payload struct {
	Tool    string `json:"tool"` // always "kamal-op"
	Service string `json:"service"`
	Number  int    `json:"pull_request,omitempty"`
	Run     int64  `json:"run,omitempty"`
	Attempt int64  `json:"attempt,omitempty"`
	Nonce   string `json:"nonce"` // unlike in any other deployment
}

const tool = "kamal-op"

// A Deployment is one of ours.
type Deployment struct {
	ID          int64
	SHA         string
	Task        string
	Environment string
	Payload     Payload
}

// A DeploymentRequest is what is to be created.
type DeploymentRequest struct {
	SHA         string // the pull request's head; a link shows on the pull request only then
	Environment string // shared by all: a workflow's token can delete none
	Task        string // names the preview, "deploy:SERVICE-pr-N", or the app, "deploy/SERVICE"
	Description string // cut at 140 characters
	Payload     Payload
	// Lasting is a deployment of an app that stays, and of no preview: not transient, and
	// production where GitHub takes the environment for it.
	Lasting bool
}

// CreateDeployment creates a deployment on a commit: waiting for no checks, merging
// nothing, and of a preview transient and not production. Where GitHub's answer gets lost, the
// deployment is looked for by its nonce before another is made.
// It needs `deployments: write`.
func (c *Client) CreateDeployment(ctx context.Context, r DeploymentRequest) (Deployment, error) {
	ctx, done := c.start(ctx)
	defer done()
	c.changing.Lock()
	defer c.changing.Unlock()
	const doing = "creating a deployment"
	if r.Payload.Nonce == "" {
		return Deployment{}, errors.New(doing + ": no nonce")
	}
	r.Payload.Tool = tool
	request := &github.DeploymentRequest{
		Ref:         &r.SHA,
		Task:        &r.Task,
		Environment: &r.Environment,
		Description: github.String(shorten(r.Description, maxDescription)),
		Payload:     r.Payload,
		// Without these GitHub answers 409 while checks run, and 202 after a
		// merge of the base into the branch that nobody asked for.
		RequiredContexts: &[]string{},
		AutoMerge:        github.Bool(false),
	}
	if !r.Lasting {
		// auto_inactive of others leaves transient deployments alone.
		request.TransientEnvironment, request.ProductionEnvironment = github.Bool(true), github.Bool(false)
	}
	var made Deployment
	err := c.once(ctx, func() error {
		d, _, err := c.api.Repositories.CreateDeployment(ctx, c.owner, c.repo, request)
		if err != nil {
			return err
		}
		made, _ = ours(d)
		return nil
	}, func() (bool, error) {
		found := false
		err := c.deployments(ctx, r.Environment, r.Task, r.SHA, func(d Deployment) bool {
			if d.Payload.Nonce == r.Payload.Nonce {
				made, found = d, true
			}
			return !found
		})
		return found, err
	})
	var accepted *github.AcceptedError
	if errors.As(err, &accepted) {
		err = problem.Newf("%s: GitHub merged branches instead", doing).About(problem.GitHubRefuses)
	}
	if err == nil && made.ID == 0 {
		err = errors.New("GitHub answered without a number")
	}
	return made, c.tell(err, doing, writeDeployments)
}

// Deployments is every deployment of ours in an environment for a task, the
// newest first. It needs `deployments: read`.
func (c *Client) Deployments(ctx context.Context, environment, task string) ([]Deployment, error) {
	ctx, done := c.start(ctx)
	defer done()
	var list []Deployment
	err := c.deployments(ctx, environment, task, "", func(d Deployment) bool { list = append(list, d); return true })
	return list, c.tell(err, "reading the deployments", readDeployments)
}

func (c *Client) deployments(ctx context.Context, environment, task, sha string, step func(Deployment) bool) error {
	return each(func(o github.ListOptions) ([]*github.Deployment, *github.Response, error) {
		return c.api.Repositories.ListDeployments(ctx, c.owner, c.repo, &github.DeploymentsListOptions{
			Environment: environment, Task: task, SHA: sha, ListOptions: o,
		})
	}, func(d *github.Deployment) bool {
		// The filters are GitHub's; another server may not have them.
		mine, ok := ours(d)
		if !ok || mine.Environment != environment || mine.Task != task || sha != "" && mine.SHA != sha {
			return true
		}
		return step(mine)
	})
}

// ours reads a deployment and says whether we made it.
func ours(d *github.Deployment) (Deployment, bool) {
	mine := Deployment{
		ID: d.GetID(), SHA: d.GetSHA(), Task: d.GetTask(), Environment: d.GetEnvironment(),
	}
	raw := d.Payload
	var text string
	if json.Unmarshal(raw, &text) == nil { // some servers give it back as the text of JSON
		raw = json.RawMessage(text)
	}
	_ = json.Unmarshal(raw, &mine.Payload) // what cannot be read is not ours
	return mine, mine.Payload.Tool == tool && mine.ID != 0
}

// A Status is what a deployment is set to.
type Status struct {
	State          State
	Description    string // cut at 140 characters
	LogURL         string // where the run's log is
	EnvironmentURL string // sent with Success only: a link that leads nowhere is worse than none
}

// SetStatus sets a deployment's state, without touching any other deployment's.
// A state it is in already, with the same description, is not set again.
// It needs `deployments: write`.
func (c *Client) SetStatus(ctx context.Context, deployment int64, s Status) error {
	ctx, done := c.start(ctx)
	defer done()
	c.changing.Lock()
	defer c.changing.Unlock()
	return c.setStatus(ctx, deployment, s)
}

func (c *Client) setStatus(ctx context.Context, deployment int64, s Status) error {
	description := shorten(s.Description, maxDescription)
	r := &github.DeploymentStatusRequest{
		State:       github.String(string(s.State)),
		Description: &description,
		// On, it would end the other previews' deployments in the shared environment.
		AutoInactive: github.Bool(false),
	}
	if isWebURL(s.LogURL) {
		r.LogURL = &s.LogURL
	}
	if s.State == Success && isWebURL(s.EnvironmentURL) {
		r.EnvironmentURL = &s.EnvironmentURL
	}
	err := c.once(ctx, func() error {
		_, _, err := c.api.Repositories.CreateDeploymentStatus(ctx, c.owner, c.repo, deployment, r)
		return err
	}, func() (bool, error) {
		last, err := c.lastStatus(ctx, deployment)
		return State(last.GetState()) == s.State && last.GetDescription() == description, err
	})
	return c.tell(err, fmt.Sprintf("setting a deployment to %s", s.State), writeDeployments)
}

// DeploymentState is the state a deployment is in; "" is none yet.
// It needs `deployments: read`.
func (c *Client) DeploymentState(ctx context.Context, deployment int64) (State, error) {
	ctx, done := c.start(ctx)
	defer done()
	last, err := c.lastStatus(ctx, deployment)
	return State(last.GetState()), c.tell(err, "reading a deployment's state", readDeployments)
}

// lastStatus is the newest status, or nil where there is none. GitHub lists the
// newest first; that is not relied on.
func (c *Client) lastStatus(ctx context.Context, deployment int64) (*github.DeploymentStatus, error) {
	var last *github.DeploymentStatus
	err := each(func(o github.ListOptions) ([]*github.DeploymentStatus, *github.Response, error) {
		return c.api.Repositories.ListDeploymentStatuses(ctx, c.owner, c.repo, deployment, &o)
	}, func(s *github.DeploymentStatus) bool {
		if last == nil || s.GetID() > last.GetID() {
			last = s
		}
		return true
	})
	return last, err
}

// Deactivate sets every deployment of ours for a task to inactive that is older
// than the one given (0: every one) and not inactive yet, and says how many.
// Newer ones are left alone: a run that was overtaken must not end them.
// It needs `deployments: write`.
func (c *Client) Deactivate(ctx context.Context, environment, task string, than int64, why, logURL string) (int, error) {
	older := func(d Deployment) bool { return than == 0 || d.ID < than }
	active := func(s State) bool { return s != Inactive }
	return c.settle(ctx, environment, task, older, active, Status{State: Inactive, Description: why, LogURL: logURL})
}

// EndUnfinished ends what one attempt of a run left unfinished, for the step that
// comes after a run that was killed, and says how much it was.
// It needs `deployments: write`.
func (c *Client) EndUnfinished(ctx context.Context, environment, task string, run, attempt int64, s Status) (int, error) {
	ofRun := func(d Deployment) bool { return d.Payload.Run == run && d.Payload.Attempt == attempt }
	return c.settle(ctx, environment, task, ofRun, State.Unfinished, s)
}

// settle sets those deployments that are meant, and in a state that is: only what is
// meant is asked for its state, since each costs a request.
func (c *Client) settle(ctx context.Context, environment, task string, meant func(Deployment) bool, in func(State) bool, s Status) (int, error) {
	ctx, done := c.start(ctx)
	defer done()
	c.changing.Lock()
	defer c.changing.Unlock()
	all, err := c.Deployments(ctx, environment, task)
	if err != nil {
		return 0, err
	}
	n := 0
	var errs []error
	for _, d := range all {
		if !meant(d) {
			continue
		}
		is, err := c.DeploymentState(ctx, d.ID)
		if err == nil && !in(is) {
			continue
		}
		if err == nil {
			err = c.setStatus(ctx, d.ID, s)
		}
		if err != nil {
			errs = append(errs, err)
			if statusOf(err) == http.StatusForbidden {
				break // the others will be refused as well
			}
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// DeleteEnvironment deletes an environment. A workflow's token cannot: GitHub has
// no permission for it that a workflow may ask for.
func (c *Client) DeleteEnvironment(ctx context.Context, name string) error {
	ctx, done := c.start(ctx)
	defer done()
	c.changing.Lock()
	defer c.changing.Unlock()
	// go-github v66 puts the name into the path as it is.
	_, err := c.api.Repositories.DeleteEnvironment(ctx, c.owner, c.repo, url.PathEscape(name))
	if IsMissing(err) {
		return nil
	}
	return c.tell(err, "deleting an environment", writeAdmin)
}

// once has a change made that must not be made twice. Where it is not clear
// whether it was, made is asked; only its no lets the change be tried again.
func (c *Client) once(ctx context.Context, change func() error, made func() (bool, error)) error {
	for try := 0; ; try++ {
		err := change()
		var unclear *unclearError
		if !errors.As(err, &unclear) {
			return err
		}
		// What was done may show a moment later.
		if c.pause(ctx, try) != nil {
			return err
		}
		done, lookErr := made()
		if lookErr != nil {
			return lookErr
		}
		if done {
			return nil
		}
		if try+1 >= tries {
			return err
		}
	}
}

// pause waits before an unclear change is looked for.
func (c *Client) pause(ctx context.Context, try int) error {
	d := min(firstBackoff<<try, longestWait)
	if until, ok := ctx.Value(deadlineKey{}).(time.Time); ok && c.now().Add(d).After(until) {
		return context.DeadlineExceeded
	}
	return c.sleep(ctx, d)
}

// shorten cuts text to a number of characters.
func shorten(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// isWebURL reports whether GitHub would take a link: absolute, http or https.
func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}
