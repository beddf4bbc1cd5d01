package review_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// TestMain lets the test binary be the docker command of a world's hosts.
func TestMain(m *testing.M) {
	if file := os.Getenv(beDocker); file != "" {
		os.Exit(fakeDocker(file, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

const robot = "github-actions[bot]"

// A clock that goes on only while somebody sleeps.
type clock struct {
	mu sync.Mutex
	at time.Time
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
	return ctx.Err()
}

// testGitHub is a GitHub with pull requests 12 (ours), 13 (a fork's), 14 (a deleted
// fork's), 15 (closed) and an issue 20; alice may write, bob may read.
func testGitHub(t *testing.T, clk *clock) (*githubtest.Server, *github.Client) {
	t.Helper()
	s := githubtest.New(t, githubtest.Options{Now: clk.now})
	s.AddToken("t", githubtest.Token{Login: robot, Workflow: true, Permissions: githubtest.Everything()})
	s.AddPull(githubtest.Pull{Number: 12})
	s.AddPull(githubtest.Pull{Number: 13, HeadRepo: "mallory/shop"})
	s.AddPull(githubtest.Pull{Number: 14, HeadRepo: "-"})
	s.AddPull(githubtest.Pull{Number: 15, Closed: true})
	s.AddIssue(20)
	s.AddUser("alice", 7, "write")
	s.AddUser("bob", 8, "read")
	return s, testClient(t, s, clk, &http.Transport{})
}

func testClient(t *testing.T, s *githubtest.Server, clk *clock, transport http.RoundTripper) *github.Client {
	t.Helper()
	c, err := github.New(github.Options{
		BaseURL: s.URL, Token: "t", Repository: "acme/shop", Transport: transport, Now: clk.now, Sleep: clk.sleep,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// wantProblem checks that err holds a problem that says all of this.
func wantProblem(t *testing.T, err error, says ...string) *problem.Problem {
	t.Helper()
	var p *problem.Problem
	if !errors.As(err, &p) {
		t.Fatalf("not a problem: %v", err)
	}
	var all strings.Builder
	for _, p := range problem.Of(err) {
		all.WriteString(strings.Join(append([]string{p.Message, p.Hint}, p.Details...), "\n") + "\n")
	}
	for _, s := range says {
		if !strings.Contains(all.String(), s) {
			t.Errorf("problem does not say %q:\n%s", s, all.String())
		}
	}
	return p
}
