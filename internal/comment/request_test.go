package comment_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/comment"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// What is deployed is what was the head when the comment was written: neither what was
// pushed since, however old the commit says that it is, nor what begins alike.
func TestDecide_BindsToTheHeadOfThen(t *testing.T) {
	const branch = "topic-5"
	now := time.Now().Truncate(time.Second)
	written := now.Add(-time.Minute)
	head := githubtest.SHA(5)
	for name, tc := range map[string]struct {
		body    string
		pushed  func(s *githubtest.Server)
		attempt int64
		may     map[string]string
		gitea   bool
		why     string // "" is done
	}{
		"pushed before":               {body: "/deploy production"},
		"pushed after, though of old": {body: "/deploy production", pushed: pushedAt(branch, 6, written.Add(30*time.Second), now.Add(-2*time.Hour)), why: "pushed after the comment"},
		"pushed in the same second":   {body: "/deploy production", pushed: pushedAt(branch, 6, written, now.Add(-2*time.Hour)), why: "pushed after the comment"},
		"pushed back":                 {body: "/deploy production", pushed: pushedBack(branch, written)},
		"no push is known":            {body: "/deploy production", pushed: (*githubtest.Server).ForgetPushes, why: "name the commit with its 40 digits"},
		"a server without a list":     {body: "/deploy production", gitea: true, why: "name the commit with its 40 digits"},
		"seven digits":                {body: "/deploy production " + head[:7], why: "all of its 40 digits"},
		"39 digits":                   {body: "/deploy production " + head[:39], why: "all of its 40 digits"},
		"another's seven digits":      {body: "/plan production 0000000", why: "all of its 40 digits"},
		"all digits":                  {body: "/deploy production " + head},
		"all digits of another":       {body: "/deploy production " + githubtest.SHA(6), why: "another commit than the comment says"},
		"all digits, and no list":     {body: "/deploy production " + head, pushed: (*githubtest.Server).ForgetPushes},
		"all digits, and no answer":   {body: "/deploy production " + head, gitea: true},
		"all digits, pushed later":    {body: "/deploy production " + githubtest.SHA(6), pushed: pushedAt(branch, 6, written.Add(time.Second), now), why: "pushed after the comment"},
		"again":                       {body: "/deploy production", attempt: 2, why: "started again"},
		"again, all digits":           {body: "/deploy production " + head, attempt: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := githubtest.New(t, githubtest.Options{Gitea: tc.gitea})
			s.AddToken("token", githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: githubtest.Everything()})
			s.AddUser("alice", 7, "write")
			s.AddPull(githubtest.Pull{Number: 5})
			if tc.pushed != nil {
				tc.pushed(s)
			}
			client, err := github.New(github.Options{BaseURL: s.URL, Token: "token", Repository: "acme/shop"})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			e := github.Event{Name: "issue_comment", Action: "created", Number: 5, OnPull: true, DefaultBranch: "main"}
			e.Comment = &github.CommentEvent{Author: "alice", AuthorID: 7, Body: tc.body, Created: written}
			got, err := comment.Rules{Targets: []comment.Target{{Name: "production"}}, Attempt: tc.attempt}.Decide(t.Context(), e, client)
			if err != nil {
				t.Fatal(err)
			}
			if done := got.Do != comment.Nothing; done != (tc.why == "") || !strings.Contains(got.Why, tc.why) {
				t.Errorf("%q, since %q; want %q", got.Do, got.Why, tc.why)
			}
		})
	}
}

// pushedAt has another commit pushed at a time, which says of itself that it is of another.
func pushedAt(branch string, n int, at, committed time.Time) func(*githubtest.Server) {
	return func(s *githubtest.Server) {
		s.Push(branch, githubtest.SHA(n), at)
		s.SetCommit(githubtest.SHA(n), committed)
	}
}

// pushedBack has the head be another after the comment, and then that of before.
func pushedBack(branch string, written time.Time) func(*githubtest.Server) {
	return func(s *githubtest.Server) {
		s.Push(branch, githubtest.SHA(6), written.Add(time.Second))
		s.Push(branch, githubtest.SHA(5), written.Add(2*time.Second))
	}
}

// A world is a repository with a pull request of its own, number 5, and one from a fork
// that has its name, number 6.
func world(t *testing.T) (*githubtest.Server, *github.Client) {
	t.Helper()
	s := githubtest.New(t, githubtest.Options{})
	s.AddToken("token", githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: githubtest.Everything()})
	s.AddUser("alice", 7, "write")
	s.AddUser("mallory", 8, "read")
	s.AddPull(githubtest.Pull{Number: 5})
	s.AddPull(githubtest.Pull{Number: 6, HeadRepo: "mallory/shop"})
	client, err := github.New(github.Options{BaseURL: s.URL, Token: "token", Repository: "acme/shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return s, client
}

// deployEvent is a comment that is carried out.
func deployEvent() github.Event {
	e := github.Event{Name: "issue_comment", Action: "created", Number: 5, OnPull: true, DefaultBranch: "main"}
	e.Comment = &github.CommentEvent{Author: "alice", AuthorID: 7, Body: "/deploy production", Created: time.Now()}
	return e
}

// Each thing that a comment must be is refused where it alone is not so.
func TestDecide_RefusesWhatMayNotDeploy(t *testing.T) {
	s, client := world(t)
	s.AddPull(githubtest.Pull{Number: 7, Closed: true})
	s.AddPull(githubtest.Pull{Number: 8}).Base.Ref = new("staging")
	for name, tc := range map[string]struct {
		change   func(e *github.Event)
		why      string // "" is done
		reaction string
	}{
		"all is well":             {func(*github.Event) {}, "", comment.Taken},
		"a bot":                   {func(e *github.Event) { e.Comment.Bot = true }, "a bot wrote the comment", ""},
		"an edited comment":       {func(e *github.Event) { e.Action = "edited" }, "the comment is not new", ""},
		"a deleted comment":       {func(e *github.Event) { e.Action = "deleted" }, "the comment is not new", ""},
		"an issue":                {func(e *github.Event) { e.OnPull = false }, "on an issue", ""},
		"who may only read":       {func(e *github.Event) { e.Comment.Author, e.Comment.AuthorID = "mallory", 8 }, "may not write", comment.Refused},
		"another of the name":     {func(e *github.Event) { e.Comment.AuthorID = 9 }, "may not write", comment.Refused},
		"a fork":                  {func(e *github.Event) { e.Number = 6 }, comment.FromFork, comment.Refused},
		"a closed one":            {func(e *github.Event) { e.Number = 7 }, "it is closed", comment.Unclear},
		"another branch":          {func(e *github.Event) { e.Number = 8 }, "not for the default branch", comment.Unclear},
		"no default branch":       {func(e *github.Event) { e.DefaultBranch = "" }, "not for the default branch", comment.Unclear},
		"not the first line":      {func(e *github.Event) { e.Comment.Body = "as he says\n/deploy production" }, "no command", ""},
		"within a line":           {func(e *github.Event) { e.Comment.Body = "I say /deploy production" }, "no command", ""},
		"more behind it":          {func(e *github.Event) { e.Comment.Body = "/deploy production now" }, "no command", ""},
		"another target":          {func(e *github.Event) { e.Comment.Body = "/deploy staging" }, "write /deploy production", comment.Unclear},
		"a review app's":          {func(e *github.Event) { e.Comment.Body = "/deploy" }, "a review app's command", ""},
		"a review app's commit":   {func(e *github.Event) { e.Comment.Body = "/deploy 0123abc" }, "a review app's command", ""},
		"empty lines in front":    {func(e *github.Event) { e.Comment.Body = "\r\n/deploy production\r\nplease" }, "", comment.Taken},
		"a plan of the only one":  {func(e *github.Event) { e.Comment.Body = "/plan" }, "", comment.Taken},
		"a plan, and who reads":   {func(e *github.Event) { e.Comment.Body = "/plan"; e.Comment.Author, e.Comment.AuthorID = "mallory", 8 }, "may not write", comment.Refused},
		"a plan of a fork's code": {func(e *github.Event) { e.Comment.Body = "/plan"; e.Number = 6 }, comment.FromFork, comment.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			e := deployEvent()
			tc.change(&e)
			got, err := comment.Rules{Targets: []comment.Target{{Name: "production"}}}.Decide(t.Context(), e, client)
			if err != nil {
				t.Fatal(err)
			}
			if done := got.Do != comment.Nothing; done != (tc.why == "") || !strings.Contains(got.Why, tc.why) || got.Reaction != tc.reaction {
				t.Errorf("%q, since %q, with %q; want %q, %q", got.Do, got.Why, got.Reaction, tc.why, tc.reaction)
			}
		})
	}
}

// What GitHub does not answer permits nothing, and is an error.
func TestDecide_NoAnswerIsNoPermission(t *testing.T) {
	_, client := world(t)
	for name, from := range map[string]comment.Source{
		"who may write": silent{client, "permission"}, "the pull request": silent{client, "pull"}, "the pushes": silent{client, "pushes"},
	} {
		got, err := comment.Rules{Targets: []comment.Target{{Name: "production"}}}.Decide(t.Context(), deployEvent(), from)
		if err == nil || got.Do != comment.Nothing {
			t.Errorf("%s: %q, %v", name, got.Do, err)
		}
	}
}

// A silent source does not answer one question.
type silent struct {
	comment.Source
	about string
}

var errSilent = errors.New("no answer")

func (s silent) Permission(ctx context.Context, user string, id int64) (github.Level, error) {
	if s.about == "permission" {
		return github.Admin, errSilent
	}
	return s.Source.Permission(ctx, user, id)
}

func (s silent) PullRequest(ctx context.Context, number int) (github.PullRequest, error) {
	p, err := s.Source.PullRequest(ctx, number)
	if s.about == "pull" {
		err = errSilent
	}
	return p, err
}

func (s silent) Pushes(ctx context.Context, branch string) ([]github.Push, error) {
	pushes, err := s.Source.Pushes(ctx, branch)
	if s.about == "pushes" {
		err = errSilent
	}
	return pushes, err
}

// The digits of a commit that was pushed in the second of the comment bind: the list of
// pushes says nothing against them.
func TestDecide_DigitsOfWhatIsPushedInTheSameSecond(t *testing.T) {
	s, client := world(t)
	e := deployEvent()
	e.Comment.Created = e.Comment.Created.Truncate(time.Second)
	s.Push("topic-5", githubtest.SHA(6), e.Comment.Created)
	e.Comment.Body = "/deploy production " + githubtest.SHA(6)
	got, err := comment.Rules{Targets: []comment.Target{{Name: "production"}}}.Decide(t.Context(), e, client)
	if err != nil || got.Do != comment.Deploy || got.SHA != githubtest.SHA(6) {
		t.Errorf("%q of %s, since %q, %v", got.Do, got.SHA, got.Why, err)
	}
}

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]comment.Target{
		"production": {Name: "production", Destination: "production"}, "live=production": {Name: "live", Destination: "production"}, "production=": {Name: "production"},
	} {
		if got, err := comment.ParseTarget(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "=production", "a b", "live=../x", "live=a b", "-x", "deadbeef", "deadbeef=production", "0123456", strings.Repeat("x", 51)} {
		if got, err := comment.ParseTarget(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
