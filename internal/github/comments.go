package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/go-github/v66/github"
	"github.com/kamal-op/kamal-op/internal/lazy"
)

// A Comment is one of ours, found by its marker and its author.
type Comment struct {
	ID   int64
	Body string // without the marker
	URL  string
}

// A Marker is what a comment is known by: it becomes a hidden HTML comment at its
// beginning. Letters, digits and :_./- only.
type Marker string

var markerShape = lazy.Regexp(`^[A-Za-z0-9:_./-]{1,100}$`)

func (m Marker) line() string { return "<!-- " + string(m) + " -->" }

// Comment keeps the one comment that a pull request has of us under a marker.
//
// write gets the body that is there ("" where there is no comment yet) and gives
// the one that shall be, or false to leave things as they are. It may be asked
// more than once. The comment is edited in place; where there is none, one is
// created. It is ours by marker and author: anybody can quote a marker, so both
// must hold, and the marker must be the first line. Where two have come to be (two
// runs that began at once, an answer that was lost), the oldest stays.
// A body longer than GitHub takes is cut. It needs `pull-requests: write`.
func (c *Client) Comment(ctx context.Context, number int, m Marker, write func(body string) (string, bool)) (Comment, error) {
	if !markerShape().MatchString(string(m)) {
		return Comment{}, fmt.Errorf("%q is no marker", clean(string(m)))
	}
	ctx, done := c.start(ctx)
	defer done()
	c.changing.Lock()
	defer c.changing.Unlock()
	doing := fmt.Sprintf("commenting on pull request %d", number)
	me, err := c.me(ctx)
	if err != nil {
		return Comment{}, err
	}
	mine, err := c.mine(ctx, number, m, me)
	if err != nil {
		return Comment{}, c.tell(err, doing, writePulls)
	}
	// A comment that somebody deletes meanwhile is made anew, once.
	for try := range 2 {
		if len(mine) == 0 {
			body, wanted := write("")
			if !wanted {
				return Comment{}, nil
			}
			if mine, err = c.create(ctx, number, m, me, body); err != nil {
				return Comment{}, c.tell(err, doing, writePulls)
			}
		}
		if err := c.dropOthers(ctx, number, m, mine[1:]); err != nil {
			return mine[0], c.tell(err, doing, writePulls)
		}
		one := mine[0]
		body, wanted := write(one.Body)
		if !wanted || m.fit(body) == m.fit(one.Body) {
			return one, nil
		}
		edited, _, err := c.api.Issues.EditComment(ctx, c.owner, c.repo, one.ID, &github.IssueComment{Body: github.String(m.fit(body))})
		if IsMissing(err) && try == 0 {
			c.forget(number, m, one.ID)
			mine = nil
			continue
		}
		if err != nil {
			return one, c.tell(err, doing, writePulls)
		}
		now := Comment{ID: one.ID, Body: m.rest(edited.GetBody()), URL: edited.GetHTMLURL()}
		c.remember(number, m, now)
		return now, nil
	}
	return Comment{}, nil
}

// create creates the comment and gives back every one that is ours by then: a run
// beside this one may have created its own between our look and our change.
func (c *Client) create(ctx context.Context, number int, m Marker, me login, body string) ([]Comment, error) {
	err := c.once(ctx, func() error {
		made, _, err := c.api.Issues.CreateComment(ctx, c.owner, c.repo, number, &github.IssueComment{Body: github.String(m.fit(body))})
		if err == nil {
			c.remember(number, m, Comment{ID: made.GetID(), Body: m.rest(made.GetBody()), URL: made.GetHTMLURL()})
		}
		return err
	}, func() (bool, error) {
		found, err := c.mine(ctx, number, m, me)
		return len(found) > 0, err
	})
	if err != nil {
		return nil, err
	}
	return c.mine(ctx, number, m, me)
}

// dropOthers deletes the comments that came to be beside the oldest.
func (c *Client) dropOthers(ctx context.Context, number int, m Marker, others []Comment) error {
	for _, o := range others {
		c.forget(number, m, o.ID)
		if _, err := c.api.Issues.DeleteComment(ctx, c.owner, c.repo, o.ID); err != nil && !IsMissing(err) {
			return err
		}
	}
	return nil
}

// A thread is a pull request's comments under one marker.
type thread struct {
	number int
	marker Marker
}

// remember keeps a comment of ours as it is now.
func (c *Client) remember(number int, m Marker, one Comment) {
	at := thread{number, m}
	c.forget(number, m, one.ID)
	c.made[at] = append(c.made[at], one)
}

func (c *Client) forget(number int, m Marker, id int64) {
	at := thread{number, m}
	c.made[at] = slices.DeleteFunc(c.made[at], func(o Comment) bool { return o.ID == id })
}

// mine is every comment of ours on a pull request, the oldest first: those that
// are listed, and those that we made and that are not listed yet.
func (c *Client) mine(ctx context.Context, number int, m Marker, me login) ([]Comment, error) {
	found, err := c.listed(ctx, number, m, me)
	for _, one := range c.made[thread{number, m}] {
		if !slices.ContainsFunc(found, func(o Comment) bool { return o.ID == one.ID }) {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b Comment) int { return cmp.Compare(a.ID, b.ID) })
	return found, err
}

func (c *Client) listed(ctx context.Context, number int, m Marker, me login) ([]Comment, error) {
	var found []Comment
	err := each(func(o github.ListOptions) ([]*github.IssueComment, *github.Response, error) {
		return c.api.Issues.ListComments(ctx, c.owner, c.repo, number, &github.IssueListCommentsOptions{ListOptions: o})
	}, func(ic *github.IssueComment) bool {
		if first, _, _ := strings.Cut(ic.GetBody(), "\n"); strings.TrimRight(first, "\r") == m.line() && me.wrote(ic.GetUser()) {
			one := Comment{ID: ic.GetID(), Body: m.rest(ic.GetBody()), URL: ic.GetHTMLURL()}
			if !slices.ContainsFunc(found, func(o Comment) bool { return o.ID == one.ID }) { // a page may repeat what moved
				found = append(found, one)
			}
		}
		return true
	})
	return found, err
}

// fit is the whole text of a comment: the marker, and as much as GitHub takes.
func (m Marker) fit(body string) string {
	return cutText(m.line() + "\n" + body)
}

// cutText is as much of a text as GitHub takes.
func cutText(text string) string {
	const cut = "\n\n_(cut: GitHub takes no longer comment)_"
	if utf8.RuneCountInString(text) <= maxComment {
		return text
	}
	return string([]rune(text)[:maxComment-utf8.RuneCountInString(cut)]) + cut
}

// rest is a comment's text without its marker. GitHub may give back \r\n.
func (m Marker) rest(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.TrimPrefix(strings.TrimPrefix(text, m.line()), "\n")
}

// React puts a reaction on a comment: +1, -1, eyes, rocket, confused and the like.
// GitHub keeps one of a kind a user. It needs `pull-requests: write`.
func (c *Client) React(ctx context.Context, comment int64, content string) error {
	ctx, done := c.start(ctx)
	defer done()
	c.changing.Lock()
	defer c.changing.Unlock()
	err := c.once(ctx, func() error {
		_, _, err := c.api.Reactions.CreateIssueCommentReaction(ctx, c.owner, c.repo, comment, content)
		return err
	}, func() (bool, error) { return false, nil }) // twice is once
	return c.tell(err, "reacting to a comment", writePulls)
}

// A login is who the token speaks as.
type login struct {
	name  string
	exact bool // name is as comments show it; else an app's may lack its [bot]
}

// wrote reports whether the user of a comment is us.
func (l login) wrote(u *github.User) bool {
	if strings.EqualFold(u.GetLogin(), l.name) {
		return true
	}
	return !l.exact && u.GetType() == "Bot" && strings.EqualFold(u.GetLogin(), l.name+"[bot]")
}

// workflowLogin is who a workflow's own token writes as.
const workflowLogin = "github-actions[bot]"

// Login is who the token speaks as.
func (c *Client) Login(ctx context.Context) (string, error) {
	me, err := c.me(ctx)
	return me.name, err
}

// me says who the token speaks as: as the options say, or as REST says, or, for
// tokens of apps and workflows, which REST does not answer, as GraphQL says.
func (c *Client) me(ctx context.Context) (login, error) {
	c.identity.Lock()
	defer c.identity.Unlock()
	if c.self.name != "" {
		return c.self, nil
	}
	ctx, done := c.start(ctx)
	defer done()
	const doing = "asking who the token speaks as"
	user, _, err := c.api.Users.Get(ctx, "")
	if err == nil && user.GetLogin() != "" {
		c.self = login{user.GetLogin(), true}
		return c.self, nil
	}
	if s := statusOf(err); s != http.StatusForbidden && s != http.StatusNotFound {
		if err == nil {
			err = errors.New("GitHub answered without a login")
		}
		return login{}, c.tell(err, doing, readMetadata)
	}
	name, err := c.viewer(ctx)
	if err != nil {
		return login{}, c.tell(err, doing, readMetadata)
	}
	c.self = login{name, strings.HasSuffix(name, "[bot]")}
	return c.self, nil
}

// viewer asks GraphQL who we are. Its address is /graphql beside github.com's
// root, and /api/graphql on GitHub Enterprise Server.
func (c *Client) viewer(ctx context.Context) (string, error) {
	address := c.base.ResolveReference(c.base)
	address.Path = "/graphql"
	if p := strings.TrimSuffix(c.base.Path, "/"); strings.HasSuffix(p, "/v3") {
		address.Path = strings.TrimSuffix(p, "/v3") + "/graphql"
	} else if p != "" {
		return workflowLogin, nil // neither: a server without GraphQL
	}
	req, err := c.api.NewRequest(http.MethodPost, address.String(), map[string]string{"query": "{viewer{login}}"})
	if err != nil {
		return "", err
	}
	var answer struct {
		Data struct {
			Viewer struct {
				Login string `json:"login"`
			} `json:"viewer"`
		} `json:"data"`
	}
	err = c.once(ctx, func() error {
		_, err := c.api.Do(ctx, req, &answer)
		return err
	}, func() (bool, error) { return false, nil }) // a question, asked with POST
	if err != nil {
		return "", err
	}
	if answer.Data.Viewer.Login == "" {
		return workflowLogin, nil
	}
	return answer.Data.Viewer.Login, nil
}
