package cli

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/reference"
)

// ofPull is an app in the workspace of a pull request: the base's file gives the user
// "base", the head's "head". It gives the base's commit, too.
func ofPull(t *testing.T) (a *app, said func() string, base string) {
	t.Helper()
	a, out := inProject(t, "ssh-user: base\ndestinations: {staging: {ssh-user: base-staging}}\n", map[string]string{})
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Dir = a.Dir
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, text)
		}
		return strings.TrimSpace(string(text))
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "base")
	base = git("rev-parse", "HEAD")
	if err := os.WriteFile(filepath.Join(a.Dir, projectfile.Name), []byte("ssh-user: head\ndestinations: {staging: {ssh-user: head}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	git("commit", "-qam", "head")
	return a, out.String, base
}

// user is what a command line takes of the file.
func user(t *testing.T, a *app, args ...string) string {
	t.Helper()
	a.lookup.file = projectOptions{}
	withFile(t, a, args...)
	lines := a.lookup.file.lines("ssh-user")
	if len(lines) == 0 {
		return ""
	}
	return lines[0].text
}

// In the workflow of a pull request every command takes the file of its base, and none
// where that is not known.
func TestProjectFile_IsTheBasesInEveryCommandOfAPullRequest(t *testing.T) {
	commands := [][]string{{"post"}, {"rollback", "v1"}, {"review", "deploy", "12"}, {"review", "remove", "12"}, {"review", "status", "12"}}
	for _, c := range Grammar().Commands {
		takes := slices.ContainsFunc(c.Options, func(o reference.Option) bool { return o.Name == "trust-project-file" })
		if takes && !c.Group && !slices.ContainsFunc(c.Arguments, func(a reference.Argument) bool { return !a.Optional }) {
			commands = append(commands, strings.Fields(c.Name))
		}
	}
	for _, must := range []string{"deploy", "check", "verify", "plan", "config", "run", "kamal", "review event", "review sweep", "review list", "review build"} {
		if !slices.ContainsFunc(commands, func(c []string) bool { return strings.Join(c, " ") == must }) {
			t.Fatalf("%s is not looked at", must)
		}
	}
	a, said, base := ofPull(t)
	event := filepath.Join(t.TempDir(), "event.json")
	for name, test := range map[string]struct{ payload, want string }{
		"pull_request":        {`{"pull_request": {"base": {"sha": "BASE"}}}`, "base"},
		"pull_request_target": {`{"pull_request": {"base": {"sha": "BASE"}}}`, "base"},
		"pull_request_review": {`{"pull_request": {"base": {"sha": "BASE"}}}`, "base"},
		"merge_group":         {`{"merge_group": {"base_sha": "BASE"}}`, "base"},
		"workflow_run":        {`{"workflow_run": {"event": "pull_request", "pull_requests": [{"base": {"sha": "BASE"}}]}}`, "base"},
		"workflow_run, fork":  {`{"workflow_run": {"event": "pull_request", "pull_requests": []}}`, ""},
		"issue_comment":       {`{"issue": {"pull_request": {"url": "x"}}}`, ""},
		"pull_request, lost":  {`no JSON`, ""},
	} {
		if err := os.WriteFile(event, []byte(strings.ReplaceAll(test.payload, "BASE", base)), 0o600); err != nil {
			t.Fatal(err)
		}
		a.env["GITHUB_EVENT_PATH"] = event
		a.env["GITHUB_EVENT_NAME"], _, _ = strings.Cut(name, ",")
		for _, c := range commands {
			if few := strings.Join(c, " "); name != "pull_request" && few != "deploy" && few != "post" && few != "review sweep" {
				continue // the command makes no difference
			}
			want := test.want
			if want != "" && c[0] == "review" {
				want = "base" // the destination of previews has nothing of its own
			}
			if got := user(t, a, c...); got != want {
				t.Errorf("%s, %v: %q, not %q", name, c, got, want)
			}
		}
	}
	if !strings.Contains(said(), "does not count: a pull request's is the one of its base") {
		t.Errorf("it is not said:\n%s", said())
	}
}

// Elsewhere it is that of the workspace, but for a preview's deploy.
func TestProjectFile_IsTheWorkspacesElsewhere(t *testing.T) {
	a, _, _ := ofPull(t)
	event := filepath.Join(t.TempDir(), "event.json")
	for name, payload := range map[string]string{"push": `{"ref": "refs/heads/main"}`, "schedule": `{}`, "issue_comment": `{"issue": {}}`, "workflow_run": `{"workflow_run": {"event": "push"}}`, "": ""} {
		if err := os.WriteFile(event, []byte(payload), 0o600); err != nil {
			t.Fatal(err)
		}
		a.env["GITHUB_EVENT_PATH"], a.env["GITHUB_EVENT_NAME"] = event, name
		for _, c := range []string{"deploy", "check", "plan", "verify", "post", "review list", "review sweep"} {
			if got := user(t, a, strings.Fields(c)...); got != "head" {
				t.Errorf("%s, %s: %q", name, c, got)
			}
		}
		if got := user(t, a, "review", "deploy", "12"); got != "" {
			t.Errorf("%s: review deploy takes %q", name, got)
		}
	}
}

// Where GitHub does not give the base's file, a project that has one does not go on
// without what it pins; one that has none does, and so does what releases a lock.
func TestProjectFile_WhereGitHubDoesNotGiveIt(t *testing.T) {
	for name, test := range map[string]struct {
		command     string
		there, fail bool
	}{
		"a project that has it": {"check", true, true},
		"one without it":        {"check", false, false},
		"the post step":         {"post", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(`{"message": "Resource not accessible by integration"}`)) // the test fails without it
			}))
			t.Cleanup(server.Close)
			a, _, _ := ofPull(t)
			if !test.there {
				if err := os.Remove(filepath.Join(a.Dir, projectfile.Name)); err != nil {
					t.Fatal(err)
				}
			}
			event := filepath.Join(t.TempDir(), "event.json")
			if err := os.WriteFile(event, []byte(`{"pull_request": {"base": {"sha": "`+strings.Repeat("1", 40)+`"}}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			a.env["GITHUB_EVENT_PATH"], a.env["GITHUB_EVENT_NAME"] = event, "pull_request"
			a.env["GITHUB_API_URL"], a.env["GITHUB_REPOSITORY"], a.env["KAMAL_OP_GITHUB_TOKEN"] = server.URL, "me/app", "a-made-up-token"
			_, bases, err := a.projectFile(a.Dir, test.command)
			if !bases || errors.Is(err, fs.ErrNotExist) == test.fail || err == nil {
				t.Errorf("%v, %v", bases, err)
			}
		})
	}
}

// The post step of a command by comment has the file that the command had: that of the
// default branch's commit. Behind any other step it has none there.
func TestProjectFile_PostOfACommentTakesTheDefaultBranchs(t *testing.T) {
	a, _, base := ofPull(t)
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"issue": {"pull_request": {"url": "x"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a.env["GITHUB_EVENT_PATH"], a.env["GITHUB_EVENT_NAME"], a.env["GITHUB_SHA"] = event, "issue_comment", base
	for command, want := range map[string]string{"comment": "base", " comment\n": "base", "review": "", "deploy": "", "": ""} {
		a.env["INPUT_COMMAND"] = command
		if got := user(t, a, "post"); got != want {
			t.Errorf("behind %q: %q, not %q", command, got, want)
		}
	}
	delete(a.env, "INPUT_COMMAND")
}

// The post step has the options of the main step, which were a destination's.
func TestProjectFile_PostTakesTheMainStepsDestination(t *testing.T) {
	a, _, base := ofPull(t)
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"pull_request": {"base": {"sha": "`+base+`"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a.env["GITHUB_EVENT_PATH"], a.env["GITHUB_EVENT_NAME"] = event, "pull_request"
	a.left.Places = []kamal.LockPlace{{Destination: "staging"}}
	if got := user(t, a, "post"); got != "base-staging" {
		t.Errorf("%q", got)
	}
}
