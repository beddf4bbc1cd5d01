package e2e

import (
	"strings"
	"testing"
)

// An unmodified project whose .kamal/secrets has NAME=$NAME lines, deployed and
// then deployed again.
func TestDeploy(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	version := c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	res := m.run(c.connect(), c.command("deploy")...)
	c.succeeded(res)
	c.deployed()
	c.loggedIn(2) // once to see whether it can be, once as Kamal
	c.unlocked()
	c.clean(m)
	if !strings.Contains(res.Log, version) {
		t.Errorf("the log does not name the version %s", version)
	}

	c.project.write("README", "a change\n")
	c.project.commit()
	m.remember()
	c.succeeded(m.run(c.connect(), c.command("redeploy")...))
	c.deployed()
	c.loggedIn(4)
	c.clean(m)

	c.succeeded(m.run(c.connect(), append(c.command("rollback"), version)...))
	c.deployed()
	c.clean(m)
}

func TestDeployToTwoServers(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	c.succeeded(m.run(c.connect(), c.command("deploy")...))
	c.deployed()
	c.loggedIn(2)
	c.unlocked()
	c.clean(m)
}

// A key of the other kind that servers are given, under the name that 1Password
// gives it in an SSH Key item.
func TestDeployWithRSAKey(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.key = newRSAKey(t)
	c.servers[0].authorize(t, c.key.Public)
	if err := c.vault.SetField("MyApp", "Server", "SSH_KEY", c.key.PEM); err != nil {
		t.Fatal(err)
	}
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	c.succeeded(m.run(c.connect(), c.command("deploy")...))
	c.deployed()
	c.loggedIn(2)
	c.clean(m)
}

func TestDeployWithDestination(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	p := c.project
	// The destination's file adds to deploy.yml; its secrets take the place of
	// .kamal/secrets, which Kamal then does not read.
	p.write("config/deploy.staging.yml", "env:\n  clear:\n    APP_ENV: staging\n")
	p.write(".kamal/secrets-common", "KAMAL_REGISTRY_PASSWORD=$KAMAL_REGISTRY_PASSWORD\n")
	p.write(".kamal/secrets.staging", passedThrough(p.Secrets...))
	p.write(".kamal/secrets", "RAILS_MASTER_KEY=not-of-this-destination\n")
	p.commit()
	m := c.rig.machine(t, p)
	m.remember()
	c.succeeded(m.run(c.connect(), c.command("deploy", "--destination", "staging")...))
	c.deployed()
	if got := c.servers[0].digests(t, p.Domain)["KAMAL_DESTINATION"]; got != digest("staging") {
		t.Error("the app runs for another destination")
	}
	c.unlocked()
	c.clean(m)
}

// binstub is the bin/kamal that Rails writes.
const binstub = `#!/usr/bin/env ruby
ENV["BUNDLE_GEMFILE"] ||= File.expand_path("../Gemfile", __dir__)
require "rubygems"
require "bundler/setup"
load Gem.bin_path("kamal", "kamal")
`

func TestDeployWithBinstub(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, gemfile, used string }{
		{"gems present", "gem \"kamal\"\n", "bin/kamal"},
		{"gems absent", "gem \"kamal\"\ngem \"a-gem-that-is-not-installed\"\n", "/usr/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newScene(t, 1)
			c.project.write("bin/kamal", binstub)
			c.project.write("Gemfile", "source \"https://rubygems.org\"\n"+test.gemfile)
			m := c.rig.machine(t, c.project)
			m.run(nil, "bin/kamal", "version") // writes Gemfile.lock where it can
			c.project.commit()
			m.remember()
			res := m.run(c.connect(), c.command("deploy")...)
			c.succeeded(res)
			c.deployed()
			c.clean(m)
			if chosen := firstLine(res.Log, "kamal 2."); !strings.Contains(chosen, test.used) {
				t.Errorf("the log says %q of the Kamal that was used, want %q in it\n%s", chosen, test.used, res.Log)
			}
		})
	}
}

// A failed deploy: Kamal's status, and nothing left behind all the same.
func TestDeployOfAnAppThatIsIll(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.edit("config/deploy.yml", "APP_ENV: production", "APP_IS_ILL: \"true\"")
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	res := m.run(c.connect(), c.command("deploy")...)
	c.ended(res, 1)
	if !strings.Contains(res.Log, "unhealthy") && !strings.Contains(res.Log, "not become healthy") {
		t.Errorf("the log does not say that the app is ill\n%s", res.Log)
	}
	c.unlocked()
	c.clean(m)
}

// A hook's output is part of the log, and a hook may print what it likes.
func TestHooksThatTell(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\n"+
		`echo "the password is $DATABASE_PASSWORD"; echo "$CHATKIT_PK" >&2; `+
		`printf %s "$MAILGUN_INGRESS_SIGNING_KEY" | base64; printf %s "u:$RAILS_MASTER_KEY" | base64 -w 0; env; exit 1`+"\n")
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	res := m.run(c.connect(), c.command("deploy")...)
	c.ended(res, 1)
	if !strings.Contains(res.Log, "the password is ***") {
		t.Errorf("the hook's output is not in the log\n%s", res.Log)
	}
	c.unlocked()
	c.clean(m)
}

// What is wrong with a declaration ends the run before anything is started.
func TestNothingStartsWhereSomethingIsWrong(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	m := c.rig.machine(t, c.project)
	for _, test := range []struct {
		name   string
		flags  []string
		status int
		says   []string
	}{
		{"a field that is not there", []string{"--secret", "OTHER=op://MyApp/Production/DATABASE_PASSWRD"}, 3, []string{"DATABASE_PASSWRD", "hint:", "DATABASE_PASSWORD"}},
		{"an item that is not there", []string{"--secret", "OTHER=op://MyApp/Prodction/DATABASE_PASSWORD"}, 3, []string{"Prodction", "hint:"}},
		{"a vault that is not there", []string{"--secret", "OTHER=op://MyAp/Production/DATABASE_PASSWORD"}, 3, []string{"MyAp", "hint:"}},
		{"a reference that is none", []string{"--secret", "OTHER=op:/MyApp/Production"}, 2, []string{"OTHER", "hint:"}},
		{"a key that is none", []string{"--ssh-key", "op://MyApp/Production/RAILS_MASTER_KEY"}, 3, []string{"hint:"}},
		{"two things at once", []string{"--secret", "ONE=op://MyApp/Production/ONE", "--secret", "TWO=op://MyApp/Nothing/TWO"}, 3, []string{"ONE", "TWO"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m.remember()
			res := m.run(c.connect(), c.command("deploy", test.flags...)...)
			c.ended(res, test.status)
			for _, text := range test.says {
				if !strings.Contains(res.Log, text) {
					t.Errorf("the log does not say %q\n%s", text, res.Log)
				}
			}
			c.loggedIn(0)
			c.clean(m)
		})
	}
}

// Refused credentials: status 4, and nothing started.
func TestTokenThatIsRefused(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	env := c.connect()
	other := newScene(t, 0)
	env["OP_CONNECT_TOKEN"] = other.vault.Token()
	res := m.run(env, c.command("deploy")...)
	c.ended(res, 4)
	if found := leaks(res.Log, other.secrets()); len(found) > 0 {
		t.Errorf("the log holds %q", found)
	}
	c.loggedIn(0)
	c.clean(m)
}

// firstLine is the first line of a log that holds a text.
func firstLine(log, text string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
