package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// beside gives the project another service, with a configuration of its own in config/.
func (c *scene) beside(name string) (service, domain string) {
	c.t.Helper()
	own := *c.project
	own.Service = c.project.Service + "-" + name
	text, err := os.ReadFile(filepath.Join(own.Dir, "config/deploy.yml"))
	if err != nil {
		c.t.Fatal(err)
	}
	own.write("config/"+name+".yml", strings.ReplaceAll(string(text), c.project.Service, own.Service))
	c.t.Cleanup(func() {
		for _, s := range c.servers {
			s.remove(c.t, own.Service)
		}
		own.removeImages()
	})
	return own.Service, own.Service + ".test"
}

// Two services of a project are deployed with one sign-in and one batch, each under a lock
// of its own; where the second fails, the first stays and the third is not begun.
func TestServices(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	api, apiDomain := c.beside("api")
	worker, workerDomain := c.beside("worker")
	version := c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	c.vault.Forget()
	res := m.run(c.connect(), c.command("deploy", "--service", api, "--service", worker)...)
	c.succeeded(res)
	t.Logf("a capture:\n%s", res.Log)
	asked := map[string]int{}
	for _, request := range c.vault.Requests() {
		asked[request.Path]++
	}
	for path, times := range asked {
		if times > 1 && strings.Contains(path, "/items/") {
			t.Errorf("1Password was asked %d times for %s", times, path)
		}
	}
	for _, domain := range []string{apiDomain, workerDomain} {
		if got := c.servers[0].digests(t, domain)["RAILS_MASTER_KEY"]; got != digest(c.values["RAILS_MASTER_KEY"]) {
			t.Errorf("the app at %s has another RAILS_MASTER_KEY", domain)
		}
	}
	says(t, res, "== "+api+": deploy lock", "== "+worker+": deploy lock")
	if strings.Index(res.Log, "== "+worker+": build") < strings.Index(res.Log, "== "+api+": boot") {
		t.Errorf("the second has begun before the first was over\n%s", res.Log)
	}
	c.unlocked()
	c.clean(m)

	// The second is ill.
	own := *c.project
	own.edit("config/worker.yml", "APP_ENV: production", "APP_IS_ILL: \"true\"")
	own.write("README", "a change\n")
	next := c.project.commit()
	m.remember()
	res = m.run(c.connect(), c.command("deploy", "--service", api, "--service", worker, "--service", c.project.Service)...)
	c.ended(res, 6)
	t.Logf("a capture:\n%s", res.Log)
	says(t, res, worker+" has failed; deployed before it, and stays: "+api+"; not begun: "+c.project.Service,
		"go on with --service "+worker+" --service "+c.project.Service)
	for service, want := range map[string]string{api: next, worker: version, c.project.Service: ""} {
		running := strings.TrimSpace(c.servers[0].mustExec(t, "docker", "ps", "--filter", "label=service="+service, "--format", "{{.Names}}"))
		if want == "" && running != "" || !strings.Contains(running, want) || strings.Contains(running, "\n") {
			t.Errorf("of %s %q runs, want version %q", service, running, want)
		}
	}
	c.unlocked()
	c.clean(m)
}
