package github_test

import (
	"strings"
	"testing"
	"time"

	api "github.com/google/go-github/v66/github"

	"github.com/kamal-op/kamal-op/internal/github"
)

// A fork is a repository of another owner, whatever its name, and one that is gone.
func TestPullRequest_Fork(t *testing.T) {
	for _, tc := range []struct {
		head, base string
		fork       bool
	}{
		{"acme/shop", "acme/shop", false},
		{"Acme/Shop", "acme/shop", false},
		{"mallory/shop", "acme/shop", true},
		{"acme/shop-fork", "acme/shop", true},
		{"acme/other", "acme/shop", true},
		{"xacme/shop", "acme/shop", true},
		{"shop", "acme/shop", true},
		{"", "acme/shop", true},
		{"", "", true},
	} {
		if got := (github.PullRequest{HeadRepo: tc.head, BaseRepo: tc.base}).Fork(); got != tc.fork {
			t.Errorf("%q to %q is a fork: %v", tc.head, tc.base, got)
		}
	}
}

func TestFromGitHub(t *testing.T) {
	str := api.String
	whole := func() *api.PullRequest {
		branch := func(sha, repo string) *api.PullRequestBranch {
			return &api.PullRequestBranch{SHA: &sha, Ref: str("x"), Repo: &api.Repository{FullName: &repo}}
		}
		return &api.PullRequest{Number: api.Int(3), State: str("open"), Head: branch(strings.Repeat("a", 40), "acme/shop"), Base: branch(strings.Repeat("b", 40), "acme/shop")}
	}
	for _, tc := range []struct {
		name         string
		change       func(*api.PullRequest)
		open, merged bool
		bad          bool
	}{
		{"open", func(*api.PullRequest) {}, true, false, false},
		{"closed", func(p *api.PullRequest) { p.State = str("closed") }, false, false, false},
		{"without a state", func(p *api.PullRequest) { p.State = nil }, false, false, false},
		{"merged", func(p *api.PullRequest) { p.State, p.Merged = str("closed"), api.Bool(true) }, false, true, false},
		{"merged, in a list", func(p *api.PullRequest) { p.MergedAt = &api.Timestamp{Time: time.Now()} }, true, true, false},
		{"number 0", func(p *api.PullRequest) { p.Number = api.Int(0) }, true, false, true},
		{"a number below", func(p *api.PullRequest) { p.Number = api.Int(-1) }, true, false, true},
		{"a branch for a head", func(p *api.PullRequest) { p.Head.SHA = str("main") }, true, false, true},
		{"no head", func(p *api.PullRequest) { p.Head = nil }, true, false, true},
		{"a head of SHA-256", func(p *api.PullRequest) { p.Head.SHA = str(strings.Repeat("a", 64)) }, true, false, false},
		{"a head too long", func(p *api.PullRequest) { p.Head.SHA = str(strings.Repeat("a", 41)) }, true, false, true},
		{"no base", func(p *api.PullRequest) { p.Base = nil }, true, false, true},
		{"a base without a repository", func(p *api.PullRequest) { p.Base.Repo = nil }, true, false, true},
	} {
		pr := whole()
		tc.change(pr)
		got, err := github.FromGitHub(pr)
		if (err != nil) != tc.bad || got.Open != tc.open || got.Merged != tc.merged {
			t.Errorf("%s: %+v, %v", tc.name, got, err)
		}
	}
}

func TestLevel_MayWrite(t *testing.T) {
	for level, may := range map[github.Level]bool{
		github.Admin: true, github.Write: true, github.Read: false, github.None: false, "": false, "maintain": false, "WRITE": false,
	} {
		if level.MayWrite() != may {
			t.Errorf("%q may write: %v", level, !may)
		}
	}
}
