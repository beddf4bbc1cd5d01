package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

func always(text string) func(string) (string, bool) {
	return func(string) (string, bool) { return text, true }
}

func TestComment_OnlyOursIsEdited(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{PageSize: 2})
	s.AddPull(githubtest.Pull{Number: 3})
	for i := range 5 {
		s.AddComment(3, "alice", fmt.Sprint("talk ", i))
	}
	s.AddComment(3, "alice", "<!-- m -->\nimpostor")
	s.AddComment(3, robot, "> <!-- m -->\nquoted")
	s.AddComment(3, robot, "said before\n<!-- m -->")
	s.AddComment(3, robot, "<!-- m2 -->\nanother preview's")
	s.AddComment(3, robot, "<!-- m -->\r\nours")
	if _, err := c.Comment(t.Context(), 3, "m", func(old string) (string, bool) {
		if old != "ours" {
			t.Errorf("old body %q", old)
		}
		return "new", true
	}); err != nil {
		t.Fatal(err)
	}
	list := s.Comments(3)
	if len(list) != 10 || list[9].GetBody() != "<!-- m -->\nnew" {
		t.Errorf("%d comments, last %q", len(list), list[len(list)-1].GetBody())
	}
	for _, c := range list[:9] {
		if strings.HasSuffix(c.GetBody(), "\nnew") {
			t.Errorf("wrong comment edited: %v", c)
		}
	}
}

func TestComment_LeavesItWhereWriteSaysNo(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 3})
	no := func(string) (string, bool) { return "x", false }
	if _, err := c.Comment(t.Context(), 3, "m", no); err != nil || len(s.Comments(3)) != 0 {
		t.Fatalf("%v, %v", err, s.Comments(3))
	}
	if _, err := c.Comment(t.Context(), 3, "m", always("first")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Comment(t.Context(), 3, "m", no); err != nil || s.Comments(3)[0].GetBody() != "<!-- m -->\nfirst" {
		t.Fatalf("%v, %v", err, s.Comments(3))
	}
}

func TestComment_FoldsTwoIntoTheOldest(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 3})
	first := s.AddComment(3, robot, "<!-- m -->\none")
	s.AddComment(3, robot, "<!-- m -->\ntwo")
	if _, err := c.Comment(t.Context(), 3, "m", always("now")); err != nil {
		t.Fatal(err)
	}
	if list := s.Comments(3); len(list) != 1 || list[0].GetID() != first || list[0].GetBody() != "<!-- m -->\nnow" {
		t.Errorf("%v", list)
	}
}

// Two runs that begin at once, each with a client of its own.
func TestComment_TwoAtOnce(t *testing.T) {
	for range 20 {
		s, c, clk := testServer(t, githubtest.Options{})
		s.AddPull(githubtest.Pull{Number: 3})
		var wg sync.WaitGroup
		for i, one := range []*github.Client{c, testClient(t, s, clk, workflowToken)} {
			wg.Go(func() {
				if _, err := one.Comment(t.Context(), 3, "m", always(fmt.Sprint("run ", i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if _, err := c.Comment(t.Context(), 3, "m", always("end")); err != nil {
			t.Fatal(err)
		}
		if list := s.Comments(3); len(list) != 1 || list[0].GetBody() != "<!-- m -->\nend" {
			t.Fatalf("%v", list)
		}
	}
}

// The answer is lost, and the list does not show the comment for a while.
func TestComment_LostAnswerAndLaggingList(t *testing.T) {
	for lists := range 4 {
		s, c, _ := testServer(t, githubtest.Options{})
		s.AddPull(githubtest.Pull{Number: 3})
		s.HideNewComments(lists)
		lost := false
		s.Inject(func(call githubtest.Call) githubtest.Fault {
			if call.Method == http.MethodPost && !lost && strings.Contains(call.Path, "comments") {
				lost = true
				return githubtest.BadGatewayDone
			}
			return githubtest.None
		})
		for _, text := range []string{"one", "two", "three", "four"} {
			if _, err := c.Comment(t.Context(), 3, "m", always(text)); err != nil {
				t.Fatal(err)
			}
		}
		if list := s.Comments(3); len(list) != 1 || list[0].GetBody() != "<!-- m -->\nfour" {
			t.Errorf("hidden from %d lists: %d comments: %v", lists, len(list), list)
		}
	}
}

func TestComment_DeletedMeanwhile(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 3})
	made, err := c.Comment(t.Context(), 3, "m", always("one"))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	if _, err := c.Comment(t.Context(), 3, "m", func(string) (string, bool) {
		if asked++; asked == 1 {
			s.DeleteComment(made.ID)
		}
		return "two", true
	}); err != nil {
		t.Fatal(err)
	}
	if list := s.Comments(3); len(list) != 1 || list[0].GetBody() != "<!-- m -->\ntwo" {
		t.Errorf("%v", list)
	}
}

func TestComment_CutAtGitHubsLimit(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	s.AddPull(githubtest.Pull{Number: 3})
	if _, err := c.Comment(t.Context(), 3, "m", always(strings.Repeat("ä", 70000))); err != nil {
		t.Fatal(err)
	}
	if body := s.Comments(3)[0].GetBody(); len([]rune(body)) != 65536 || !strings.HasSuffix(body, "longer comment)_") {
		t.Errorf("%d characters, ends with %q", len([]rune(body)), body[len(body)-40:])
	}
}

func TestComment_MarkerThatCouldEndItsOwnComment(t *testing.T) {
	_, c, _ := testServer(t, githubtest.Options{})
	for _, m := range []github.Marker{"", "a b", "a-->", "a\nb"} {
		if _, err := c.Comment(t.Context(), 3, m, always("x")); err == nil {
			t.Errorf("%q was taken", m)
		}
	}
}

// A person's token, an app's, a workflow's: each finds its own.
func TestComment_ByWhom(t *testing.T) {
	for _, tok := range []githubtest.Token{
		{Login: "alice", Permissions: githubtest.Everything()},
		{Login: "deployer[bot]", Workflow: true, Permissions: githubtest.Everything()},
	} {
		s, _, clk := testServer(t, githubtest.Options{})
		s.AddPull(githubtest.Pull{Number: 3})
		s.AddToken("theirs", tok)
		s.AddComment(3, robot, "<!-- m -->\na workflow's")
		c := testClient(t, s, clk, "theirs")
		for _, text := range []string{"one", "two"} {
			if _, err := c.Comment(t.Context(), 3, "m", always(text)); err != nil {
				t.Fatal(err)
			}
		}
		list := s.Comments(3)
		if len(list) != 2 || list[1].GetUser().GetLogin() != tok.Login || list[1].GetBody() != "<!-- m -->\ntwo" {
			t.Errorf("%s: %v", tok.Login, list)
		}
	}
}
