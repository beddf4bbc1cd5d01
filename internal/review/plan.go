package review

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/comment"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Deed is what a plan does.
type Deed string

// The deeds.
const (
	Nothing Deed = "nothing"
	Deploy  Deed = "deploy"
	Remove  Deed = "remove"
	Sweep   Deed = "sweep"
)

// A Plan is what an event asks for.
type Plan struct {
	Do     Deed   `json:"do"`
	Number int    `json:"number,omitempty"` // the pull request's; 0 for a sweep
	SHA    string `json:"sha,omitempty"`    // the head commit that is to be deployed, and no other
	Base   string `json:"base,omitempty"`   // the base commit, where production's names are read
	Why    string `json:"why"`              // in a few words, none of them anybody else's
	// Comment is the comment that commanded it, and Reaction the answer to that; 0
	// and "" where there is none.
	Comment  int64  `json:"comment,omitempty"`
	Reaction string `json:"reaction,omitempty"`
	// Exact says that the workspace must hold SHA itself: the event's own checkout
	// is another commit.
	Exact bool `json:"exact,omitempty"`
}

// Rules say which events a project acts upon.
type Rules struct {
	Label string // deploys only pull requests with this label; "" all of the repository's own
}

// A Source answers what an event does not say, or may not be trusted to say.
// *github.Client is one.
type Source interface {
	PullRequest(ctx context.Context, number int) (github.PullRequest, error)
	Permission(ctx context.Context, user string, id int64) (github.Level, error)
}

// Decide makes the plan of an event. It changes nothing. What an event of another
// kind asks for is a problem of usage; what it rightly asks nothing for is a plan
// that does nothing and says why.
func Decide(ctx context.Context, e github.Event, r Rules, from Source) (Plan, error) {
	switch e.Name {
	case "pull_request":
		return r.pull(e), nil
	case "pull_request_target":
		return r.target(e)
	case "issue_comment":
		return r.comment(ctx, e, from)
	case "workflow_dispatch":
		return r.dispatch(ctx, e, from)
	case "schedule":
		return Plan{Do: Sweep, Why: "on schedule"}, nil
	}
	return Plan{}, problem.Usagef("it acts on pull_request, issue_comment, workflow_dispatch and schedule",
		"review apps have no use for the event %q", short(e.Name))
}

// pull is the plan of a pull_request event.
func (r Rules) pull(e github.Event) Plan {
	p := *e.Pull
	plan := Plan{Do: Nothing, Number: p.Number, SHA: p.HeadSHA, Base: p.BaseSHA}
	is := func(d Deed, why string) Plan { plan.Do, plan.Why = d, why; return plan }
	if p.Fork() {
		return is(Nothing, comment.FromFork)
	}
	switch e.Action {
	case "closed":
		if p.Merged {
			return is(Remove, "merged")
		}
		return is(Remove, "closed")
	case "opened", "synchronize", "reopened", "ready_for_review":
		switch {
		case !p.Open:
			return is(Nothing, "it is closed")
		case !r.wants(p):
			return is(Nothing, "it does not have the label")
		}
		return is(Deploy, e.Action)
	case "labeled", "unlabeled":
		// Gitea does not say which label.
		ours := r.Label != "" && (e.Label == "" || strings.EqualFold(e.Label, r.Label))
		switch {
		case !ours:
			return is(Nothing, "the label is another")
		case !r.wants(p):
			return is(Remove, "the label was taken away")
		case !p.Open:
			return is(Nothing, "it is closed")
		}
		return is(Deploy, "it has the label")
	}
	return is(Nothing, "nothing to do for this")
}

// wants says whether a pull request has the label that is asked for.
func (r Rules) wants(p github.PullRequest) bool { return r.Label == "" || has(p, r.Label) }

// has says whether a pull request has a label; GitHub's names differ by more than case.
func has(p github.PullRequest, label string) bool {
	for _, l := range p.Labels {
		if strings.EqualFold(l, label) {
			return true
		}
	}
	return false
}

// target is the plan of a pull_request_target event. It runs with the base's
// secrets, whoever wrote the head: deploying the head is refused, since deploy.yml
// is ERB, and hooks and the Dockerfile run code.
func (r Rules) target(e github.Event) (Plan, error) {
	plan := r.pull(e)
	if plan.Do != Deploy {
		return plan, nil
	}
	return Plan{}, &problem.Problem{
		Message: "pull_request_target cannot deploy a preview: it would run the pull request's code with the repository's secrets",
		Hint:    "use `on: pull_request`", Status: problem.Found,
	}
}

// A command is a comment's first line.
var command = lazy.Regexp(`^/(deploy|remove)(?:[ \t]+([0-9a-f]{7,64}))?[ \t]*$`)

// comment is the plan of an issue_comment event.
func (r Rules) comment(ctx context.Context, e github.Event, from Source) (Plan, error) {
	plan := Plan{Do: Nothing, Number: e.Number}
	is := func(why, reaction string) (Plan, error) {
		plan.Why, plan.Reaction = why, reaction
		if reaction != "" {
			plan.Comment = e.Comment.ID
		}
		return plan, nil
	}
	w, err := comment.Read(ctx, e, command(), from)
	if err != nil {
		return Plan{}, err
	}
	p, m := w.Pull, w.Words
	plan.SHA, plan.Base = p.HeadSHA, p.BaseSHA
	switch {
	case w.Why != "":
		return is(w.Why, w.Reaction)
	case m[1] == "remove":
		plan.Do = Remove
		return is("by comment", comment.Taken)
	case !p.Open:
		return is("it is closed", comment.Unclear)
	}
	if why := comment.OtherCommit(m[2], p.HeadSHA); why != "" {
		return is(why, comment.Unclear)
	}
	plan.Do, plan.Exact = Deploy, true
	return is("by comment", comment.Taken)
}

// dispatch is the plan of a workflow_dispatch event: inputs `pull-request` and
// `review` (deploy, remove, sweep), or a sweep where there are none. Whoever may
// dispatch may write.
func (r Rules) dispatch(ctx context.Context, e github.Event, from Source) (Plan, error) {
	do := Deed(strings.TrimSpace(e.Inputs["review"]))
	number := strings.TrimPrefix(strings.TrimSpace(e.Inputs["pull-request"]), "#")
	switch {
	case do == "" && number == "":
		do = Sweep
	case do == "":
		do = Deploy
	case do != Deploy && do != Remove && do != Sweep:
		return Plan{}, problem.Usagef("it is deploy, remove or sweep", "the input review is %q", short(string(do)))
	}
	if do == Sweep && number != "" {
		// The workflow may have checked out that pull request's code.
		return Plan{}, problem.Usagef("leave pull-request empty, or say what is to be done with it", "a sweep is of all previews, not of pull request %s", short(number))
	}
	if do == Sweep {
		return Plan{Do: Sweep, Why: "by hand"}, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n <= 0 || n > maxNumber {
		return Plan{}, problem.Usagef("give a pull request's number", "the input pull-request is %q", short(number))
	}
	return Asked(ctx, do, n, from)
}

// Asked is the plan of somebody who asks for one pull request by hand: in a
// terminal, or through workflow_dispatch.
func Asked(ctx context.Context, do Deed, number int, from Source) (Plan, error) {
	p, err := from.PullRequest(ctx, number)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Do: do, Number: number, SHA: p.HeadSHA, Base: p.BaseSHA, Why: "by hand", Exact: do == Deploy}
	switch {
	case p.Fork():
		plan.Do, plan.Why, plan.Exact = Nothing, comment.FromFork, false
	case do == Deploy && !p.Open:
		plan.Do, plan.Why, plan.Exact = Nothing, "it is closed", false
	}
	return plan, nil
}

const closedMeanwhile = "it was closed meanwhile"

// Again looks at the pull request as it is now, before and after the long part of
// a deploy: the later of two runs wins. It gives back the plan, or one that does
// nothing where it was closed or overtaken.
func Again(ctx context.Context, plan Plan, from Source) (Plan, error) {
	if plan.Do != Deploy {
		return plan, nil
	}
	p, err := from.PullRequest(ctx, plan.Number)
	if err != nil {
		return plan, err
	}
	switch {
	case p.Fork():
		plan.Do, plan.Why = Nothing, comment.FromFork
	case !p.Open:
		plan.Do, plan.Why = Nothing, closedMeanwhile
	case p.HeadSHA != plan.SHA:
		plan.Do, plan.Why = Nothing, "overtaken by "+p.HeadSHA[:7]
	}
	return plan, nil
}

// CheckOut refuses a workspace that holds another commit than the plan is for.
// held is the workspace's commit, event the one that GitHub checks out for the
// event (GITHUB_SHA: of a pull_request, the merge of head and base).
func (p Plan) CheckOut(name, held, event string) error {
	switch p.Do {
	case Deploy:
		if held == p.SHA || !p.Exact && held == event && held != "" {
			return nil
		}
		return &problem.Problem{
			Message: fmt.Sprintf("the workspace holds %s, not the head of pull request %d", commit(held), p.Number),
			Details: []string{"its head is " + p.SHA},
			Hint:    "check out " + p.SHA + " first (actions/checkout with `ref:`)", Status: problem.Found,
		}
	case Remove, Sweep:
		// Removing reads deploy.yml as well, which is code.
		if name == "pull_request_target" && (p.Do == Remove && held == p.SHA || p.Do == Sweep && held != event) {
			return &problem.Problem{
				Message: "pull_request_target with the pull request's head checked out would run its code with the repository's secrets",
				Hint:    "use `on: pull_request`, or check out the base", Status: problem.Found,
			}
		}
	}
	return nil
}

func commit(sha string) string {
	if fullSHA().MatchString(sha) {
		return sha
	}
	return "no commit"
}

// Said is the plan in a line, for the log.
func (p Plan) Said() string {
	switch {
	case p.Do == Nothing && p.Number != 0:
		return fmt.Sprintf("skipped: %s (pull request %d)", p.Why, p.Number)
	case p.Do == Nothing:
		return "skipped: " + p.Why
	case p.Do == Sweep:
		return "sweep: " + p.Why
	}
	return fmt.Sprintf("%s the preview of pull request %d: %s", p.Do, p.Number, p.Why)
}
