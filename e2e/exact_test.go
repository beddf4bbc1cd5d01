package e2e

import (
	"slices"
	"strings"
	"testing"
)

// recorder takes docker's place on a server, and writes down the arguments of all
// processes that run when it is called.
const recorder = "#!/bin/sh\ncat /proc/[0-9]*/cmdline >>/root/arguments 2>/dev/null\nexec /usr/bin/docker \"$@\"\n"

// Values that Kamal's env file changes, or cannot hold, are in the app's container, in
// those of its commands and in an accessory's byte for byte, and in no argument of a
// process. Without the option all is as before, and no file of them is left.
func TestExactValues(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	c.values["RAILS_MASTER_KEY"] = "it's \\ a\\\\b\t\"q\" 'q' ${HOME} $(id) `id` é 🔑\r\n\n" + randomText(8) + "\n\n"
	c.values["MAILGUN_INGRESS_SIGNING_KEY"] = strings.Repeat(randomText(29)+"'\n", 1<<10) // 60 KiB
	for _, name := range []string{"RAILS_MASTER_KEY", "MAILGUN_INGRESS_SIGNING_KEY"} {
		if err := c.vault.SetField("MyApp", "Production", name, c.values[name]); err != nil {
			t.Fatal(err)
		}
	}
	service, s := c.project.Service, c.servers[0]
	c.project.edit("config/deploy.yml", "\nbuilder:", "\naccessories:\n  side:\n    image: "+
		c.rig.registry.Address+"/e2e/"+service+":latest-production\n    host: "+s.Address+"\n    env:\n      secret:\n        - ALIAS:RAILS_MASTER_KEY\n        - CHATKIT_PK\n\nbuilder:")
	c.project.write("config/deploy.production.yml", "env:\n  clear:\n    WHERE: production\n")
	c.project.write(".kamal/secrets.production", passedThrough(append([]string{"KAMAL_REGISTRY_PASSWORD"}, walkthrough...)...))
	first := c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	kamalOp := func(name string, args ...string) []string {
		return c.command(name, append([]string{"-d", "production"}, args...)...)
	}
	s.mustExec(t, "sh", "-c", `printf '%s' "$1" >/usr/local/bin/docker && chmod 755 /usr/local/bin/docker && : >/root/arguments`, "-", recorder)
	t.Cleanup(func() { s.mustExec(t, "rm", "-f", "/usr/local/bin/docker", "/root/arguments") })

	res := m.run(c.connect(), kamalOp("setup", "--exact-values")...)
	c.succeeded(res)
	setup := res.Log
	c.clean(m)
	arrived := func(where, output string, variables map[string]string) {
		t.Helper()
		for variable, name := range variables {
			if !slices.Contains(strings.Split(output, "\n"), variable+" "+digest(c.values[name])) {
				t.Errorf("%s has another %s", where, variable)
			}
		}
	}
	ofApp := map[string]string{}
	for _, name := range c.project.Secrets {
		ofApp[name] = name
	}
	ofSide := map[string]string{"ALIAS": "RAILS_MASTER_KEY", "CHATKIT_PK": "CHATKIT_PK"}
	app := func(when string) {
		t.Helper()
		for _, s := range c.servers {
			got := s.digests(t, c.project.Domain)
			for name, of := range ofApp {
				if got[name] != digest(c.values[of]) {
					t.Errorf("%s the app on %s has another %s", when, s.Address, name)
				}
			}
		}
	}
	app("after the setup")
	arrived("the accessory", s.mustExec(t, "docker", "exec", service+"-side", "/app", "digests"), ofSide)
	for command, want := range map[string]map[string]string{
		"-- app exec --raw":          ofApp,
		"--fresh-env -- app exec -i": ofApp,
		"-- accessory exec side":     ofSide,
	} {
		res := m.run(c.connect(), append(kamalOp("kamal", "--exact-values", "--host-keys", knownLine(s, s.HostKey), "--host-keys", knownLine(c.servers[1], c.servers[1].HostKey)), append(strings.Fields(command), "/app digests")...)...)
		c.succeeded(res)
		arrived("kamal "+command, strings.ReplaceAll(res.Stdout, "\r", ""), want)
	}
	res = m.run(c.connect(), kamalOp("verify", "--exact-values")...)
	c.succeeded(res)
	c.captured("secrets.md", " INFO Uploading .kamal/apps/shop", setup+res.Log)
	says(t, res, "10 equal, 0 escaped, 0 stale, 0 missing")
	res = m.run(c.connect(), kamalOp("plan", "--exact-values")...)
	c.succeeded(res)
	says(t, res, "nothing would change")

	arguments := s.mustExec(t, "sh", "-c", `tr '\0' '\n' </root/arguments`)
	secrets := c.secrets()
	delete(secrets, "KAMAL_REGISTRY_PASSWORD") // in which Kamal's docker login has it
	if found := leaks(arguments, secrets); len(found) > 0 || !strings.Contains(arguments, "\n--env\nMAILGUN_INGRESS_SIGNING_KEY\n") {
		t.Errorf("in the process list are values of %q", found)
	}
	files := func() string {
		return s.mustExec(t, "sh", "-c", `cd /root/.kamal/apps/"$1"-production/env && stat -c '%a %n' roles/* accessories/*`, "-", service)
	}
	if got, want := files(), "600 roles/web.env\n600 roles/web.env.exact\n600 accessories/side.env\n600 accessories/side.env.exact"; got != want {
		t.Errorf("the files are\n%s\nwant\n%s", got, want)
	}

	// A value that is changed comes as it is with a rotation, a deploy, and a rollback.
	change := func() {
		t.Helper()
		c.values["RAILS_MASTER_KEY"] = "\\n\n\t'" + randomText(8)
		if err := c.vault.SetField("MyApp", "Production", "RAILS_MASTER_KEY", c.values["RAILS_MASTER_KEY"]); err != nil {
			t.Fatal(err)
		}
	}
	change()
	res = m.run(c.connect(), kamalOp("rotate", "--exact-values")...)
	c.ended(res, 3) // the accessory is left
	says(t, res, "2 containers were booted again")
	app("after the rotation")
	c.project.commit()
	c.succeeded(m.run(c.connect(), kamalOp("deploy", "--exact-values")...))
	change()
	c.succeeded(m.run(c.connect(), kamalOp("rollback", "--exact-values", first)...))
	app("after the rollback")

	// Without the option Kamal's env file has what it can hold: not the long one.
	c.values["MAILGUN_INGRESS_SIGNING_KEY"] = "key-" + randomText(12)
	if err := c.vault.SetField("MyApp", "Production", "MAILGUN_INGRESS_SIGNING_KEY", c.values["MAILGUN_INGRESS_SIGNING_KEY"]); err != nil {
		t.Fatal(err)
	}
	res = m.run(c.connect(), kamalOp("redeploy")...)
	c.succeeded(res)
	says(t, res, "CHATKIT_PK has line breaks", "--exact-values hands it over as it is")
	if got := s.digests(t, c.project.Domain)["CHATKIT_PK"]; got != digest(strings.ReplaceAll(c.values["CHATKIT_PK"], "\n", `\n`)) {
		t.Error("without the option the app has not what Kamal's env file writes")
	}
	if got := files(); strings.Contains(got, "web.env.exact") {
		t.Errorf("left of an earlier deploy:\n%s", got)
	}
}

// Where a shell logs in that Kamal's commands do not work in, nothing is begun.
func TestDeploy_WhereFishOrTcshLogsIn(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	for n, shell := range []string{"/usr/bin/fish", "/usr/bin/tcsh"} {
		s := c.servers[n]
		s.mustExec(t, "usermod", "--shell", shell, "root")
		t.Cleanup(func() { s.mustExec(t, "usermod", "--shell", "/bin/bash", "root") })
	}
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	before := c.containers()
	res := m.run(c.connect(), c.command("setup", "--exact-values")...)
	c.ended(res, 3)
	c.clean(m)
	for _, s := range c.servers {
		says(t, res, "the login shell of root@"+s.Address+" is no POSIX shell")
	}
	if after := c.containers(); after != before {
		t.Errorf("it has changed\n%s to\n%s", before, after)
	}
}
