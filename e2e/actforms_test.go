package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// dockerForm puts the docker form of the action into the project, as a release has it:
// the image is pulled and not built.
func (c *scene) dockerForm() {
	c.t.Helper()
	text, err := os.ReadFile("../action.yml")
	if err != nil {
		c.t.Fatal(err)
	}
	released := strings.Replace(string(text), "  image: Dockerfile\n", "  image: docker://"+os.Getenv(envAction)+"\n", 1)
	if released == string(text) {
		c.t.Fatal("action.yml builds no Dockerfile")
	}
	c.project.write(".kamal-op/docker/action.yml", released)
}

// actJob is a workflow whose only job deploys with a form of the action.
func (c *scene) actJob(form string) {
	c.t.Helper()
	var steps string
	if form == "setup" {
		steps = "      - uses: ./.kamal-op/setup\n      - run: kamal-op deploy -- --verbose\n        env:\n" +
			"          OP_CONNECT_HOST: ${{ secrets.CONNECT_HOST }}\n          OP_CONNECT_TOKEN: ${{ secrets.CONNECT_TOKEN }}\n" +
			"          KAMAL_OP_SSH_KEY: op://MyApp/Server\n          KAMAL_OP_SECRETS: |\n            " + strings.Join(c.declared(), "\n            ") + "\n"
	} else {
		steps = "      - uses: ./.kamal-op/" + form + "\n        id: deploy\n        with:\n          args: --verbose\n" +
			"          connect-host: ${{ secrets.CONNECT_HOST }}\n          connect-token: ${{ secrets.CONNECT_TOKEN }}\n" +
			"          ssh-key: op://MyApp/Server\n          secrets: |\n            " + strings.Join(c.declared(), "\n            ") + "\n" +
			"      - run: echo \"deployed ${{ steps.deploy.outputs.version }} to ${{ steps.deploy.outputs.hosts }}\"\n"
	}
	c.project.write(".github/workflows/deploy.yml", "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"+steps)
}

// act starts act in a machine. With the docker form the job has a container of its own,
// which shares its workspace with the action's.
func (c *scene) act(m *machine, form string) *running {
	c.t.Helper()
	mustDocker(c.t, "cp", os.Getenv(envAct), m.id+":/usr/local/bin/act")
	// The token goes by a file, as it would be the runner's own store of secrets.
	if res := m.start(nil, "CONNECT_HOST="+c.vault.URL()+"\nCONNECT_TOKEN="+c.vault.Token()+"\n", "sh", "-c", "umask 077; cat >/tmp/secrets").wait(); res.Status != 0 {
		c.t.Fatal(res.Log)
	}
	platform := "-self-hosted"
	if form == "docker" {
		platform = os.Getenv(envHost)
	}
	return m.start(nil, "", "act", "push", "--platform", "ubuntu-latest="+platform, "--pull=false", "--network", "host", "--secret-file", "/tmp/secrets",
		"--container-options", "--label "+label(), "--rm")
}

// act runs the docker form: the action's image beside the job's container, its outputs
// and its post step.
func TestActDocker(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.dockerForm()
	c.actJob("docker")
	version := c.project.commit()
	m := c.rig.machineOf(t, c.project, os.Getenv(envHost))
	res := c.act(m, "docker").wait()
	c.succeeded(res)
	c.deployed()
	c.unlocked()
	for _, want := range []string{"deployed " + version + " to " + c.servers[0].Address, "Post ./.kamal-op/docker", "Job succeeded"} {
		if !strings.Contains(res.Log, want) {
			t.Errorf("%q is not in the log\n%s", want, res.Log)
		}
	}
}

// A workflow that is cancelled while a deploy holds the lock releases it. Of the docker
// form act kills the container at once and hands its post step no state, which GitHub's
// runner does: TestPost has that.
func TestActCancelled(t *testing.T) {
	for _, form := range []string{"native", "setup"} {
		t.Run(form, func(t *testing.T) {
			c := newScene(t, 1)
			c.nativeForm()
			c.project.sleepsUnderLock()
			c.actJob(form)
			c.project.commit()
			m := c.rig.machineOf(t, c.project, os.Getenv(envHost))
			r := c.act(m, form)
			r.until("the hook sleeps")
			if locks := c.servers[0].locks(t, c.project.Service); locks == "" {
				t.Fatal("there is no lock to begin with")
			}
			m.signalTo("INT", `"act push "*`)
			began := time.Now()
			res := r.wait()
			t.Logf("it took %s to end", time.Since(began).Round(time.Millisecond))
			if res.Status == 0 {
				t.Error("a cancelled job succeeded")
			}
			if form == "native" && !strings.Contains(res.Log, "Post ./.kamal-op/"+form) {
				t.Error("its post step did not run")
			}
			c.unlocked()
			if t.Failed() {
				t.Log(res.Log)
			}
		})
	}
}
