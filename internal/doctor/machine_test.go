package doctor

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

func TestCheckDocker(t *testing.T) {
	const both = `case "$1" in version) echo 28.4.0;; *) echo "github.com/docker/buildx v0.29.1 abc";; esac`
	const down = `case "$1" in version) echo "Cannot connect" >&2; exit 1;; *) echo "github.com/docker/buildx v0.29.1 abc";; esac`
	for name, c := range map[string]struct {
		docker string
		needed bool
		want   []string
	}{
		"both":            {both, true, []string{"well docker 28.4.0 answers", "well buildx v0.29.1"}},
		"down":            {down, true, []string{"problem docker does not answer: Kamal builds the image with it", "well buildx v0.29.1"}},
		"built elsewhere": {down, false, []string{"notice docker does not answer here: images are built on another machine", "well buildx v0.29.1"}},
		"no buildx":       {`[ "$1" = version ] && echo 28.4.0`, true, []string{"well docker 28.4.0 answers", "problem docker has no buildx: Kamal builds with it"}},
		"none":            {"", true, []string{"problem docker is not on the PATH: Kamal builds and logs in with it"}},
	} {
		var there map[string]string
		if c.docker != "" {
			there = map[string]string{"docker": c.docker}
		}
		env := []string{"PATH=" + programs(t, there)}
		got := looked(t, CheckDocker(env, t.TempDir(), func(context.Context) bool { return c.needed }))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Docker's plugins are programs of anybody's: our credentials are none of theirs.
func TestCheckDocker_KnowsNoCredentials(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	env := []string{"PATH=" + programs(t, map[string]string{"docker": "echo \"token ${OP_SERVICE_ACCOUNT_TOKEN-}, of $MINE\" >>" + told}), "OP_SERVICE_ACCOUNT_TOKEN=ops_x", "MINE=me"}
	CheckDocker(env, t.TempDir(), func(context.Context) bool { return true }).Look(t.Context())
	text, err := os.ReadFile(told)
	must(t, err)
	if string(text) != "token , of me\ntoken , of me\n" {
		t.Errorf("docker has seen %q", text)
	}
}

func TestCheckProjectFile(t *testing.T) {
	for want, c := range map[string]Check{
		"notice f gives check, public, which do not count from there":        CheckProjectFile("f", []string{"check", "public"}, []string{"check", "public"}),
		"notice f gives check, which count as --trust-project-file is given": CheckProjectFile("f", nil, []string{"check"}),
		"well f gives nothing that weakens a check":                          CheckProjectFile("f", nil, nil),
	} {
		if diff := cmp.Diff([]string{want}, looked(t, c)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCheckToken(t *testing.T) {
	api := githubtest.New(t, githubtest.Options{})
	api.AddRun(7, 1, "in_progress", "")
	client := func(token string, permissions map[string]string) *github.Client {
		api.AddToken(token, githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: permissions})
		c, err := github.New(github.Options{BaseURL: api.URL, Token: token, Repository: "acme/shop", UserAgent: "a test"})
		must(t, err)
		t.Cleanup(c.Close)
		return c
	}
	const may, mayNot = "well the token may read this repository's runs", "notice the token may not read this repository's runs"
	few := githubtest.Everything()
	delete(few, "actions")
	stale, err := github.New(github.Options{BaseURL: api.URL, Token: "gone", Origin: "input github-token", Repository: "acme/shop", UserAgent: "a test"})
	must(t, err)
	t.Cleanup(stale.Close)
	run := github.Run{ID: 7, Attempt: 1, Job: "deploy"}
	for name, c := range map[string]struct {
		client *github.Client
		run    github.Run
		want   string
	}{
		"every permission": {client("one", githubtest.Everything()), run, may},
		"no actions: read": {client("two", few), run, mayNot},
		"one that ended":   {stale, run, "problem asking whether run 7 is over: GitHub does not accept the token (input github-token)"},
		"a run not seen":   {client("three", githubtest.Everything()), github.Run{ID: 8}, mayNot},
		"no token":         {nil, run, "notice no token for GitHub is given"},
	} {
		if got := looked(t, CheckToken(c.client, c.run)); len(got) != 1 || !holds(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}
