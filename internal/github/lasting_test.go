package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// shop makes a deployment of an app that stays, which is in a state.
func shop(t *testing.T, c *github.Client, app, nonce string, is github.State) github.Deployment {
	t.Helper()
	d, err := c.CreateDeployment(t.Context(), github.DeploymentRequest{
		SHA: githubtest.SHA(1), Environment: "production", Task: "deploy:" + app, Lasting: true, Payload: github.Payload{Service: app, Nonce: nonce},
	})
	if err != nil {
		t.Fatal(err)
	}
	set(t, c, d, is)
	return d
}

// What had success until now is inactive; what failed, what runs, another app's and what
// somebody else has made stay as they are.
func TestSupersede(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{PageSize: 2})
	s.AddPull(githubtest.Pull{Number: 1})
	shop(t, c, "shop", "0", github.Success) // before one that is inactive: not looked at any more
	shop(t, c, "shop", "1", github.Inactive)
	shop(t, c, "shop", "2", github.Success)
	shop(t, c, "blog", "3", github.Success)
	shop(t, c, "shop", "4", github.Failure)
	shop(t, c, "shop", "5", github.InProgress)
	s.AddDeployment(githubtest.SHA(1), "production", "deploy:shop", `""`, "https://github.test/x")
	now := shop(t, c, "shop", "6", github.Success)
	shop(t, c, "shop", "7", github.Success) // of a run that came later
	if err := c.Supersede(t.Context(), "production", "deploy:shop", now.ID, github.Status{State: github.Inactive}); err != nil {
		t.Fatal(err)
	}
	want := "success inactive inactive success failure in_progress in_progress success success"
	var got []string
	for _, d := range s.Deployments() {
		got = append(got, d.State())
		if d.Transient || d.Production {
			t.Errorf("%s: transient %v, production %v", d.GetTask(), d.Transient, d.Production)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("states %s, want %s", got, want)
	}
}

// What had success before a row of failures is not left so.
func TestSupersede_BehindFailures(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 1})
	shop(t, c, "shop", "first", github.Success)
	for n := range 40 {
		shop(t, c, "shop", strings.Repeat("x", n+1), github.Failure)
	}
	now := shop(t, c, "shop", "now", github.Success)
	if err := c.Supersede(t.Context(), "production", "deploy:shop", now.ID, github.Status{State: github.Inactive}); err != nil {
		t.Fatal(err)
	}
	if got := s.Deployments()[0].State(); got != "inactive" {
		t.Errorf("the one before is %s", got)
	}
}

// However many there are, a bounded number of requests is made.
func TestSupersede_IsBounded(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 1})
	var last github.Deployment
	for n := range 300 {
		last = shop(t, c, "shop", strings.Repeat("x", n+1), github.Failure)
	}
	before := len(s.Calls())
	if err := c.Supersede(t.Context(), "production", "deploy:shop", last.ID, github.Status{State: github.Inactive}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Calls()) - before; n > 110 || n < 100 {
		t.Errorf("%d requests", n)
	}
}

// A job that names an environment has a deployment of it by itself, as long as it runs.
func TestMadeByRun(t *testing.T) {
	const run = "https://github.test/acme/shop/actions/runs/42"
	for name, tc := range map[string]struct {
		environment, payload, log string
		made                      bool
	}{
		"of a job of the run":                  {"production", `""`, run + "/job/7", true},
		"of the run itself":                    {"production", `""`, run, true},
		"of a run whose number begins alike":   {"production", `""`, run + "0/job/7", false},
		"of another environment":               {"staging", `""`, run + "/job/7", false},
		"of ours":                              {"production", `{"tool":"kamal-op"}`, run, false},
		"that has no status yet, so no link":   {"production", `""`, "", false},
		"of the same run, on another server's": {"production", `""`, "https://other.test/acme/shop/actions/runs/42", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, c, _ := testServer(t, githubtest.Options{})
			s.AddPull(githubtest.Pull{Number: 1})
			id := s.AddDeployment(githubtest.SHA(1), tc.environment, "deploy", tc.payload, tc.log)
			made, err := c.MadeByRun(t.Context(), "production", run)
			if err != nil || made != tc.made {
				t.Errorf("%v, %v", made, err)
			}
			if made, err := c.MadeByRun(t.Context(), "production", ""); made || err != nil {
				t.Errorf("without a run: %v, %v", made, err)
			}
			if err := c.SetStatus(t.Context(), id, github.Status{State: github.Success, LogURL: tc.log}); err != nil {
				t.Fatal(err)
			}
			if made, err := c.MadeByRun(t.Context(), "production", run); made || err != nil {
				t.Errorf("of a job that is over: %v, %v", made, err)
			}
		})
	}
}

// Without the permission it is said, and which one is missing.
func TestMadeByRun_Denied(t *testing.T) {
	s, _, clk := testServer(t, githubtest.Options{})
	s.AddToken("less", githubtest.Token{Login: robot, Workflow: true, Permissions: map[string]string{"contents": "read"}})
	less := testClient(t, s, clk, "less")
	_, err := less.MadeByRun(t.Context(), "production", "https://github.test/x")
	wantProblem(t, err, "`permissions: deployments: write`")
	wantProblem(t, less.Supersede(t.Context(), "production", "deploy:shop", 1, github.Status{}), "the token may not do that")
}

// The first that the run has made is enough: an older one of another run says nothing
// against it, and what GitHub does not answer is an error and no answer.
func TestMadeByRun_StopsAtTheFirst(t *testing.T) {
	const run = "https://github.test/acme/shop/actions/runs/42"
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 1})
	s.AddDeployment(githubtest.SHA(1), "production", "deploy", `""`, run+"1/job/7")
	last := s.AddDeployment(githubtest.SHA(1), "production", "deploy", `""`, run+"/job/7")
	if made, err := c.MadeByRun(t.Context(), "production", run); err != nil || !made {
		t.Errorf("%v, %v", made, err)
	}
	s.Inject(func(call githubtest.Call) githubtest.Fault {
		if strings.Contains(call.Path, fmt.Sprintf("/deployments/%d/statuses", last)) {
			return githubtest.BadGateway
		}
		return githubtest.None
	})
	if made, err := c.MadeByRun(t.Context(), "production", run); err == nil || made {
		t.Errorf("%v, %v", made, err)
	}
}
