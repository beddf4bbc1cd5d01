package github_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A clock that goes on only while somebody sleeps.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

const (
	workflowToken = "token-of-the-workflow"
	robot         = "github-actions[bot]"
)

// testServer is a server that knows a workflow's token with every permission, and a
// client of it.
func testServer(t *testing.T, o githubtest.Options) (*githubtest.Server, *github.Client, *clock) {
	t.Helper()
	c := newClock()
	o.Now = c.now
	s := githubtest.New(t, o)
	s.AddToken(workflowToken, githubtest.Token{Login: robot, Workflow: true, Permissions: githubtest.Everything()})
	return s, testClient(t, s, c, workflowToken), c
}

func testClient(t *testing.T, s *githubtest.Server, c *clock, token string) *github.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := github.New(github.Options{
		BaseURL: s.URL, Token: token, Repository: "acme/shop", Transport: transport, Now: c.now, Sleep: c.sleep,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// wantProblem checks that err is one problem that says all of this.
func wantProblem(t *testing.T, err error, says ...string) *problem.Problem {
	t.Helper()
	var p *problem.Problem
	if !errors.As(err, &p) {
		t.Fatalf("not a problem: %v", err)
	}
	all := strings.Join(append([]string{p.Message, p.Hint}, p.Details...), "\n")
	for _, s := range says {
		if !strings.Contains(all, s) {
			t.Errorf("problem does not say %q:\n%s", s, all)
		}
	}
	return p
}
