package github

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-github/v66/github"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A PullRequest is one as the API tells it now. HeadRef and Labels are text of
// anybody's.
type PullRequest struct {
	Number   int
	Open     bool
	Merged   bool
	HeadSHA  string // 40 hexadecimal digits
	HeadRef  string // the branch
	HeadRepo string // owner/name; "" where it was deleted
	BaseSHA  string
	BaseRef  string
	BaseRepo string
	Labels   []string
}

// Fork says that the head is not in the base's own repository: in a fork, or in
// one that was deleted.
func (p PullRequest) Fork() bool {
	return p.HeadRepo == "" || !strings.EqualFold(p.HeadRepo, p.BaseRepo)
}

var commitSHA = lazy.Regexp(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// FromGitHub reads a pull request as go-github has it, from an answer or from an
// event's payload. One without a number or a head is an error.
func FromGitHub(pr *github.PullRequest) (PullRequest, error) {
	p := PullRequest{
		Number: pr.GetNumber(), Open: pr.GetState() == "open", Merged: pr.GetMerged() || pr.MergedAt != nil,
		HeadSHA: pr.GetHead().GetSHA(), HeadRef: pr.GetHead().GetRef(), HeadRepo: pr.GetHead().GetRepo().GetFullName(),
		BaseSHA: pr.GetBase().GetSHA(), BaseRef: pr.GetBase().GetRef(), BaseRepo: pr.GetBase().GetRepo().GetFullName(),
	}
	for _, l := range pr.Labels {
		p.Labels = append(p.Labels, l.GetName())
	}
	switch {
	case p.Number <= 0:
		return p, errors.New("a pull request without a number")
	case !commitSHA().MatchString(p.HeadSHA):
		return p, fmt.Errorf("pull request %d has no head commit", p.Number)
	case p.BaseRepo == "":
		return p, fmt.Errorf("pull request %d has no base repository", p.Number)
	}
	return p, nil
}

// PullRequest asks for one pull request as it is now. It needs `pull-requests: read`.
func (c *Client) PullRequest(ctx context.Context, number int) (PullRequest, error) {
	ctx, done := c.start(ctx)
	defer done()
	doing := fmt.Sprintf("reading pull request %d", number)
	pr, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, number)
	if err != nil {
		return PullRequest{}, c.tell(err, doing, readPulls)
	}
	p, err := FromGitHub(pr)
	if err == nil && p.Number != number {
		err = fmt.Errorf("GitHub answered about number %d", p.Number)
	}
	return p, c.tell(err, doing, readPulls)
}

// OpenPullRequests is every open pull request. One may be missing: where another is
// closed while the pages are read, the rest move forward. Who acts upon an absence
// asks PullRequest first. It needs `pull-requests: read`.
func (c *Client) OpenPullRequests(ctx context.Context) ([]PullRequest, error) {
	ctx, done := c.start(ctx)
	defer done()
	const doing = "reading the open pull requests"
	var list []PullRequest
	var bad error
	seen := map[int]bool{}
	err := each(func(o github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		return c.api.PullRequests.List(ctx, c.owner, c.repo, &github.PullRequestListOptions{
			State: "open", Sort: "created", Direction: "desc", ListOptions: o,
		})
	}, func(pr *github.PullRequest) bool {
		p, err := FromGitHub(pr)
		if err != nil {
			bad = err
			return false
		}
		if !seen[p.Number] && p.Open {
			seen[p.Number] = true
			list = append(list, p)
		}
		return true
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return nil, c.tell(err, doing, readPulls)
	}
	return list, nil
}

// A Level is what a user may do in the repository.
type Level string

// The levels that GitHub has; maintain is told as write, triage as read.
const (
	None  Level = "none"
	Read  Level = "read"
	Write Level = "write"
	Admin Level = "admin"
)

// MayWrite says that a user may push to the repository.
func (l Level) MayWrite() bool { return l == Write || l == Admin }

// A login, of a person or an app.
var loginShape = lazy.Regexp(`^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_])?(\[bot\])?$`)

// Permission asks what a user may do. id is the user's number, 0 where unknown:
// the answer must be about that user, since names are given anew. A user that
// GitHub does not know may do nothing.
func (c *Client) Permission(ctx context.Context, user string, id int64) (Level, error) {
	ctx, done := c.start(ctx)
	defer done()
	if !loginShape().MatchString(user) {
		return None, problem.Newf("%q is no user", clean(user)).About(problem.GitHubRefuses)
	}
	doing := "asking what " + user + " may do"
	got, _, err := c.api.Repositories.GetPermissionLevel(ctx, c.owner, c.repo, user)
	switch {
	case IsMissing(err):
		return None, nil
	case err != nil:
		return None, c.tell(err, doing, readMetadata)
	case !strings.EqualFold(got.GetUser().GetLogin(), user), id != 0 && got.GetUser().GetID() != id:
		return None, nil
	}
	switch l := Level(got.GetPermission()); l {
	case Read, Write, Admin:
		return l, nil
	case "owner": // Gitea's word
		return Admin, nil
	}
	return None, nil
}

// CommitTime is when a commit was committed, as its author says.
// It needs `contents: read`.
func (c *Client) CommitTime(ctx context.Context, sha string) (time.Time, error) {
	ctx, done := c.start(ctx)
	defer done()
	if !commitSHA().MatchString(sha) {
		return time.Time{}, problem.Newf("%q is no commit", clean(sha)).About(problem.GitHubRefuses)
	}
	commit, _, err := c.api.Git.GetCommit(ctx, c.owner, c.repo, sha)
	if err != nil {
		return time.Time{}, c.tell(err, "reading commit "+sha, readContents)
	}
	return commit.GetCommitter().GetDate().Time, nil
}

// File reads a file of the repository at a commit; false where there is none. For
// what must be read from the base of a pull request when only its head is checked
// out. It needs `contents: read`.
func (c *Client) File(ctx context.Context, path, sha string) ([]byte, bool, error) {
	ctx, done := c.start(ctx)
	defer done()
	if !commitSHA().MatchString(sha) {
		return nil, false, problem.Newf("%q is no commit", clean(sha)).About(problem.GitHubRefuses)
	}
	doing := fmt.Sprintf("reading %s at %s", clean(path), sha)
	file, _, _, err := c.api.Repositories.GetContents(ctx, c.owner, c.repo, path, &github.RepositoryContentGetOptions{Ref: sha})
	if IsMissing(err) {
		return nil, false, nil
	}
	if err == nil && file == nil {
		err = errors.New("it is a folder")
	}
	if err != nil {
		return nil, false, c.tell(err, doing, readContents)
	}
	text, err := file.GetContent()
	return []byte(text), true, c.tell(err, doing, readContents)
}
