package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// deploy makes a deployment that has had success, for a pull request.
func deploy(t *testing.T, c *github.Client, number int, run int64) github.Deployment {
	t.Helper()
	d, err := c.CreateDeployment(t.Context(), github.DeploymentRequest{
		SHA: githubtest.SHA(number), Environment: "review", Task: fmt.Sprintf("deploy:shop-pr-%d", number),
		Payload: github.Payload{Service: "shop", Number: number, Run: run, Attempt: 1, Nonce: fmt.Sprint(number, "/", run)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func set(t *testing.T, c *github.Client, d github.Deployment, s github.State) {
	t.Helper()
	if err := c.SetStatus(t.Context(), d.ID, github.Status{State: s}); err != nil {
		t.Fatal(err)
	}
}

func states(s *githubtest.Server) string {
	var b strings.Builder
	for _, d := range s.Deployments() {
		fmt.Fprintf(&b, "%s=%s ", strings.TrimPrefix(d.GetTask(), "deploy:shop-"), d.State())
	}
	return strings.TrimSpace(b.String())
}

func TestDeployments_EachPullRequestsOwn(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{PageSize: 1})
	for n := range 12 {
		s.AddPull(githubtest.Pull{Number: n + 1})
	}
	old1 := deploy(t, c, 1, 1)
	set(t, c, old1, github.Success)
	ten := deploy(t, c, 10, 2)
	set(t, c, ten, github.Success)
	now1 := deploy(t, c, 1, 3)
	set(t, c, now1, github.Success)
	if got, want := states(s), "pr-1=success pr-10=success pr-1=success"; got != want {
		t.Fatalf("a success ended another's deployment: %s", got)
	}
	newer1 := deploy(t, c, 1, 4)
	set(t, c, newer1, github.InProgress)
	n, err := c.Deactivate(t.Context(), "review", "deploy:shop-pr-1", now1.ID, "overtaken", "")
	if err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	if got, want := states(s), "pr-1=inactive pr-10=success pr-1=success pr-1=in_progress"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	n, err = c.Deactivate(t.Context(), "review", "deploy:shop-pr-1", 0, "removed", "")
	if err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	if got, want := states(s), "pr-1=inactive pr-10=success pr-1=inactive pr-1=inactive"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	if n, err := c.Deactivate(t.Context(), "review", "deploy:shop-pr-1", 0, "removed", ""); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

func TestDeployments_EndUnfinished(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 1})
	done := deploy(t, c, 1, 5)
	set(t, c, done, github.Success)
	deploy(t, c, 1, 5) // killed before its first status
	half := deploy(t, c, 1, 5)
	set(t, c, half, github.InProgress)
	others := deploy(t, c, 1, 6)
	set(t, c, others, github.InProgress)
	n, err := c.EndUnfinished(t.Context(), "review", "deploy:shop-pr-1", 5, 1, github.Status{State: github.Errored, Description: "cancelled", LogURL: "https://github.test/log"})
	if err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	if got, want := states(s), "pr-1=success pr-1=error pr-1=error pr-1=in_progress"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
}

func TestDeployments_OthersAreLeftAlone(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 1})
	s.AddDeployment(githubtest.SHA(1), "review", "deploy:shop-pr-1", `{"tool":"another"}`, "")
	s.AddDeployment(githubtest.SHA(1), "review", "deploy:shop-pr-1", `""`, "")
	s.AddDeployment(githubtest.SHA(1), "review", "deploy:shop-pr-1", `"{\"tool\":\"kamal-op\"}"`, "")
	s.AddDeployment(githubtest.SHA(1), "production", "deploy:shop-pr-1", `{"tool":"kamal-op"}`, "")
	n, err := c.Deactivate(t.Context(), "review", "deploy:shop-pr-1", 0, "removed", "")
	if err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	if got, want := states(s), "pr-1= pr-1= pr-1=inactive pr-1="; got != want {
		t.Errorf("states %q, want %q", got, want)
	}
}

func TestDeployments_TextsFit(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 1})
	d := deploy(t, c, 1, 1)
	long := strings.Repeat("ä", 200)
	for _, st := range []github.Status{
		{State: github.Failure, Description: long, LogURL: "not a link", EnvironmentURL: "https://x.example"},
		{State: github.Success, Description: long, EnvironmentURL: "javascript:alert(1)"},
	} {
		if err := c.SetStatus(t.Context(), d.ID, st); err != nil {
			t.Errorf("%s: %v", st.State, err)
		}
	}
	for _, st := range s.Deployments()[0].Statuses {
		if n := len([]rune(st.GetDescription())); n != 140 || st.EnvironmentURL != nil || st.LogURL != nil {
			t.Errorf("%d characters, %v, %v", n, st.EnvironmentURL, st.LogURL)
		}
	}
}

func TestDeployments_Refusals(t *testing.T) {
	_, c, _ := testServer(t, githubtest.Options{})
	_, err := c.CreateDeployment(t.Context(), github.DeploymentRequest{SHA: githubtest.SHA(9), Payload: github.Payload{Nonce: "n"}})
	wantProblem(t, err, "creating a deployment: GitHub answered 422", "No ref found for")
	if _, err := c.CreateDeployment(t.Context(), github.DeploymentRequest{SHA: githubtest.SHA(9)}); err == nil {
		t.Error("a deployment without a nonce was taken")
	}
}

func TestDeleteEnvironment(t *testing.T) {
	s, c, clk := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 1})
	if _, err := c.CreateDeployment(t.Context(), github.DeploymentRequest{SHA: githubtest.SHA(1), Environment: "review/pr-1 #x", Payload: github.Payload{Nonce: "n"}}); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, c.DeleteEnvironment(t.Context(), "review/pr-1 #x"), "may not")
	s.AddToken("admins", githubtest.Token{Login: "alice", Permissions: map[string]string{"administration": "write"}})
	if err := testClient(t, s, clk, "admins").DeleteEnvironment(t.Context(), "review/pr-1 #x"); err != nil {
		t.Fatal(err)
	}
	if left := s.Environments(); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
