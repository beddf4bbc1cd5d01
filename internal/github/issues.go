package github

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-github/v66/github"
)

// An Issue is an open one of ours, found by its marker and its author.
type Issue struct {
	Number int
	Body   string // without the marker
	URL    string
}

// An IssueChange is what shall become of an issue.
type IssueChange struct {
	Title, Body string // a Body of "" closes it, or opens none
	Comment     string // for those who follow it; "" is none
}

// Issue keeps the one open issue that a repository has of us under a marker.
//
// write gets the text of the open one ("" where there is none) and gives what shall
// become of it. It is ours by marker and author, as a comment is. Where two have come
// to be (two runs that began at once, an answer that was lost), the oldest stays, and
// the others are closed. It needs `issues: write`. The Issue that is given back has
// no Number where none is open any more.
func (c *Client) Issue(ctx context.Context, m Marker, write func(body string) IssueChange) (Issue, error) {
	const doing = "keeping the issue"
	if !markerShape().MatchString(string(m)) {
		return Issue{}, fmt.Errorf("%q is no marker", clean(string(m)))
	}
	ctx, done := c.start(ctx)
	defer done()
	c.changing.Lock()
	defer c.changing.Unlock()
	me, err := c.me(ctx)
	if err != nil {
		return Issue{}, err
	}
	mine, err := c.issues(ctx, m, me)
	if err != nil {
		return Issue{}, c.tell(err, doing, writeIssues)
	}
	if len(mine) == 0 {
		change := write("")
		if change.Body == "" {
			return Issue{}, nil
		}
		if mine, err = c.open(ctx, m, me, change); err != nil {
			return Issue{}, c.tell(err, "opening an issue", writeIssues)
		}
	}
	for _, other := range mine[1:] {
		if err := c.close(ctx, other.Number, "not_planned"); err != nil {
			return mine[0], c.tell(err, "closing an issue that is there twice", writeIssues)
		}
	}
	one, err := c.change(ctx, m, mine[0], write(mine[0].Body))
	return one, c.tell(err, doing, writeIssues)
}

// change edits, comments on and closes an issue.
func (c *Client) change(ctx context.Context, m Marker, one Issue, to IssueChange) (Issue, error) {
	if to.Body != "" && m.fit(to.Body) != m.fit(one.Body) {
		edited, _, err := c.api.Issues.Edit(ctx, c.owner, c.repo, one.Number, &github.IssueRequest{Title: &to.Title, Body: github.String(m.fit(to.Body))})
		if err != nil {
			return one, err
		}
		one.Body = m.rest(edited.GetBody())
	}
	if to.Comment != "" {
		text := github.String(cutText(to.Comment))
		err := c.once(ctx, func() error {
			_, _, err := c.api.Issues.CreateComment(ctx, c.owner, c.repo, one.Number, &github.IssueComment{Body: text})
			return err
		}, func() (bool, error) { return true, nil }) // said once or not at all
		if err != nil {
			return one, err
		}
	}
	if to.Body == "" {
		return Issue{}, c.close(ctx, one.Number, "completed")
	}
	return one, nil
}

// open creates the issue, and gives back every one that is ours by then.
func (c *Client) open(ctx context.Context, m Marker, me login, to IssueChange) (mine []Issue, err error) {
	var made Issue
	err = c.once(ctx, func() error {
		i, _, err := c.api.Issues.Create(ctx, c.owner, c.repo, &github.IssueRequest{Title: &to.Title, Body: github.String(m.fit(to.Body))})
		if err == nil {
			made = Issue{Number: i.GetNumber(), Body: m.rest(i.GetBody()), URL: i.GetHTMLURL()}
		}
		return err
	}, func() (bool, error) {
		found, err := c.issues(ctx, m, me)
		return len(found) > 0, err
	})
	if err != nil {
		return nil, err
	}
	if mine, err = c.issues(ctx, m, me); err != nil {
		return nil, err
	}
	if made.Number != 0 && !slices.ContainsFunc(mine, func(i Issue) bool { return i.Number == made.Number }) {
		mine = append(mine, made) // a list may not have it yet
	}
	if len(mine) == 0 {
		return nil, fmt.Errorf("GitHub does not list the issue that it has opened")
	}
	return mine, nil
}

// close closes an issue, as done or as a mistake.
func (c *Client) close(ctx context.Context, number int, reason string) error {
	_, _, err := c.api.Issues.Edit(ctx, c.owner, c.repo, number, &github.IssueRequest{State: github.String("closed"), StateReason: &reason})
	if IsMissing(err) {
		return nil
	}
	return err
}

// issues is every open issue of ours, the oldest first.
func (c *Client) issues(ctx context.Context, m Marker, me login) ([]Issue, error) {
	var found []Issue
	err := each(func(o github.ListOptions) ([]*github.Issue, *github.Response, error) {
		return c.api.Issues.ListByRepo(ctx, c.owner, c.repo, &github.IssueListByRepoOptions{State: "open", ListOptions: o})
	}, func(i *github.Issue) bool {
		first, _, _ := strings.Cut(i.GetBody(), "\n")
		same := func(o Issue) bool { return o.Number == i.GetNumber() }
		if !i.IsPullRequest() && strings.TrimRight(first, "\r") == m.line() && me.wrote(i.GetUser()) && !slices.ContainsFunc(found, same) {
			found = append(found, Issue{Number: i.GetNumber(), Body: m.rest(i.GetBody()), URL: i.GetHTMLURL()})
		}
		return true
	})
	slices.SortFunc(found, func(a, b Issue) int { return cmp.Compare(a.Number, b.Number) })
	return found, err
}
