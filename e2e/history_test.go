package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// A deployedOnce is a deploy of `kamal-op history --json`.
type deployedOnce struct {
	Command, Version, How, By, Link string
	Hosts                           []string
	Boots                           []struct{ Host, Role, Before, After string }
	Items                           []struct {
		From    string
		Version int
		Secrets []string
	}
}

// Each deploy leaves on every host who, what, which secrets, and how it ended, whatever
// that was, and no value; what was before is gone back to by it.
func TestHistory(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	first := c.project.commit()
	m := c.rig.machine(t, c.project)
	api, token := c.github("deployments", "pull-requests", "contents")
	api.SetCommit(first, time.Now())
	env := with(c.connect(), githubRun("123", "1"), token)
	audit := "/root/.kamal/" + c.project.Service + "-audit.log"
	history := func(status int, args ...string) (deploys []deployedOnce, log string) {
		t.Helper()
		res := m.run(c.connect(), c.command("history", append(args, "--json")...)...)
		c.ended(res, status)
		var report struct{ Deploys []deployedOnce }
		if err := json.Unmarshal([]byte(res.Stdout), &report); err != nil {
			t.Fatalf("%v\n%s", err, res.Log)
		}
		return report.Deploys, res.Stdout
	}

	c.succeeded(m.run(env, c.command("setup", "--github-environment", "production")...))
	c.values["CHATKIT_PK"] = "key-" + randomText(12)
	if err := c.vault.SetField("MyApp", "Production", "CHATKIT_PK", c.values["CHATKIT_PK"]); err != nil {
		t.Fatal(err)
	}
	c.project.write("public/new", "new\n")
	second := c.project.commit()
	p := &commented{scene: c, m: m, api: api, env: with(env, githubRun("124", "1")), base: first, head: second}
	p.refuses()
	p.plans()
	p.deploys()

	deploys, _ := history(0)
	if len(deploys) != 2 {
		t.Fatalf("%+v", deploys)
	}
	for i, want := range []deployedOnce{{Command: "deploy", Version: second}, {Command: "setup", Version: first}} {
		d := deploys[i]
		if d.Command != want.Command || d.Version != want.Version || d.How != "done" || len(d.Hosts) != 2 || len(d.Boots) != 2 || len(d.Items) == 0 || d.By == "" {
			t.Errorf("%+v", d)
		}
	}
	if d := deploys[1]; d.By != "someone (example/myapp, run 123, job deploy)" || d.Link != "https://github.com/example/myapp/actions/runs/123" {
		t.Errorf("%+v", d)
	}
	if d := deploys[0]; d.Boots[0].Before != first || d.Boots[0].After != second {
		t.Errorf("%+v", d)
	}
	res := m.run(c.connect(), c.command("history", "diff", first[:10], second[:10])...)
	c.succeeded(res)
	c.captured("history.md", "kamal-op history diff db2c9f8122 8ecbcd9c94", res.Log)
	says(t, res, "commits: 1\n", "  ~ CHATKIT_PK  MyApp/Production, version ")

	// A hook that fails, and one that is cancelled: both under the lock.
	c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\nexit 1\n")
	c.ended(m.run(c.connect(), c.command("redeploy", "--", "-P")...), 1)
	c.project.sleepsUnderLock()
	r := m.start(c.connect(), "", c.command("redeploy", "--", "-P", "--verbose")...)
	r.until("the hook sleeps")
	m.signal("INT")
	c.ended(r.wait(), 130)
	c.unlocked()
	deploys, _ = history(0)
	if len(deploys) != 4 || deploys[0].How != "cancelled" || deploys[1].How != "failed" || len(deploys[0].Hosts) != 2 {
		t.Errorf("%+v", deploys)
	}

	// A host that was rebuilt has no log, and the other's counts.
	c.servers[1].mustExec(t, "rm", audit)
	c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\n")
	m.remember()
	res = m.run(c.connect(), c.command("rollback", "-1")...)
	c.succeeded(res)
	says(t, res, "going back to "+first)
	deploys, log := history(0)
	if d := deploys[0]; d.Command != "rollback" || d.Version != first || d.How != "done" || len(deploys) != 5 || len(deploys[1].Hosts) != 1 {
		t.Errorf("%+v", deploys)
	}
	res = m.run(c.connect(), c.command("rollback", "-1")...)
	c.ended(res, 3)
	says(t, res, "the history does not go back so far", second+", done at")
	c.captured("history.md", "✗ which version to go back to is not known", res.Log)
	res = m.run(c.connect(), c.command("history")...)
	c.succeeded(res)
	c.captured("history.md", "kamal-op history", res.Stdout)

	// kamal audit is what it was, with a line more, and there is no value anywhere.
	for _, s := range c.servers {
		log += s.mustExec(t, "cat", audit)
	}
	for _, want := range []string{"] Booted app version " + second + "\n", "] rollback of " + first + " done in "} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	for name, value := range c.values {
		if strings.Contains(log, value) {
			t.Errorf("the value of %s is in the history", name)
		}
	}
	c.clean(m)
	c.project.edit("config/deploy.yml", c.servers[1].Address, "127.0.0.99")
	deploys, _ = history(6)
	if !slices.ContainsFunc(deploys, func(d deployedOnce) bool { return d.How == "cancelled" }) {
		t.Errorf("%+v", deploys)
	}
}
