package cli

import (
	"runtime"
	"slices"
	"testing"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// What an option allows is in the job where it is given, and nowhere else.
func TestFill_EachPermissionReachesTheJob(t *testing.T) {
	permissions := map[string]func(deploy.Job) bool{
		"--op-scope=any":        func(j deploy.Job) bool { return j.AnyVault },
		"--allow-output-copies": func(j deploy.Job) bool { return j.AllowOutputCopies },
		"--rollback-on-failure": func(j deploy.Job) bool { return j.RollbackOnFailure },
		"--reuse-image":         func(j deploy.Job) bool { return j.ReuseImage },
		"--no-fresh-env":        func(j deploy.Job) bool { return !j.FreshEnv },
		"--exact-values":        func(j deploy.Job) bool { return j.ExactValues.All },
		"--forward-agent":       func(j deploy.Job) bool { return j.Wanted.Forward },
		"--allow-any-peer":      func(j deploy.Job) bool { return j.Wanted.AnyPeer },
		"--allow-empty=A":       func(j deploy.Job) bool { return slices.Equal(j.Wanted.AllowEmpty, []string{"A"}) },
		"--allow-name=PATH":     func(j deploy.Job) bool { return slices.Equal(j.Wanted.AllowNames, []string{"PATH"}) },
		"--allow-reference=A":   func(j deploy.Job) bool { return slices.Equal(j.Wanted.References, []string{"A"}) },
		"--public=A":            func(j deploy.Job) bool { return j.Wanted.Public["A"] },
		"--check-hosts=on":      func(j deploy.Job) bool { return j.CheckHosts },
	}
	connect := map[string]string{"OP_CONNECT_HOST": "http://127.0.0.1:9", "OP_CONNECT_TOKEN": "eyJhbGciOiJub25lIn0.eyJ4IjoxfQ.c2ln"}
	for given := range permissions {
		args := []string{"deploy", given}
		if given != "--check-hosts=on" {
			args = append(args, "--check-hosts=off")
		}
		g := parsed(t, map[string]string{}, noForm, args...)
		j, err := g.Deploy.fill(&app{env: connect, gate: gate.New(gate.Options{})}, deploy.Job{Args: []string{"deploy"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		for name, has := range permissions {
			if has(j) != (name == given) {
				t.Errorf("with %s, %s is %v", given, name, has(j))
			}
		}
	}
	for _, option := range []string{"--allow-name", "--allow-reference"} {
		if _, err := parsed(t, map[string]string{}, noForm, "deploy", option+"=1 2").Deploy.fill(&app{env: connect, gate: gate.New(gate.Options{})}, deploy.Job{}, false); err == nil {
			t.Errorf("%s takes what is no name", option)
		}
	}
}

// Whatever asks Kamal in a container action has git look at the runner's workspace.
func TestProcess_AWorkspaceOfSomebodyElses(t *testing.T) {
	for workspace, want := range map[string]bool{"/github/workspace": true, "/somewhere/else": false} {
		a := &app{env: map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": workspace}}
		a.dir = t.TempDir()
		if got := a.process(nil).Foreign; got != want {
			t.Errorf("%s: %v", workspace, got)
		}
	}
}

// A service account's SDK is begun beside all else: whoever opens its vault has that to
// begin.
func TestVault_OfAServiceAccountHasWhatBegins(t *testing.T) {
	a := &app{env: map[string]string{"OP_SERVICE_ACCOUNT_TOKEN": testkit.ServiceToken()}, gate: gate.New(gate.Options{})}
	vault, there, err := a.vault(credentialFlags{})
	if err != nil || !there || vault.Prepare == nil {
		t.Errorf("there is a vault: %v, and nothing to begin: %v, %v", there, vault.Prepare == nil, err)
	}
}

// A review command runs nothing that lies in the user's cache, where pull requests' code
// may have put it.
func TestReview_HasNoCoreOfTheUsers(t *testing.T) {
	for given, want := range map[string]bool{"": true, "/somewhere": false} {
		flags := parsed(t, map[string]string{}, noForm, "review", "deploy", "1", "--review-host=review.example.com", "--core-cache="+given).Review.Deploy.reviewFlags
		way := gate.New(gate.Options{})
		r, err := flags.begin(&app{env: map[string]string{}, gate: way, system: ci.Detect(nil, way, way.Stdout(), ci.Options{})})
		if err != nil || r.flags.NoCoreCache != want {
			t.Errorf("with --core-cache=%s: %v, %v", given, r, err)
		}
	}
}

func TestOwnCache(t *testing.T) {
	below := map[string]string{"linux": ".cache", "darwin": "Library/Caches"}[runtime.GOOS]
	if below == "" {
		t.Skip("of another system")
	}
	for _, test := range []struct{ home, xdg, want string }{
		{"/home/a", "", "/home/a/" + below + "/kamal-op/core"},
		{"/home/a", "relative", "/home/a/" + below + "/kamal-op/core"},
		{"", "", ""},
		{"a", "", ""},
	} {
		if got := ownCache(map[string]string{"HOME": test.home, "XDG_CACHE_HOME": test.xdg}); got != test.want {
			t.Errorf("HOME=%s XDG_CACHE_HOME=%s: %q, want %q", test.home, test.xdg, got, test.want)
		}
	}
	if runtime.GOOS == "linux" {
		if got := ownCache(map[string]string{"HOME": "/home/a", "XDG_CACHE_HOME": "/cache"}); got != "/cache/kamal-op/core" {
			t.Errorf("XDG_CACHE_HOME is not used: %q", got)
		}
	}
}
