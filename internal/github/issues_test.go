package github_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

func becomes(change github.IssueChange) func(string) github.IssueChange {
	return func(string) github.IssueChange { return change }
}

// issues is a server whose token may write issues, and a client.
func issues(t *testing.T, o githubtest.Options) (*githubtest.Server, *github.Client) {
	t.Helper()
	s, c, _ := testServer(t, o)
	may := githubtest.Everything()
	may["issues"] = "write"
	s.AddToken(workflowToken, githubtest.Token{Login: robot, Workflow: true, Permissions: may})
	return s, c
}

func TestIssue_IsOpenedEditedAndClosed(t *testing.T) {
	s, c := issues(t, githubtest.Options{PageSize: 2})
	s.AddPull(githubtest.Pull{Number: 1})
	for range 4 {
		s.OpenIssue("alice", "<!-- m -->\nimpostor")
	}
	s.OpenIssue(robot, "quoted\n<!-- m -->")
	if one, err := c.Issue(t.Context(), "m", becomes(github.IssueChange{})); err != nil || one.Number != 0 || len(s.Issues()) != 5 {
		t.Fatalf("nothing to tell opened %v, %v", one, err)
	}
	one, err := c.Issue(t.Context(), "m", becomes(github.IssueChange{Title: "Drift", Body: "first"}))
	if err != nil || one.Number != 7 || one.Body != "first" {
		t.Fatalf("%+v, %v", one, err)
	}
	if _, err := c.Issue(t.Context(), "m", func(old string) github.IssueChange {
		if old != "first" {
			t.Errorf("the old text is %q", old)
		}
		return github.IssueChange{Title: "Drift", Body: "second", Comment: "one more"}
	}); err != nil {
		t.Fatal(err)
	}
	i := s.Issues()[5]
	if said := s.Comments(7); i.GetBody() != "<!-- m -->\nsecond" || len(said) != 1 || said[0].GetBody() != "one more" {
		t.Errorf("%q, %v", i.GetBody(), said)
	}
	if one, err = c.Issue(t.Context(), "m", becomes(github.IssueChange{Comment: "all is well"})); err != nil || one.Number != 0 {
		t.Errorf("%+v, %v", one, err)
	}
	if i := s.Issues()[5]; i.GetState() != "closed" || i.GetStateReason() != "completed" || len(s.Comments(7)) != 2 {
		t.Errorf("%v", i)
	}
	for _, other := range s.Issues()[:5] {
		if other.GetState() != "open" || strings.Contains(other.GetBody(), "second") {
			t.Errorf("changed: %v", other)
		}
	}
}

func TestIssue_TheOldestOfSeveralStays(t *testing.T) {
	s, c := issues(t, githubtest.Options{})
	first, second := s.OpenIssue(robot, "<!-- m -->\nold"), s.OpenIssue(robot, "<!-- m -->\nalso")
	one, err := c.Issue(t.Context(), "m", becomes(github.IssueChange{Title: "Drift", Body: "new"}))
	if err != nil || one.Number != first {
		t.Fatalf("%+v, %v", one, err)
	}
	if all := s.Issues(); all[second-1].GetState() != "closed" || all[first-1].GetState() != "open" || all[first-1].GetBody() != "<!-- m -->\nnew" {
		t.Errorf("%v", all)
	}
}

// An answer that is lost opens no second issue.
func TestIssue_IsOpenedOnce(t *testing.T) {
	for _, fault := range []githubtest.Fault{githubtest.BadGatewayDone, githubtest.DroppedDone, githubtest.Truncated, githubtest.BadGateway} {
		s, c := issues(t, githubtest.Options{})
		failed := false
		s.Inject(func(call githubtest.Call) githubtest.Fault {
			if call.Method == http.MethodPost && !failed {
				failed = true
				return fault
			}
			return githubtest.None
		})
		if one, err := c.Issue(t.Context(), "m", becomes(github.IssueChange{Title: "Drift", Body: "text"})); err != nil || one.Number != 1 || len(s.Issues()) != 1 {
			t.Errorf("fault %v: %+v, %d issues, %v", fault, one, len(s.Issues()), err)
		}
	}
}

func TestIssue_NeedsThePermission(t *testing.T) {
	_, c, _ := testServer(t, githubtest.Options{})
	_, err := c.Issue(t.Context(), "m", becomes(github.IssueChange{Title: "Drift", Body: "text"}))
	var denied *github.DeniedError
	if !errors.As(err, &denied) || denied.Permission != "issues: write" {
		t.Errorf("%v", err)
	}
}
