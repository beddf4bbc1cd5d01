package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/go-github/v66/github"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// An Event is what of an event's payload matters to us. Every text in it was
// written by anybody.
type Event struct {
	Name       string // as GITHUB_EVENT_NAME has it
	Action     string // "opened", "created"; "" for events that have none
	Repository string // owner/name, where the payload says it

	DefaultBranch string // the repository's, where the payload says it

	Pull  *PullRequest // of a pull_request or pull_request_target event
	Label string       // of a labeled or unlabeled event

	Number int  // the issue's or pull request's, of an issue_comment event
	OnPull bool // the comment is on a pull request

	Comment *CommentEvent
	Inputs  map[string]string // of a workflow_dispatch event
}

// A CommentEvent is the comment of an issue_comment event.
type CommentEvent struct {
	ID       int64
	Body     string
	Author   string
	AuthorID int64
	Bot      bool // an app's, and no person's
	Created  time.Time
}

// maxPayload is far above GitHub's own limit of 25 MB for a payload.
const maxPayload = 32 << 20

// ParseEvent reads the payload of an event: the file at GITHUB_EVENT_PATH, and
// GITHUB_EVENT_NAME. An event of a kind that it has no use for has only its name,
// action and repository. Gitea's words for actions are told as GitHub's.
func ParseEvent(name string, payload []byte) (Event, error) {
	e := Event{Name: name}
	if len(payload) > maxPayload {
		return e, problem.Newf("the event's payload is longer than 32 MiB").About(problem.GitHubRefuses)
	}
	if err := e.parse(payload); err != nil {
		return e, &problem.Problem{
			Message: fmt.Sprintf("the payload of the event %s cannot be read: %s", clean(name), clean(err.Error())),
			Hint:    "GITHUB_EVENT_PATH must be the file that the runner wrote", Status: problem.Found, Cause: err, Help: problem.GitHubRefuses,
		}
	}
	return e, nil
}

func (e *Event) parse(payload []byte) error {
	var head struct {
		Action string             `json:"action"`
		Repo   *github.Repository `json:"repository"`
	}
	if err := json.Unmarshal(payload, &head); err != nil {
		return err
	}
	e.Action, e.Repository, e.DefaultBranch = action(head.Action), head.Repo.GetFullName(), head.Repo.GetDefaultBranch()
	switch e.Name {
	case "pull_request", "pull_request_target":
		return e.parsePull(payload)
	case "issue_comment":
		return e.parseComment(payload)
	case "workflow_dispatch":
		return e.parseInputs(payload)
	}
	return nil
}

func (e *Event) parsePull(payload []byte) error {
	var p struct {
		Pull  *github.PullRequest `json:"pull_request"`
		Label *github.Label       `json:"label"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	if p.Pull == nil {
		return errors.New("there is no pull request in it")
	}
	pr, err := FromGitHub(p.Pull)
	if err != nil {
		return err
	}
	e.Pull, e.Number, e.OnPull, e.Label = &pr, pr.Number, true, p.Label.GetName()
	return nil
}

func (e *Event) parseComment(payload []byte) error {
	var p github.IssueCommentEvent
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	if p.Issue.GetNumber() <= 0 || p.Comment.GetID() == 0 {
		return errors.New("there is no comment in it")
	}
	e.Number, e.OnPull = p.Issue.GetNumber(), p.Issue.IsPullRequest()
	e.Comment = &CommentEvent{
		ID: p.Comment.GetID(), Body: p.Comment.GetBody(),
		Author: p.Comment.GetUser().GetLogin(), AuthorID: p.Comment.GetUser().GetID(),
		Bot: p.Comment.GetUser().GetType() == "Bot", Created: p.Comment.GetCreatedAt().Time,
	}
	return nil
}

func (e *Event) parseInputs(payload []byte) error {
	var p struct {
		Inputs map[string]any `json:"inputs"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	e.Inputs = map[string]string{}
	for k, v := range p.Inputs {
		switch v := v.(type) {
		case string:
			e.Inputs[k] = v
		case float64:
			e.Inputs[k] = strconv.FormatFloat(v, 'f', -1, 64)
		case bool:
			e.Inputs[k] = strconv.FormatBool(v)
		}
	}
	return nil
}

// action tells Gitea's words as GitHub's.
func action(s string) string {
	switch s {
	case "synchronized":
		return "synchronize"
	case "label_updated":
		return "labeled"
	case "label_cleared":
		return "unlabeled"
	}
	return s
}
