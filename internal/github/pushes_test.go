package github_test

import (
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// The pushes to a branch come with the newest first, and no other branch's.
func TestPushes(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.Push("a b/ü&c", githubtest.SHA(1), at)
	s.Push("main", githubtest.SHA(2), at)
	s.Push("a b/ü&c", githubtest.SHA(3), at.Add(time.Second))
	got, err := c.Pushes(t.Context(), "a b/ü&c")
	if err != nil || len(got) != 2 || got[0] != (github.Push{SHA: githubtest.SHA(3), At: at.Add(time.Second)}) || got[1].SHA != githubtest.SHA(1) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := c.Pushes(t.Context(), "other"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// A server without the list says so, and a token that may not, which permission it lacks.
func TestPushes_NotTold(t *testing.T) {
	_, c, _ := testServer(t, githubtest.Options{Gitea: true})
	if _, err := c.Pushes(t.Context(), "main"); !github.IsMissing(err) {
		t.Errorf("%v", err)
	}
	s, _, clk := testServer(t, githubtest.Options{})
	s.AddToken("less", githubtest.Token{Login: robot, Workflow: true, Permissions: map[string]string{"pull-requests": "write"}})
	_, err := testClient(t, s, clk, "less").Pushes(t.Context(), "main")
	wantProblem(t, err, "`permissions: contents: read`")
}
