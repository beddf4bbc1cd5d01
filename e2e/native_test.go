package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// native puts the native forms of the action into the project, and gives a machine
// that has Node.
func (c *scene) native() *machine {
	c.t.Helper()
	c.nativeForm()
	return c.rig.machineOf(c.t, c.project, os.Getenv(envHost))
}

// nativeForm puts the native forms of the action into the project, as a commit that is
// no release has them: they take the kamal-op that is on the PATH.
func (c *scene) nativeForm() {
	c.t.Helper()
	for _, pattern := range []string{"*.js", "*.json", "action.yml"} {
		files, err := filepath.Glob("../*/" + pattern)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				c.t.Fatal(err)
			}
			c.project.write(".kamal-op/"+strings.TrimPrefix(file, "../"), string(text))
		}
	}
}

// act runs the native form and setup as steps of a workflow: main and post steps, the
// outputs, the masks.
func TestActNative(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	m := c.native()
	c.project.write(".github/workflows/deploy.yml", `on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./.kamal-op/setup
        id: setup
      - run: test "$(command -v kamal-op)" = "${{ steps.setup.outputs.path }}" && kamal-op version
      - uses: ./.kamal-op/native
        id: deploy
        with:
          connect-host: ${{ secrets.CONNECT_HOST }}
          connect-token: ${{ secrets.CONNECT_TOKEN }}
          ssh-key: op://MyApp/Server
          secrets: |
            `+strings.Join(c.declared(), "\n            ")+`
      - run: echo "deployed ${{ steps.deploy.outputs.version }} to ${{ steps.deploy.outputs.hosts }}"
`)
	version := c.project.commit()
	mustDocker(t, "cp", os.Getenv(envAct), m.id+":/usr/local/bin/act")
	// The token goes by a file, as it would be the runner's own store of secrets.
	if res := m.start(nil, "CONNECT_HOST="+c.vault.URL()+"\nCONNECT_TOKEN="+c.vault.Token()+"\n", "sh", "-c", "umask 077; cat >/tmp/secrets").wait(); res.Status != 0 {
		t.Fatal(res.Log)
	}
	res := m.run(nil, "act", "push", "--platform", "ubuntu-latest=-self-hosted", "--pull=false", "--secret-file", "/tmp/secrets")
	c.succeeded(res)
	c.deployed()
	c.unlocked()
	for _, want := range []string{"deployed " + version + " to " + c.servers[0].Address, "Post ./.kamal-op/native", "Job succeeded"} {
		if !strings.Contains(res.Log, want) {
			t.Errorf("%q is not in the log\n%s", want, res.Log)
		}
	}
}

// launch is the environment of a step of the native form.
func (c *scene) launch(m *machine) map[string]string {
	c.t.Helper()
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_WORKSPACE": c.project.Dir, "GITHUB_STATE": "/tmp/state", "GITHUB_OUTPUT": "/tmp/output",
		"RUNNER_TEMP": "/tmp", "GITHUB_REPOSITORY": "example/myapp", "GITHUB_RUN_ID": "1234567890", "GITHUB_RUN_ATTEMPT": "1",
		"INPUT_COMMAND": "deploy", "INPUT_ARGS": "--verbose", "INPUT_CONNECT-HOST": c.vault.URL(), "INPUT_CONNECT-TOKEN": c.vault.Token(),
		"INPUT_SSH-KEY": "op://MyApp/Server", "INPUT_SECRETS": strings.Join(c.declared(), "\n"),
	}
	m.run(nil, "touch", "/tmp/state", "/tmp/output")
	return env
}

// A cancelled step of the native form ends in order, within the time that a runner
// gives it.
func TestNativeCancelled(t *testing.T) { // alone, as it measures
	c := newScene(t, 1)
	m := c.native()
	c.project.sleepsUnderLock()
	c.project.commit()
	r := m.start(c.launch(m), "", "node", ".kamal-op/native/launch.js")
	r.until("the hook sleeps")
	m.signalTo("INT", `"node "*`)
	began := time.Now()
	res := r.wait()
	if took := time.Since(began); took > 10*time.Second { // when a runner kills
		t.Errorf("it took %s to end", took)
	}
	res.Log = withoutMasks(res.Log)
	c.ended(res, 130)
	c.unlocked()
}

// After a hard kill of the launcher its child lives on. The post step ends it, and
// nothing is left.
func TestNativePost(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	m := c.native()
	c.project.sleepsUnderLock()
	c.project.commit()
	env := c.launch(m)
	r := m.start(env, "", "node", ".kamal-op/native/launch.js")
	r.until("the hook sleeps")
	m.signalTo("KILL", `"node "*`)
	if locks := c.servers[0].locks(t, c.project.Service); locks == "" {
		t.Fatal("there is no lock to begin with")
	}
	// The runner reads the states, and takes the file away.
	states := m.run(nil, "sh", "-c", "cat /tmp/state && rm /tmp/state")
	post := maps.Clone(env)
	for name, value := range values(states.Stdout) {
		post["STATE_"+name] = value
	}
	for line := range strings.Lines(states.Stdout) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && name == "launched" {
			post["STATE_"+name] = value
		}
	}
	post["GITHUB_STATE"] = "/tmp/state-of-post"
	res := m.run(post, "node", ".kamal-op/native/post.js")
	res.Log = withoutMasks(res.Log)
	c.ended(res, 0)
	if want := "the step was killed, its process was not: it is ended"; !strings.Contains(res.Log, want) {
		t.Errorf("the post step does not say %q\n%s", want, res.Log)
	}
	c.unlocked()
	if out := mustDocker(t, "exec", m.id, "sh", "-c", `for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline 2>/dev/null; echo; done`); strings.Contains(out, "kamal-op action") {
		t.Errorf("it lives\n%s", out)
	}
	_ = r.cmd.Wait() // the stream ends with the process
}
