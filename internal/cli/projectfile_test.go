package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/reference"
)

// inProject is an app in a project with this file, and what it has said.
func inProject(t *testing.T, text string, env map[string]string) (*app, *bytes.Buffer) {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".kamal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, projectfile.Name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	g := gate.New(gate.Options{Stdout: &out, Stderr: &out})
	t.Cleanup(g.Close)
	a := &app{Process: Process{Dir: dir, Env: os.Environ()}, env: env, gate: g, Stdout: g.Stdout(), Stderr: g.Stderr(), lookup: lookup{env: env}}
	a.system = ci.Detect(nil, g, a.Stderr, ci.Options{})
	return a, &out
}

// withFile is what a command line becomes with the project's file.
func withFile(t *testing.T, a *app, args ...string) *grammar {
	t.Helper()
	_, kctx, _, err := a.parse(args)
	if err != nil {
		t.Fatal(err)
	}
	if a.lookup.file, err = a.readProjectFile(kctx); err != nil {
		t.Fatal(err)
	}
	g, _, _, err := a.parse(args)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestProjectFile_ComesLast(t *testing.T) {
	const text = "ssh-user: file\nlock-wait: 1m\nhost-keys: [a, b]\ndestinations: {staging: {lock-wait: 2m}}\n"
	a, _ := inProject(t, text, map[string]string{"KAMAL_OP_SSH_USER": "environment"})
	d := withFile(t, a, "deploy", "-d", "staging").Deploy
	if got := d.SSHUser.texts(); !slices.Equal(got, []string{"environment"}) {
		t.Errorf("ssh-user %q", got)
	}
	if d.LockWait.String() != "2m0s" {
		t.Errorf("lock-wait %s", d.LockWait)
	}
	if got := d.HostKeys; len(got) != 2 || got[1] != (line{"b", ".kamal/kamal-op.yml:3"}) {
		t.Errorf("host-keys %v", got)
	}
	if got := withFile(t, a, "deploy", "--lock-wait", "3m").Deploy.LockWait.String(); got != "3m0s" {
		t.Errorf("lock-wait %s", got)
	}
}

// Whatever weakens a check does not count from the file by itself: each option whose
// name says so is marked, and what is marked waits for the flag.
func TestProjectFile_EachThatWeakensNeedsTrust(t *testing.T) {
	weaken := []string{"connect-host", "check", "check-hosts", "op-scope", "forward-agent", "public", "no-production", "shared-secrets"}
	seen := 0
	for _, o := range reference.InFile(Grammar()) {
		must := slices.Contains(weaken, o.Name) || strings.HasPrefix(o.Name, "allow-")
		if must != (o.File == "confirmed") {
			t.Errorf("%s is marked %q", o.Name, o.File)
		}
		if must {
			seen++
		}
		for _, never := range []string{"trust-project-file", "kamal", "core-cache", "connect-proxy", "connect-ca-file", "connect-token-file", "working-directory", "env"} {
			if o.Name == never {
				t.Errorf("%s may stand in the file", never)
			}
		}
	}
	if seen < len(weaken)+4 {
		t.Errorf("only %d were seen", seen)
	}
	const text = "check: off\nop-scope: any\nforward-agent: true\npublic: A\nconnect-host: http://elsewhere\n"
	for _, test := range []struct {
		env  map[string]string
		args []string
		want string
	}{
		{nil, []string{"deploy"}, "error named false 0 "},
		{nil, []string{"deploy", "--trust-project-file"}, "off any true 1 http://elsewhere"},
		{map[string]string{"KAMAL_OP_TRUST_PROJECT_FILE": "true"}, []string{"deploy"}, "off any true 1 http://elsewhere"},
		{nil, []string{"deploy", "--check=warn"}, "warn named false 0 "},
	} {
		a, _ := inProject(t, text, test.env)
		d := withFile(t, a, test.args...).Deploy
		got := strings.Join([]string{d.Check, d.OpScope, map[bool]string{true: "true", false: "false"}[d.ForwardAgent], string(rune('0' + len(d.Public))), d.ConnectHost}, " ")
		if got != test.want {
			t.Errorf("%v, %v: %q, not %q", test.env, test.args, got, test.want)
		}
		if waits := len(a.lookup.file.unconfirmed()); waits != 0 && test.want[:3] == "off" || waits == 0 && test.want[:3] != "off" {
			t.Errorf("%v, %v: %d wait", test.env, test.args, waits)
		}
	}
}

// No value that could be a secret is shown by config.
func TestShownValue_HasNoSecret(t *testing.T) {
	for _, test := range []struct{ option, text, want string }{
		{"secret", "A=op://v/i/f", "A=op://v/i/f"},
		{"secret", "op://v/i", "op://v/i"},
		{"secret", "A=env://B", "A=env://B"},
		{"secret", "A=env://hunter-2", "A=(no secret reference)"},
		{"secret", "env://B", "(no declaration)"},
		{"ssh-key", "env://B", "env://B"},
		{"ssh-key", "env://hunter-2", "(no secret reference)"},
		{"ssh-certificate", "env://hunter-2", "(no secret reference)"},
		{"secret", "A=hunter2", "A=(no secret reference)"},
		{"secret", "hunter2", "(no declaration)"},
		{"ssh-key", "-----BEGIN OPENSSH PRIVATE KEY-----", "(no secret reference)"},
		{"env", "A=hunter2", "A=…"},
		{"host-keys", "-----BEGIN OPENSSH PRIVATE KEY-----", "(a private key)"},
		{"connect-proxy", "http://me:hunter2@proxy:1", "http://%E2%80%A6@proxy:1"},
		{"timeout", "3m", "3m"},
	} {
		if got := shownValue(reference.Option{Name: test.option}, test.text); got != test.want {
			t.Errorf("%s: %q, not %q", test.option, got, test.want)
		}
	}
}

// A pull request's own git is not what its workspace is read with.
func TestHelpers_RunNoProgramOfTheProject(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "buildkite-agent"), []byte("#!/bin/sh\n: >ran\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	h := &helpers{env: []string{"PATH=:."}, dir: dir}
	if err := h.run(strings.NewReader(""), "buildkite-agent", "redactor", "add"); err == nil {
		t.Error("it runs")
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("the project's buildkite-agent ran")
	}
}

func TestCheckout_RunsNoGitOfTheProject(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\n: >ran\necho 1111111111111111111111111111111111111111\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	c := checkout{dir: dir, env: []string{"PATH=:."}}
	if head := c.head(t.Context()); head != "" {
		t.Errorf("its head is %s", head)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("the project's git ran")
	}
}

// doctor looks at the workflows of all destinations, whichever it looks at itself.
func TestProjectOptions_GivesForWhicheverDestination(t *testing.T) {
	for text, want := range map[string]bool{
		"github-environment: production\n":                              true,
		"destinations: {staging: {github-environment: staging}}\n":      true,
		"destinations: {staging: {ssh-user: root}}\nssh-user: deploy\n": false,
	} {
		a, _ := inProject(t, text, map[string]string{})
		withFile(t, a, "doctor")
		if got := a.lookup.file.gives("github-environment"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if (projectOptions{}).gives("github-environment") {
		t.Error("no file gives it")
	}
}
