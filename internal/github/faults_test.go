package github_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// story is everything that a preview's life asks of GitHub, in order. It goes on
// where a step fails, as a run does, and tells what failed.
func story(ctx context.Context, c *github.Client) error {
	const env, task = "review", "deploy:shop-pr-12"
	const mark = github.Marker("kamal-op:review:shop:12")
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	say := func(text string) {
		_, err := c.Comment(ctx, 12, mark, func(string) (string, bool) { return text, true })
		note(err)
	}
	pr, err := c.PullRequest(ctx, 12)
	note(err)
	if level, err := c.Permission(ctx, "alice", 7); err != nil || !level.MayWrite() {
		note(fmt.Errorf("alice may not write: %w", err))
	}
	for n := range 2 { // two pushes
		d, err := c.CreateDeployment(ctx, github.DeploymentRequest{
			SHA: pr.HeadSHA, Environment: env, Task: task, Description: "preview",
			Payload: github.Payload{Service: "shop", Number: 12, Run: int64(n + 1), Attempt: 1, Nonce: fmt.Sprint("nonce", n)},
		})
		note(err)
		note(c.SetStatus(ctx, d.ID, github.Status{State: github.Queued}))
		say("deploying")
		note(c.SetStatus(ctx, d.ID, github.Status{State: github.InProgress, LogURL: "https://github.test/log"}))
		note(c.SetStatus(ctx, d.ID, github.Status{State: github.Success, EnvironmentURL: "https://pr-12.example.com"}))
		_, err = c.Deactivate(ctx, env, task, d.ID, "overtaken", "")
		note(err)
		say(fmt.Sprintf("deployed %d", n))
	}
	_, err = c.Deactivate(ctx, env, task, 0, "removed", "")
	note(err)
	say("removed")
	note(c.React(ctx, 1001, "rocket"))
	open, err := c.OpenPullRequests(ctx)
	note(err)
	if err == nil && len(open) != 3 {
		note(fmt.Errorf("%d open pull requests", len(open)))
	}
	over, _, err := c.RunOver(ctx, github.Run{ID: 5, Attempt: 1, Job: "deploy"})
	note(err)
	if err == nil && over != github.Ended {
		note(fmt.Errorf("the run is %s", over))
	}
	return errors.Join(errs...)
}

func storyServer(t *testing.T) (*githubtest.Server, *github.Client, *clock) {
	s, c, clk := testServer(t, githubtest.Options{PageSize: 2})
	for n := 12; n < 15; n++ {
		s.AddPull(githubtest.Pull{Number: n})
	}
	s.SetChecks(githubtest.SHA(12), "pending")
	s.AddUser("alice", 7, "write")
	s.AddComment(12, "alice", "please") // 1001
	s.AddComment(12, "mallory", "<!-- kamal-op:review:shop:12 -->\nnot ours")
	s.AddRun(5, 1, "in_progress", "", githubtest.Job(1, "build", "r1", "in_progress"), githubtest.Job(2, "lint", "r3", "completed"), githubtest.Job(3, "deploy", "r2", "completed"))
	return s, c, clk
}

// checkStory checks what must be true in the end, whatever happened on the way.
func checkStory(t *testing.T, s *githubtest.Server) {
	t.Helper()
	list := s.Comments(12)
	ours := 0
	for _, c := range list {
		if c.GetUser().GetLogin() != robot {
			continue
		}
		ours++
		if want := "<!-- kamal-op:review:shop:12 -->\nremoved"; c.GetBody() != want {
			t.Errorf("comment is %q, want %q", c.GetBody(), want)
		}
	}
	if ours != 1 || len(list) != 3 {
		t.Errorf("%d comments of ours, %d in all; want 1 and 3", ours, len(list))
	}
	if list[1].GetBody() != "<!-- kamal-op:review:shop:12 -->\nnot ours" {
		t.Errorf("another's comment was changed: %q", list[1].GetBody())
	}
	ds := s.Deployments()
	if len(ds) != 2 {
		t.Fatalf("%d deployments, want 2", len(ds))
	}
	for _, d := range ds {
		var states []string
		for _, st := range d.Statuses {
			states = append(states, st.GetState())
			if (st.EnvironmentURL != nil) != (st.GetState() == "success") {
				t.Errorf("%s has address %v", st.GetState(), st.EnvironmentURL)
			}
		}
		if got, want := fmt.Sprint(states), "[queued in_progress success inactive]"; got != want {
			t.Errorf("states %s, want %s", got, want)
		}
		if !d.Transient || d.Production {
			t.Errorf("deployment is transient %v, production %v", d.Transient, d.Production)
		}
	}
	if got := fmt.Sprint(s.Reactions(1001)); got != "[rocket]" {
		t.Errorf("reactions %s", got)
	}
}

func TestClient_StoryWithoutFaults(t *testing.T) {
	s, c, clk := storyServer(t)
	if err := story(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	checkStory(t, s)
	if len(clk.slept) != 0 {
		t.Errorf("waited without a reason: %v", clk.slept)
	}
}

// Every fault, at every call: in the end all is as if there had been none.
func TestClient_EveryFaultAtEveryCall(t *testing.T) {
	s, c, _ := storyServer(t)
	if err := story(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	calls := len(s.Calls())
	t.Logf("%d calls, %d faults", calls, len(githubtest.Faults()))
	for _, fault := range githubtest.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			for n := 1; n <= calls; n++ {
				s, c, clk := storyServer(t)
				s.Inject(func(call githubtest.Call) githubtest.Fault {
					if call.Number == n {
						return fault
					}
					return githubtest.None
				})
				err := story(t.Context(), c)
				at := s.Calls()[n-1]
				if err != nil {
					t.Errorf("at call %d (%s %s): %v", n, at.Method, at.Path, err)
				}
				checkStory(t, s)
				// net/http itself repeats a GET on a connection that was kept.
				if len(clk.slept) == 0 && fault != githubtest.Dropped && fault != githubtest.DroppedDone {
					t.Errorf("at call %d (%s %s): did not wait", n, at.Method, at.Path)
				}
				if t.Failed() {
					t.Fatalf("failed at call %d (%s %s)", n, at.Method, at.Path)
				}
			}
		})
	}
}

// Every call fails once with each fault before it goes through.
func TestClient_EveryFaultInARow(t *testing.T) {
	for _, fault := range githubtest.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			s, _, clk := storyServer(t)
			c, err := github.New(github.Options{
				BaseURL: s.URL, Token: workflowToken, Repository: "acme/shop", Deadline: time.Hour, Now: clk.now, Sleep: clk.sleep,
			})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]int{}
			s.Inject(func(call githubtest.Call) githubtest.Fault {
				at := call.Method + call.Path
				if seen[at]++; seen[at]%2 == 1 {
					return fault
				}
				return githubtest.None
			})
			if err := story(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			checkStory(t, s)
		})
	}
}

// Where the fault stays, the call ends with a problem within the deadline.
func TestClient_FaultThatStays(t *testing.T) {
	for _, fault := range githubtest.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			s, c, clk := storyServer(t)
			s.Inject(func(githubtest.Call) githubtest.Fault { return fault })
			began := clk.now()
			_, err := c.PullRequest(t.Context(), 12)
			if err == nil {
				t.Fatal("no error")
			}
			wantProblem(t, err, "reading pull request 12")
			if d := clk.now().Sub(began); d > github.DefaultDeadline {
				t.Errorf("took %s, more than %s", d, github.DefaultDeadline)
			}
		})
	}
}

// A limit that ends after the deadline is not waited for.
func TestClient_LimitTooFarAway(t *testing.T) {
	s, _, clk := storyServer(t)
	s.Inject(func(githubtest.Call) githubtest.Fault { return githubtest.TooManyBare })
	c, err := github.New(github.Options{
		BaseURL: s.URL, Token: workflowToken, Repository: "acme/shop", Now: clk.now, Sleep: clk.sleep, Deadline: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.PullRequest(t.Context(), 12)
	p := wantProblem(t, err, "secondary rate limit does not end in time", "1m0s")
	if p.Status != 5 || len(clk.slept) != 0 {
		t.Errorf("status %d, waited %v", p.Status, clk.slept)
	}
}

func TestClient_ContextEndsTheWait(t *testing.T) {
	s, _, clk := storyServer(t)
	s.Inject(func(githubtest.Call) githubtest.Fault { return githubtest.BadGateway })
	c, err := github.New(github.Options{BaseURL: s.URL, Token: workflowToken, Repository: "acme/shop", Now: clk.now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := c.PullRequest(ctx, 12); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancelled context", err)
	}
}
