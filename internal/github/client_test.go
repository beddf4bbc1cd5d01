package github_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

func TestNew_RefusesWhatIsNoAddress(t *testing.T) {
	for _, o := range []github.Options{
		{Repository: "shop"},
		{Repository: "acme/shop/x"},
		{Repository: "acme/../x"},
		{Repository: "acme/.."},
		{Repository: "acme/shop?x"},
		{Repository: "acme/shop\n::error::x"},
		{Repository: "acme/shop", BaseURL: "api.github.com"},
		{Repository: "acme/shop", BaseURL: "ftp://api.github.com"},
		{Repository: "acme/shop", BaseURL: "https://me:secret@api.github.com"},
		{Repository: "acme/shop", BaseURL: "https://api.github.com?x=1"},
	} {
		_, err := github.New(o)
		p := wantProblem(t, err)
		if p.Status != 2 {
			t.Errorf("%v: status %d, want 2", o, p.Status)
		}
		if strings.ContainsAny(p.Message, "\n") || strings.Contains(p.Message, "secret") {
			t.Errorf("message %q", p.Message)
		}
	}
}

func TestOptions_NeverPrintTheToken(t *testing.T) {
	o := github.Options{Token: "the-token", Repository: "acme/shop"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, o); strings.Contains(got, "the-token") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// The same answers under the roots of github.com, GitHub Enterprise Server, Gitea.
func TestClient_Roots(t *testing.T) {
	for _, o := range []githubtest.Options{{}, {Root: "/api/v3"}, {Root: "/api/v1", Gitea: true}} {
		t.Run("root "+o.Root, func(t *testing.T) {
			s, c, _ := testServer(t, o)
			s.AddPull(githubtest.Pull{Number: 3, Labels: []string{"preview"}})
			pr, err := c.PullRequest(t.Context(), 3)
			if err != nil {
				t.Fatal(err)
			}
			want := github.PullRequest{
				Number: 3, Open: true, HeadSHA: githubtest.SHA(3), HeadRef: "topic-3", HeadRepo: "acme/shop",
				BaseSHA: githubtest.SHA(0), BaseRef: "main", BaseRepo: "acme/shop", Labels: []string{"preview"},
			}
			if diff := cmp.Diff(want, pr); diff != "" {
				t.Error(diff)
			}
			for _, text := range []string{"one", "two"} {
				if _, err := c.Comment(t.Context(), 3, "m", func(string) (string, bool) { return text, true }); err != nil {
					t.Fatal(err)
				}
			}
			if list := s.Comments(3); len(list) != 1 || list[0].GetBody() != "<!-- m -->\ntwo" {
				t.Errorf("comments %v", list)
			}
			if login, err := c.Login(t.Context()); err != nil || login != robot {
				t.Errorf("login %q, %v", login, err)
			}
			_, err = c.CreateDeployment(t.Context(), github.DeploymentRequest{SHA: pr.HeadSHA, Environment: "review", Task: "t", Payload: github.Payload{Nonce: "n"}})
			if o.Gitea {
				wantProblem(t, err, "creating a deployment: there is no such thing in acme/shop")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// Each permission that is missing is named, and nothing is done.
func TestClient_NamesTheMissingPermission(t *testing.T) {
	mark := func(string) (string, bool) { return "text", true }
	for _, tc := range []struct {
		without, needs string
		call           func(*testing.T, *github.Client) error
	}{
		{"actions", "actions: read", func(t *testing.T, c *github.Client) error {
			_, _, err := c.RunOver(t.Context(), github.Run{ID: 5})
			return err
		}},
		{"deployments", "deployments: write", func(t *testing.T, c *github.Client) error {
			_, err := c.CreateDeployment(t.Context(), github.DeploymentRequest{SHA: githubtest.SHA(3), Payload: github.Payload{Nonce: "n"}})
			return err
		}},
		{"deployments", "deployments: write", func(t *testing.T, c *github.Client) error {
			return c.SetStatus(t.Context(), 1, github.Status{State: github.Queued})
		}},
		{"deployments", "deployments: read", func(t *testing.T, c *github.Client) error {
			_, err := c.Deactivate(t.Context(), "review", "t", 0, "", "")
			return err
		}},
		{"pull-requests", "pull-requests: read", func(t *testing.T, c *github.Client) error {
			_, err := c.PullRequest(t.Context(), 3)
			return err
		}},
		{"pull-requests", "pull-requests: read", func(t *testing.T, c *github.Client) error {
			_, err := c.OpenPullRequests(t.Context())
			return err
		}},
		{"pull-requests", "pull-requests: write", func(t *testing.T, c *github.Client) error {
			_, err := c.Comment(t.Context(), 3, "m", mark)
			return err
		}},
		{"pull-requests", "pull-requests: write", func(t *testing.T, c *github.Client) error {
			return c.React(t.Context(), 1, "eyes")
		}},
		{"contents", "contents: read", func(t *testing.T, c *github.Client) error {
			_, _, err := c.File(t.Context(), ".kamal/secrets", githubtest.SHA(3))
			return err
		}},
		{"", "administration: write", func(t *testing.T, c *github.Client) error {
			return c.DeleteEnvironment(t.Context(), "review")
		}},
	} {
		t.Run(tc.needs, func(t *testing.T) {
			s, _, clk := testServer(t, githubtest.Options{})
			s.AddPull(githubtest.Pull{Number: 3})
			may := githubtest.Everything()
			delete(may, tc.without)
			s.AddToken("less", githubtest.Token{Login: robot, Workflow: true, Permissions: may})
			err := tc.call(t, testClient(t, s, clk, "less"))
			if github.IsStale(err) {
				t.Error("it is taken for a token that has ended")
			}
			wantProblem(t, err, "the token may not do that", "`permissions: "+tc.needs+"`", "GitHub accepts", "Resource not accessible by integration")
			if len(s.Comments(3))+len(s.Deployments()) != 0 || len(clk.slept) != 0 {
				t.Error("something was done, or waited for")
			}
		})
	}
	t.Run("no token", func(t *testing.T) {
		s, _, clk := testServer(t, githubtest.Options{})
		_, err := testClient(t, s, clk, "").PullRequest(t.Context(), 3)
		wantProblem(t, err, "does not accept the token", "Settings, Developer settings")
		if !github.IsStale(err) {
			t.Error("it is not told from a permission that is missing")
		}
	})
}

// Text from GitHub comes from anybody: no control character of it in a message.
func TestClient_CleansWhatGitHubSays(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Accepted-GitHub-Permissions", "x=y` ::error::z")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"no\n::add-mask::a\u001b[31m\u202e`+strings.Repeat("x", 500)+`"}`)
	}))
	defer srv.Close()
	c, err := github.New(github.Options{BaseURL: srv.URL, Repository: "acme/shop", Transport: closing(t)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.PullRequest(t.Context(), 3)
	p := wantProblem(t, err)
	for _, line := range append(p.Details, p.Message, p.Hint) {
		if strings.ContainsAny(line, "\n\r\x1b\u202e") || len(line) > 400 || strings.Contains(line, "::error::") {
			t.Errorf("line %q", line)
		}
	}
}

func closing(t *testing.T) *http.Transport {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// The token goes to the API's host only, and a POST that is redirected is not
// taken for done.
func TestClient_Redirects(t *testing.T) {
	var leaked string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"number":3}`)
	}))
	defer other.Close()
	moved := http.StatusMovedPermanently
	to := other.URL
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to+"/x", moved)
	}))
	defer srv.Close()
	c, err := github.New(github.Options{BaseURL: srv.URL, Token: "the-token", Login: robot, Repository: "acme/shop", Transport: closing(t)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.PullRequest(t.Context(), 3)
	wantProblem(t, err, "acme/shop has moved")
	if leaked != "" {
		t.Errorf("the token went to another host")
	}
	to = srv.URL
	_, err = c.CreateDeployment(t.Context(), github.DeploymentRequest{SHA: githubtest.SHA(1), Payload: github.Payload{Nonce: "n"}})
	wantProblem(t, err, "acme/shop has moved")
}

func TestClient_RunOver(t *testing.T) {
	job := githubtest.Job
	for _, tc := range []struct {
		name string
		run  github.Run
		add  func(*githubtest.Server)
		want github.Over
	}{
		{"not there", github.Run{ID: 9}, func(*githubtest.Server) {}, github.Unknown},
		{"completed", github.Run{ID: 9, Attempt: 1, Job: "deploy"}, func(s *githubtest.Server) { s.AddRun(9, 1, "completed", "cancelled") }, github.Ended},
		{"later attempt", github.Run{ID: 9, Attempt: 1}, func(s *githubtest.Server) { s.AddRun(9, 2, "in_progress", "") }, github.Ended},
		{"later attempt, completed", github.Run{ID: 9, Attempt: 1}, func(s *githubtest.Server) { s.AddRun(9, 2, "completed", "success") }, github.Ended},
		{"attempt not known yet", github.Run{ID: 9, Attempt: 3}, func(s *githubtest.Server) { s.AddRun(9, 2, "completed", "success") }, github.Unknown},
		{"job runs", github.Run{ID: 9, Attempt: 1, Job: "deploy"}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "in_progress", "", job(1, "deploy", "r1", "in_progress"))
		}, github.Alive},
		{"job queued", github.Run{ID: 9, Attempt: 1, Job: "deploy"}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "queued", "", job(1, "deploy", "", "queued"))
		}, github.Alive},
		{"job over, run not", github.Run{ID: 9, Attempt: 1, Job: "deploy"}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "in_progress", "", job(1, "deploy", "r1", "completed"), job(2, "notify", "r2", "in_progress"))
		}, github.Ended},
		{"one of a matrix runs", github.Run{ID: 9, Attempt: 1, Job: "deploy"}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "in_progress", "", job(1, "deploy (eu)", "r1", "completed"), job(2, "deploy (us)", "r2", "in_progress"))
		}, github.Alive},
		{"this one of a matrix, by its runner", github.Run{ID: 9, Attempt: 1, Job: "other-key", Runner: "r1"}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "in_progress", "", job(1, "Deploy to eu", "r1", "completed"), job(2, "Deploy to us", "r2", "in_progress"))
		}, github.Ended},
		{"by its number", github.Run{ID: 9, Attempt: 1, Job: "deploy", JobID: 1}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "in_progress", "", job(1, "deploy (eu)", "r1", "completed"), job(2, "deploy (us)", "r2", "in_progress"))
		}, github.Ended},
		{"in a reusable workflow", github.Run{ID: 9, Attempt: 1, Job: "deploy"}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "in_progress", "", job(1, "release / deploy", "r1", "in_progress"), job(2, "x", "r2", "completed"))
		}, github.Alive},
		{"shown under another name", github.Run{ID: 9, Attempt: 1, Job: "deploy"}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "in_progress", "", job(1, "Ship it", "r1", "completed"), job(2, "x", "r2", "in_progress"))
		}, github.Alive},
		{"on the second page", github.Run{ID: 9, Attempt: 1, Job: "deploy"}, func(s *githubtest.Server) {
			s.AddRun(9, 1, "in_progress", "", job(1, "deploy (1)", "", "completed"), job(2, "b", "", "completed"), job(3, "deploy (2)", "", "in_progress"))
		}, github.Alive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, c, _ := testServer(t, githubtest.Options{PageSize: 2})
			tc.add(s)
			got, why, err := c.RunOver(t.Context(), tc.run)
			if err != nil || got != tc.want || why == "" {
				t.Errorf("got %s (%s), %v; want %s", got, why, err, tc.want)
			}
		})
	}
}

func TestClient_Permission(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	for i, level := range []string{"admin", "write", "read", "none"} {
		s.AddUser("user-"+level, int64(i+1), level)
	}
	for _, tc := range []struct {
		login string
		id    int64
		may   bool
	}{
		{"user-admin", 1, true},
		{"user-write", 2, true},
		{"USER-write", 0, true},
		{"user-write", 99, false}, // the name was given to another
		{"user-read", 3, false},
		{"user-none", 4, false},
		{"stranger", 5, false},
		{"dependabot[bot]", 6, false},
	} {
		level, err := c.Permission(t.Context(), tc.login, tc.id)
		if err != nil || level.MayWrite() != tc.may {
			t.Errorf("%s (%d): %s, %v; may write should be %v", tc.login, tc.id, level, err, tc.may)
		}
	}
	calls := len(s.Calls())
	for _, bad := range []string{"", "a/b", "../../../user", "a?b", "a b", "-a", "a\n"} {
		if level, err := c.Permission(t.Context(), bad, 0); err == nil || level.MayWrite() {
			t.Errorf("%q: %s, %v", bad, level, err)
		}
	}
	if len(s.Calls()) != calls {
		t.Error("a name that is none was asked about")
	}
}

func TestClient_FileAndCommit(t *testing.T) {
	s, c, _ := testServer(t, githubtest.Options{})
	sha := githubtest.SHA(0)
	s.SetFile(sha, ".kamal/secrets", "A=$A\n")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.SetCommit(sha, at)
	if text, ok, err := c.File(t.Context(), ".kamal/secrets", sha); err != nil || !ok || string(text) != "A=$A\n" {
		t.Errorf("file %q, %v, %v", text, ok, err)
	}
	if _, ok, err := c.File(t.Context(), ".kamal/other", sha); err != nil || ok {
		t.Errorf("absent file: %v, %v", ok, err)
	}
	if _, _, err := c.File(t.Context(), ".kamal/secrets", "main"); err == nil {
		t.Error("a branch was taken for a commit")
	}
	if got, err := c.CommitTime(t.Context(), sha); err != nil || !got.Equal(at) {
		t.Errorf("commit time %s, %v", got, err)
	}
}

// The API's address: what is none is refused, and so is one that holds a password,
// which nothing may print.
func TestNew_Addresses(t *testing.T) {
	for address, good := range map[string]bool{
		"":                              true,
		"https://api.github.com":        true,
		"https://ghe.example/api/v3/":   true,
		"http://127.0.0.1:8080/api/v1":  true,
		"api.github.com":                false,
		"ftp://api.github.com":          false,
		"https://":                      false,
		"https:///x":                    false,
		"https://user:secret@h":         false,
		"https://h/?token=secret":       false,
		"https://h/#secret":             false,
		"https://u:secret@h:notnum":     false,
		"https://h\n":                   false,
		"unix:///var/run/docker.sock":   false,
		"https://api.github.com:notnum": false,
	} {
		_, err := github.New(github.Options{BaseURL: address, Repository: "acme/shop"})
		if (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: it is printed: %v", address, err)
		}
	}
	for repository, good := range map[string]bool{
		"acme/shop": true, "a-b.c_d/e": true, "acme/.github": true,
		"acme": false, "/shop": false, "acme/": false, "acme/shop/x": false, "acme/..": false, "acme/.": false, "../shop": false,
		"acme/shop?x": false, "acme/sh op": false, "-acme/shop": false, "": false, "acme/shop\n": false,
	} {
		if _, err := github.New(github.Options{Repository: repository}); (err == nil) != good {
			t.Errorf("%q: %v", repository, err)
		}
	}
}

// A change that is redirected is not done, even where the new address would answer.
func TestClient_RedirectIsNoAnswer(t *testing.T) {
	for _, status := range []int{301, 302, 303} {
		asked := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/elsewhere" {
				http.Redirect(w, r, "/elsewhere", status)
				return
			}
			asked++
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id":7,"sha":"x","content":"eyes"}`)
		}))
		c, err := github.New(github.Options{BaseURL: srv.URL, Token: "t", Login: robot, Repository: "acme/shop", Transport: closing(t)})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetStatus(t.Context(), 1, github.Status{State: github.Success}); err == nil {
			t.Errorf("%d: a status that was redirected counts", status)
		}
		if err := c.React(t.Context(), 1, "eyes"); err == nil {
			t.Errorf("%d: a reaction that was redirected counts", status)
		}
		if asked != 0 {
			t.Errorf("%d: followed", status)
		}
		srv.Close()
	}
}

// An answer about something else than was asked is none.
func TestClient_AnswersAboutAnother(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		sha := githubtest.SHA(4)
		_, _ = io.WriteString(w, `{"id":4,"number":4,"state":"open","status":"completed","run_attempt":1,"head":{"sha":"`+sha+`","repo":{"full_name":"acme/shop"}},"base":{"sha":"`+sha+`","repo":{"full_name":"acme/shop"}}}`)
	}))
	defer srv.Close()
	c, err := github.New(github.Options{BaseURL: srv.URL, Repository: "acme/shop", Transport: closing(t)})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := c.PullRequest(t.Context(), 3); err == nil {
		t.Errorf("pull request %d was given for 3", p.Number)
	}
	if _, err := c.PullRequest(t.Context(), 4); err != nil {
		t.Error(err)
	}
	if over, _, err := c.RunOver(t.Context(), github.Run{ID: 3}); err == nil || over != github.Unknown {
		t.Errorf("run 3 is %s by the answer for another", over)
	}
}
