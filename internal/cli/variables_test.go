package cli

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/reference"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// What a file reaches for in the environment of the job is refused by its line, in
// every option that takes a variable and for the destination that is meant, unless
// somebody beside the file trusts it.
func TestVariables_TheFileReachesIntoNoEnvironment(t *testing.T) {
	for _, o := range reference.InFile(Grammar()) {
		if takes := strings.Contains(o.Noun, "env://"); takes != mayBeVariable(o.Name) {
			t.Errorf("--%s takes a variable by its placeholder: %v", o.Name, takes)
		}
	}
	const text = `ssh-key: env://A
ssh-key-passphrase: env://B
ssh-certificate: [env://C]
host-keys: env://D
secrets:
  E: op://v/i/f
  F: env://F
  G: " env://G"
destinations:
  staging: {ssh-key: op://v/i, secrets: [H=env://H]}
ssh-user: env://no-reference
`
	for destination, want := range map[string][]int{"": {1, 2, 3, 4, 7, 8}, "staging": {2, 3, 4, 7, 8, 10}} {
		a, _ := inProject(t, text, nil)
		args := []string{"deploy"}
		if destination != "" {
			args = append(args, "-d", destination)
		}
		withFile(t, a, args...)
		var got []int
		for _, p := range a.lookup.file.variables() {
			got = append(got, p.Place.Line)
			if p.Status != problem.Usage || p.Place.File != projectfile.Name {
				t.Errorf("%v has the status %d", p, p.Status)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: the lines are %v, not %v", destination, got, want)
		}
		withFile(t, a, append(args, "--trust-project-file")...)
		if found := a.lookup.file.variables(); len(found) > 0 {
			t.Errorf("trusted, there are %v", found)
		}
	}
}

// A pull request's own file reaches for nothing: it is the base's that counts.
func TestVariables_OfAPullRequestsFileDoNotCount(t *testing.T) {
	a, _, base := ofPull(t)
	if err := os.WriteFile(filepath.Join(a.Dir, projectfile.Name), []byte("secrets: {A: env://TOKEN}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"pull_request": {"base": {"sha": "`+base+`"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a.env["GITHUB_EVENT_NAME"], a.env["GITHUB_EVENT_PATH"], a.env["TOKEN"] = "pull_request", event, "of-the-job"
	for _, args := range [][]string{{"deploy"}, {"deploy", "--trust-project-file"}, {"review", "deploy", "12", "--trust-project-file"}} {
		a.lookup.file = projectOptions{}
		g := withFile(t, a, args...)
		if len(g.Deploy.Secret) > 0 || len(g.Review.Deploy.Secret) > 0 || len(a.lookup.file.variables()) > 0 {
			t.Errorf("%q takes it", args)
		}
	}
}

// What is named as a variable is in the environment of nothing that is started, the
// CI system's own programs among them; what may not be named stays, and is refused.
func TestVariables_AreInNoEnvironmentOfAChild(t *testing.T) {
	all := []string{"A", "B", "C", "D", "E"}
	env := []string{"PATH=" + os.Getenv("PATH"), "OTHER=stays"}
	for _, name := range all {
		env = append(env, name+"=of-"+name)
	}
	a, _ := inProject(t, "", environ.List(env).Map())
	a.Env, a.helpers = env, &helpers{env: env, dir: a.Dir}
	_, kctx, _, err := a.parse([]string{
		"deploy", "--secret", "X=env://A", "--ssh-key=env://B", "--ssh-key-passphrase=env://C",
		"--ssh-certificate=env://D", "--host-keys=env://E", "--secret=Y=env://PATH", "--env=OTHER=env://OTHER",
	})
	if err != nil {
		t.Fatal(err)
	}
	a.takeVariables(kctx)
	cmd := exec.Command("env")
	cmd.Env = a.Env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.helpers.run(strings.NewReader(""), "sh", "-c", `[ "${A-none}${B-none}${C-none}${D-none}${E-none}" = nonenonenonenonenone ]`); err != nil {
		t.Errorf("a helper has them: %v", err)
	}
	for _, name := range all {
		if strings.Contains(string(out), "of-"+name) {
			t.Errorf("%s is there", name)
		}
		if a.env[name] != "of-"+name {
			t.Errorf("%s is not known any more", name)
		}
	}
	if !strings.Contains(string(out), "OTHER=stays") || !strings.Contains(string(out), "PATH=") {
		t.Error("more is gone than was named")
	}
}

// A comma in a setting begins a line where a variable follows, as where a reference does.
func TestSettingLines_OfVariables(t *testing.T) {
	const want = "A=op://v/i/f\nB=env://B,x\nenv://C"
	if got := settingLines("A=op://v/i/f,B=env://B,x,env://C"); got != want {
		t.Errorf("%q", got)
	}
}

// Host keys may be loaded too: they are lines, and none of them is a problem.
func TestHostKeys_OfAVariable(t *testing.T) {
	const fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	a := &app{env: map[string]string{"PINS": "# ours\n192.0.2.1 " + fingerprint + "\n", "NONE": "# none\n", "KEY": "-----BEGIN OPENSSH PRIVATE KEY-----"}}
	pins, refs, err := hostKeys(lines{{"env://PINS", "--host-keys"}}, a.loaded)
	if err != nil || len(refs) > 0 || pins == nil || !slices.Equal(pins.Fingerprints(), []string{fingerprint}) {
		t.Errorf("%v, %v, %v", pins, refs, err)
	}
	for _, name := range []string{"NONE", "KEY", "NOT_SET"} {
		if pins, _, err := hostKeys(lines{{"env://" + name, "--host-keys"}}, a.loaded); err == nil || pins != nil {
			t.Errorf("%s: %v, %v", name, pins, err)
		}
	}
}

// git, which may be asked for the file that says which variables are secrets, gets what
// programs follow and nothing that such a file can name.
func TestVariables_AreNotInTheGitThatReadsTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\nenv\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := checkout{dir: dir, env: []string{
		"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=/home", "GIT_DIR=/repository", "GIT_CONFIG_COUNT=0", "GIT_DISCOVERY_ACROSS_FILESYSTEM=1",
		"LOADED=by-a-step", "GIT_TOKEN=by-a-step", "GITHUB_TOKEN=by-a-step", "KAMAL_OP_GITHUB_TOKEN=ours", "INPUT_X=ours",
	}}
	out, err := c.git(t.Context(), "rev-parse")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"by-a-step", "ours"} {
		if strings.Contains(string(out), bad) {
			t.Errorf("%s is there: %s", bad, out)
		}
	}
	for _, entry := range c.env[1:5] {
		if !strings.Contains(string(out), entry+"\n") {
			t.Errorf("%s is missing", entry)
		}
	}
}

// A rehearsal takes the options of the environment as the command line would; what it
// starts gets neither those nor the credentials of its vault.
func TestRehearsed_TakesTheOptionsOfTheEnvironment(t *testing.T) {
	a, out := inProject(t, "", map[string]string{"KAMAL_OP_SSH_USER": "of-the-environment"})
	a.reaper = supervise.StartReaper()
	defer a.reaper.Close(0)
	kamal := filepath.Join(a.Dir, "kamal")
	if err := os.WriteFile(kamal, []byte("#!/bin/sh\nenv >"+a.Dir+"/seen\necho 2.12.0\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var token []string // of Connect's shape
	for _, part := range []string{`{"alg":"ES256"}`, `{"iss":"a test"}`, "signature"} {
		token = append(token, base64.RawURLEncoding.EncodeToString([]byte(part)))
	}
	request := rehearsal.DeployRequest{
		Command: "check", Dir: a.Dir, Kamal: kamal, Env: []string{"PATH=" + os.Getenv("PATH"), "APP=1"},
		ConnectHost: "http://127.0.0.1:1", ConnectToken: strings.Join(token, "."),
	}
	for _, dir := range []string{"config", ".kamal"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.Dir, "config/deploy.yml"), []byte("service: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.env["KAMAL_OP_ERB"] = "true"
	if _, err := a.rehearsed(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	seen, err := os.ReadFile(filepath.Join(a.Dir, "seen"))
	if err != nil {
		t.Fatalf("no Kamal was started: %v, %s", err, out)
	}
	for entry := range strings.Lines(string(seen)) {
		if strings.HasPrefix(entry, "OP_") || strings.HasPrefix(entry, "KAMAL_OP_SSH") {
			t.Errorf("%s is there", entry)
		}
	}
	if !strings.Contains(string(seen), "APP=1\n") {
		t.Error("the rehearsal's environment is not there")
	}
}
