package e2e

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// watched looks at what runs, as a schedule does, and gives what it says and the text of
// the one issue there is, which is in a state. Nothing is changed, and nothing left behind.
func (c *scene) watched(m *machine, api *githubtest.Server, env map[string]string, state string) (said, body string) {
	c.t.Helper()
	m.remember()
	before := c.containers()
	res := m.run(with(c.connect(), githubRun("123", "1"), env), c.command("watch", "--issue")...)
	c.succeeded(res)
	c.clean(m)
	c.unlocked()
	c.t.Logf("a capture of watch:\n%s", res.Stdout)
	if after := c.containers(); after != before {
		c.t.Errorf("watch has changed\n%s to\n%s", before, after)
	}
	issues := api.Issues()
	if len(issues) != 1 || issues[0].GetState() != state || !strings.HasPrefix(issues[0].GetTitle(), c.project.Service) {
		c.t.Fatalf("the issues are %v, not one that is %s", issues, state)
	}
	return res.Stdout, issues[0].GetBody()
}

// A value that is changed in the vault, and what somebody has changed by hand on a host (a
// route of kamal-proxy, an option of a container, an accessory), is told by an issue, which
// the run after it was mended closes.
func TestWatch(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	first, second := c.servers[0], c.servers[1]
	c.project.edit("config/deploy.yml", "servers:\n  web:\n    - "+first.Address+"\n    - "+second.Address+"\n",
		"servers:\n  web:\n    hosts:\n      - "+first.Address+"\n      - "+second.Address+"\n    options:\n      memory: 64m\n"+
			"\naccessories:\n  side:\n    image: "+proxyImage+"\n    host: "+second.Address+"\n    cmd: kamal-proxy run --http-port 8090 --https-port 8493\n    options:\n      cpus: 0.5\n\n")
	c.project.commit()
	t.Cleanup(func() { second.remove(t, c.project.Service+"-side") })
	m := c.rig.machine(t, c.project)
	c.succeeded(m.run(c.connect(), c.command("setup")...))
	c.values["MAILGUN_INGRESS_SIGNING_KEY"] = "key-" + randomText(12)
	if err := c.vault.SetField("MyApp", "Production", "MAILGUN_INGRESS_SIGNING_KEY", c.values["MAILGUN_INGRESS_SIGNING_KEY"]); err != nil {
		t.Fatal(err)
	}
	const web = `web=$(docker ps --quiet --filter "label=service=$1" --filter label=role=web); `
	first.mustExec(t, "sh", "-c", web+`docker exec kamal-proxy kamal-proxy deploy "$1-web" --target "$web:80" --host "$2" --deploy-timeout 10s --drain-timeout 2s \
		--health-check-interval 1s --health-check-timeout 2s --buffer-requests --buffer-responses --target-timeout 12s`, "-", c.project.Service, c.project.Domain)
	second.mustExec(t, "sh", "-c", web+`docker update --memory 48m "$web" && docker update --cpus 0.25 "$1-side"`, "-", c.project.Service)

	api, token := c.github("issues")
	said, issue := c.watched(m, api, token, "open")
	t.Logf("a capture of the issue:\n%s", issue)
	for about, what := range map[string]string{
		first.Address + ", role web":        "target-timeout",
		second.Address + ", role web":       "--memory",
		second.Address + ", accessory side": "--cpus",
	} {
		if line := "✗ " + about + ": is not as deploy.yml has it: " + what; !strings.Contains(said, line) {
			t.Errorf("it does not say %q\n%s", line, said)
		}
		if line := "✗ " + about + ": has not what the vault has: MAILGUN"; strings.Contains(said, line) != strings.HasSuffix(about, "web") {
			t.Errorf("%q is said, or not\n%s", line, said)
		}
		if !strings.Contains(issue, about) {
			t.Errorf("the issue says nothing of %s\n%s", about, issue)
		}
	}
	c.captured("watch.md", "kamal-op watch", said)

	// A rotation boots what has an old value, with what deploy.yml says of all else.
	c.succeeded(m.run(c.connect(), c.command("rotate")...))
	second.mustExec(t, "docker", "update", "--cpus", "0.5", c.project.Service+"-side")
	c.watched(m, api, token, "closed")
}
