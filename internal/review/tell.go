package review

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/comment"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// lastWords is how long GitHub may be told the end of a run that was cancelled:
// the runner kills it 10 s after it asked it to stop.
const lastWords = 3 * time.Second

// A teller tells on GitHub what becomes of one preview: its deployment, its one
// comment, the reaction to who commanded it. What cannot be told is kept, and fails
// nothing.
type teller struct {
	r          *Review
	plan       Plan
	app        App
	began      time.Time
	deployment github.Deployment
	comments   bool // a comment may be written
	troubled   bool // GitHub did not answer: only what stays is told from now on
	untold     problem.List
}

func (r *Review) teller(p Plan, a App) *teller {
	return &teller{r: r, plan: p, app: a, began: r.now(), comments: true}
}

// masked is an error with no value in its problems: they are cut and become code in a
// comment, where a value could not be found any more. No runner masks anything there.
func (t *teller) masked(err error) error {
	if err == nil || t.r.Masked == nil {
		return err
	}
	return t.r.Masked(err)
}

// keep notes what could not be told, each once.
func (t *teller) keep(err error) {
	var denied *github.DeniedError
	if err != nil && !errors.As(err, &denied) {
		t.troubled = true // each further attempt would wait as long
	}
	for _, p := range problem.Of(err) {
		known := false
		for _, k := range t.untold {
			known = known || k.Message == p.Message
		}
		if !known {
			t.untold = append(t.untold, p)
		}
	}
}

// still gives a context for what must be told even when the run has been cancelled.
func still(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), lastWords)
}

// react answers the comment that commanded the plan.
func (t *teller) react(ctx context.Context) {
	if t.r.GitHub != nil && t.plan.Comment != 0 && t.plan.Reaction != "" {
		t.keep(t.r.GitHub.React(ctx, t.plan.Comment, t.plan.Reaction))
	}
}

// begin tells that a deploy begins.
func (t *teller) begin(ctx context.Context) {
	if t.r.GitHub == nil {
		return
	}
	t.react(ctx)
	d, err := t.r.GitHub.CreateDeployment(ctx, github.DeploymentRequest{
		SHA: t.plan.SHA, Environment: t.r.environment(), Task: t.app.Task(),
		Description: fmt.Sprintf("preview of pull request %d", t.plan.Number),
		Payload: github.Payload{
			Service: t.app.Base, Number: t.plan.Number, Run: t.r.Run.ID, Attempt: t.r.Run.Attempt, Nonce: rand.Text(),
		},
	})
	t.deployment = d
	t.keep(err)
	t.passing(ctx, github.Queued, "waiting")
	if !t.troubled {
		t.comment(ctx, "is being deployed", "", nil, false)
	}
}

// passing sets a state that another follows.
func (t *teller) passing(ctx context.Context, s github.State, why string) {
	if !t.troubled {
		t.state(ctx, s, why, "")
	}
}

func (r *Review) environment() string {
	if r.Project.Environment == "" {
		return DefaultEnvironment
	}
	return r.Project.Environment
}

// state sets the deployment's state, where there is a deployment.
func (t *teller) state(ctx context.Context, s github.State, why, url string) {
	if t.r.GitHub == nil || t.deployment.ID == 0 {
		return
	}
	t.keep(t.r.GitHub.SetStatus(ctx, t.deployment.ID, github.Status{State: s, Description: why, LogURL: t.r.Run.URL, EnvironmentURL: url}))
}

// success tells that the preview answers.
func (t *teller) success(ctx context.Context, url string) {
	if t.r.GitHub == nil {
		return
	}
	ctx, done := still(ctx)
	defer done()
	t.state(ctx, github.Success, "answers at "+t.app.Host, url)
	if t.deployment.ID != 0 {
		_, err := t.r.GitHub.Deactivate(ctx, t.r.environment(), t.app.Task(), t.deployment.ID, "overtaken", t.r.Run.URL)
		t.keep(err)
	}
	t.comment(ctx, "is up", url, nil, false)
}

// failure tells that the deploy failed, or was cancelled.
func (t *teller) failure(ctx context.Context, err error) {
	if t.r.GitHub == nil {
		return
	}
	cancelled := ctx.Err() != nil && problem.Status(err) != problem.TimedOut
	ctx, done := still(ctx)
	defer done()
	err = t.masked(err)
	first := problem.Of(err)[0]
	state, what, why := github.Failure, "could not be deployed", first.Message
	if cancelled {
		state, what, why = github.Errored, "was cancelled while it was being deployed", "cancelled"
		err = nil
	}
	t.state(ctx, state, line(why, 140), "")
	t.comment(ctx, what, "", err, false)
}

// skipped tells that it was not deployed after all: it was overtaken, or must wait.
func (t *teller) skipped(ctx context.Context, why string) {
	ctx, done := still(ctx)
	defer done()
	t.state(ctx, github.Inactive, why, "")
	t.comment(ctx, "is not deployed: "+why, "", nil, false)
}

// removed tells that the preview is gone, or what of it is not. A preview that
// never was commented gets no comment now.
func (t *teller) removed(ctx context.Context, err error) {
	if t.r.GitHub == nil {
		return
	}
	err = t.masked(err)
	ctx, done := still(ctx)
	defer done()
	if err == nil {
		_, err := t.r.GitHub.Deactivate(ctx, t.r.environment(), t.app.Task(), 0, "removed", t.r.Run.URL)
		t.keep(err)
		t.comment(ctx, "was removed", "", nil, true)
		return
	}
	t.comment(ctx, "could not be removed wholly", "", err, true)
}

// runLine is hidden in the comment: the run that wrote it.
var runLine = lazy.Regexp(`(?m)^<!-- run (\d{1,18})\.(\d{1,9}) -->$`)

// comment keeps the pull request's one comment. It is left alone where a later run
// has written it.
func (t *teller) comment(ctx context.Context, what, url string, failed error, onlyEdit bool) {
	if t.r.GitHub == nil || !t.comments {
		return
	}
	body := t.body(what, url, failed)
	_, err := t.r.GitHub.Comment(ctx, t.app.Number, github.Marker(t.app.Marker()), func(old string) (string, bool) {
		if old == "" && onlyEdit {
			return "", false
		}
		if m := runLine().FindStringSubmatch(old); m != nil && t.r.Run.ID != 0 {
			id, _ := strconv.ParseInt(m[1], 10, 64)
			attempt, _ := strconv.ParseInt(m[2], 10, 64)
			if id > t.r.Run.ID || id == t.r.Run.ID && attempt > t.r.Run.Attempt {
				return "", false
			}
		}
		return body, true
	})
	var denied *github.DeniedError
	t.comments = !errors.As(err, &denied) // the next would be refused as well
	t.keep(err)
}

// body is the comment's text. All of it that is not ours stands as code.
func (t *teller) body(what, url string, failed error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- run %d.%d -->\n", t.r.Run.ID, t.r.Run.Attempt)
	fmt.Fprintf(&b, "**The preview `%s` %s**", t.app.Service, what)
	if url != "" {
		fmt.Fprintf(&b, "\n\n%s", url)
	}
	b.WriteString("\n\n")
	for _, p := range problem.Of(failed) {
		b.WriteString(comment.ProblemText(p))
	}
	now := t.r.now()
	if t.app.SHA != "" {
		fmt.Fprintf(&b, "- version `%s`\n", t.app.Version)
	}
	fmt.Fprintf(&b, "- %s", now.UTC().Format("2006-01-02 15:04 UTC"))
	if took := now.Sub(t.began).Round(time.Second); took > 0 {
		fmt.Fprintf(&b, ", after %s", took)
	}
	b.WriteString("\n")
	if strings.HasPrefix(t.r.Run.URL, "https://") && !strings.ContainsAny(t.r.Run.URL, " ()<>\n") {
		fmt.Fprintf(&b, "- [log](%s)\n", t.r.Run.URL)
	}
	return b.String()
}

// EndKilled is for the step that comes after: it ends what a run that was killed
// left unfinished on GitHub, so that no deployment stays "in progress".
func (r *Review) EndKilled(ctx context.Context, p Plan) error {
	if r.GitHub == nil || p.Do != Deploy {
		return nil
	}
	a, err := r.app(p.Number, p.SHA)
	if err != nil {
		return err
	}
	n, err := r.GitHub.EndUnfinished(ctx, r.environment(), a.Task(), r.Run.ID, r.Run.Attempt,
		github.Status{State: github.Errored, Description: "the run was killed", LogURL: r.Run.URL})
	if n > 0 {
		t := r.teller(p, a)
		t.comment(ctx, "is in an unknown state: the run that deployed it was killed", "", nil, true)
		if err == nil {
			err = t.untold.Err()
		}
	}
	return err
}
