package e2e

import (
	"strings"
	"testing"
)

// Code that runs in the pre-deploy hook has the secrets of this very commit: on a first
// deploy, where nothing was booted yet, and on a later one, also with a destination.
func TestFreshEnv(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	second := c.servers[1].Address
	c.project.edit("config/deploy.yml", "    - "+second+"\n", "    - "+second+"\n  jobs:\n    hosts:\n      - "+second+"\n    proxy: false\n    env:\n      secret:\n        - OF_JOBS:RAILS_MASTER_KEY\n")
	c.project.write("config/deploy.production.yml", "env:\n  clear:\n    WHERE: production\n")
	c.project.write(".kamal/secrets.production", passedThrough(append([]string{"KAMAL_REGISTRY_PASSWORD"}, walkthrough...)...))
	// A migration, which says the digest of each of its variables.
	c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\nset -e\n"+
		"kamal app exec --version \"$KAMAL_VERSION\" --destination \"$KAMAL_DESTINATION\" --raw \"/app digests\" >/tmp/migrated\n"+
		"[ -z \"$HOOK_FAILS\" ]\n")
	c.project.commit()
	m := c.rig.machine(t, c.project)

	run := func(command string, status int, env map[string]string, args ...string) map[string]string {
		t.Helper()
		m.run(nil, "rm", "-f", "/tmp/migrated")
		res := m.run(with(c.connect(), env), c.command(command, append([]string{"--destination", "production"}, args...)...)...)
		c.ended(res, status)
		c.unlocked()
		digests := map[string]string{}
		for line := range strings.Lines(m.run(nil, "cat", "/tmp/migrated").Stdout) {
			if name, sum, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				digests[name] = sum
			}
		}
		return digests
	}
	expect := func(digests map[string]string, name, value string) {
		t.Helper()
		if digests[name] != digest(value) {
			t.Errorf("the migration has another %s, of %d variables", name, len(digests))
		}
	}
	next := func(added string) (old string) {
		t.Helper()
		old = c.values["RAILS_MASTER_KEY"]
		c.values["RAILS_MASTER_KEY"] = randomText(16)
		if err := c.vault.SetField("MyApp", "Production", "RAILS_MASTER_KEY", c.values["RAILS_MASTER_KEY"]); err != nil {
			t.Fatal(err)
		}
		c.project.edit("config/deploy.yml", "    - RAILS_MASTER_KEY\n", "    - RAILS_MASTER_KEY\n    - "+added+":RAILS_MASTER_KEY\n")
		c.project.commit()
		return old
	}

	digests := run("setup", 0, nil)
	expect(digests, "RAILS_MASTER_KEY", c.values["RAILS_MASTER_KEY"])
	expect(digests, "OF_JOBS", c.values["RAILS_MASTER_KEY"])
	c.deployed()

	old := next("ADDED")
	digests = run("deploy", 0, nil, "--no-fresh-env")
	expect(digests, "RAILS_MASTER_KEY", old)
	if digests["ADDED"] != "" {
		t.Error("without fresh secrets the migration has a new one")
	}

	// A deploy that fails behind the migration leaves what runs, and no lock; the next
	// one is as any other.
	next("MORE")
	before := c.runningIDs()
	digests = run("deploy", 1, map[string]string{"HOOK_FAILS": "1"})
	expect(digests, "RAILS_MASTER_KEY", c.values["RAILS_MASTER_KEY"])
	expect(digests, "MORE", c.values["RAILS_MASTER_KEY"])
	if after := c.runningIDs(); after != before {
		t.Errorf("a deploy that failed before the boot has changed\n%s to\n%s", before, after)
	}
	digests = run("redeploy", 0, nil)
	expect(digests, "MORE", c.values["RAILS_MASTER_KEY"])
	c.deployed()

	// By itself a command of the app has a file of its own where that is asked for, and
	// nothing is left of it.
	old = next("LAST")
	for fresh, want := range map[string]string{"": old, "--fresh-env": c.values["RAILS_MASTER_KEY"]} {
		res := m.run(c.connect(), append(append(c.command("kamal", "--destination", "production"), strings.Fields(fresh)...), "--", "app", "exec", "/app digests")...)
		c.succeeded(res)
		if strings.Count(res.Log, "RAILS_MASTER_KEY "+digest(want)) < 2 || !strings.Contains(res.Log, "OF_JOBS "+digest(want)) {
			t.Errorf("with %q the command has other secrets\n%s", fresh, res.Log)
		}
	}
	for n, want := range []string{"web.env", "jobs.env\nweb.env"} {
		files := c.servers[n].mustExec(t, "sh", "-c", `ls /root/.kamal/apps/"$1"-production/env/roles`, "-", c.project.Service)
		if files != want {
			t.Errorf("env files on %s: %q, want %q", c.servers[n].Address, files, want)
		}
	}
}

// runningIDs are the containers of the project that run, on all servers.
func (c *scene) runningIDs() string {
	c.t.Helper()
	var all strings.Builder
	for _, s := range c.servers {
		all.WriteString(s.mustExec(c.t, "sh", "-c", `docker ps --no-trunc --filter "label=service=$1" --format '{{.ID}} {{.Names}}' | sort`, "-", c.project.Service) + "\n")
	}
	return all.String()
}
