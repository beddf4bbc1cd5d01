package doctor

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// written is what a Kamal writes with Preload.
func written(json string) []byte { return []byte("  INFO x\n@kamal-op-doctor " + json + "\nmore\n") }

func TestParse(t *testing.T) {
	if o, err := Parse(written(`{"kamal":"2.12.0","architectures":["amd64"]}`)); err != nil || o.Kamal != "2.12.0" || len(o.Architectures) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, out := range []string{"", "no @kamal-op-doctor {}", "@kamal-op-doctor {\n}"} {
		if o, err := Parse([]byte(out)); err == nil {
			t.Errorf("%q: %+v", out, o)
		}
	}
}

func TestCheckBinary(t *testing.T) {
	for name, c := range map[string]struct {
		version, lock string
		want          []string
	}{
		"the tested one": {kamal.TestedVersion, "", []string{"well kamal " + kamal.TestedVersion}},
		"another":        {"2.3.0", "", []string{"notice kamal 2.3.0"}},
		"not the lock's": {kamal.TestedVersion, "GEM\n    kamal (2.1.0)\n", []string{"well kamal", "notice Gemfile.lock names kamal 2.1.0"}},
		"none":           {"", "", []string{"problem kamal at"}},
	} {
		dir := t.TempDir()
		text := "echo " + c.version
		if c.version == "" {
			text = "exit 1"
		}
		path := programs(t, map[string]string{"kamal": text})
		if c.lock != "" {
			must(t, os.WriteFile(filepath.Join(dir, "Gemfile.lock"), []byte(c.lock), 0o600))
		}
		got := looked(t, CheckBinary(func(ctx context.Context) (kamal.Binary, error) {
			return kamal.Find(ctx, kamal.FindOptions{Dir: dir, Env: []string{"PATH=" + path}})
		}))
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i := range got {
			if !holds(got[i:i+1], c.want[i]) {
				t.Errorf("%s: %q, not %q", name, got, c.want)
			}
		}
	}
}

// observed is a report of Kamal's, as a question's answer.
func observed(t *testing.T, json string) func(context.Context) (Observed, error) {
	t.Helper()
	o, err := Parse(written(json))
	must(t, err)
	return answers(o, nil)
}

func TestCheckPreload(t *testing.T) {
	versions := `"ruby":"3.4.7","dotenv":"3.1.8","net_ssh":"7.3.3","sshkit":"1.25.1",`
	const takes = "well Kamal takes the project's configuration and all of its secrets"
	for json, want := range map[string][]string{
		`{` + versions + `"aside":[]}`: {takes, "well every part of kamal-op is in its place in it (ruby 3.4.7, dotenv 3.1.8, net-ssh 7.3.3, sshkit 1.25.1)"},
		`{` + versions + `"aside":[{"part":"the deploy lock","why":"it locks otherwise"},{"part":"the fidelity of values","why":"dotenv is another"}]}`: {
			takes, "notice the deploy lock is left to Kamal: it locks otherwise", "problem the fidelity of values is left to Kamal: dotenv is another",
		},
	} {
		if diff := cmp.Diff(want, looked(t, CheckPreload(observed(t, json)))); diff != "" {
			t.Error(diff)
		}
	}
	mute := answers(Observed{}, error(problem.New("Kamal does not know this key", "take it out")))
	if diff := cmp.Diff([]string{"problem Kamal does not know this key", "unknown whether every part of kamal-op is in its place in it"}, looked(t, CheckPreload(mute))); diff != "" {
		t.Error(diff)
	}
	for version, want := range map[string]string{
		"3.1.8": "this dotenv runs $(…) in a value that is passed on as $NAME", "3.2.0": "this dotenv replaces $… in a value that a command gives",
	} {
		if got := dotenvTrap(version); got != want {
			t.Errorf("%s: %q", version, got)
		}
	}
}

func TestCheckRegistries(t *testing.T) {
	want := []string{
		"well Docker Hub: it takes the credentials", "problem ghcr.io: docker could not log in",
		"well localhost:5555: a registry on this machine, which Kamal starts", "unknown r.example: whether it takes the credentials",
	}
	got := looked(t, CheckRegistries(observed(t, `{"registries":[{"server":"","state":"accepted"},{"server":"ghcr.io","state":"refused","why":"denied"},`+
		`{"server":"localhost:5555","state":"local"},{"server":"r.example","state":"unknown","why":"no docker"}]}`)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	mute := answers(Observed{}, error(problem.New("x", "y")))
	if diff := cmp.Diff([]string{"unknown whether the registry takes the credentials"}, looked(t, CheckRegistries(mute))); diff != "" {
		t.Error(diff)
	}
}
