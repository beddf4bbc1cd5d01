package e2e

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// says fails the test where a log does not hold a text.
func says(t *testing.T, res result, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(res.Log, text) {
			t.Errorf("the log does not say %q\n%s", text, res.Log)
		}
	}
}

// knownLine is a line of known_hosts.
func knownLine(s *server, key ssh.PublicKey) string {
	return s.Address + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// The host keys that `kamal-op host-keys` prints hold for Kamal and for the ssh of
// a hook; with another key nobody logs in, as root and as another user.
func TestHostKeys(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	s := c.servers[0]
	other := c.rig.server(t, 1)
	other.authorize(t, c.key.Public)
	c.project.write(".kamal/hooks/pre-deploy", fmt.Sprintf(`#!/bin/sh
ssh -o BatchMode=yes root@%s true || exit 1
ssh -o BatchMode=yes root@%s true 2>&1 | grep "Host key verification failed" || exit 2
`, s.Address, other.Address))
	c.project.commit()
	m := c.rig.machine(t, c.project)

	printed := m.run(nil, "kamal-op", "host-keys")
	c.succeeded(printed)
	if want := knownLine(s, s.HostKey) + "\n"; printed.Stdout != want {
		t.Fatalf("kamal-op host-keys prints\n%s, not\n%s", printed.Stdout, want)
	}
	c.loggedIn(0)

	m.remember()
	res := m.run(c.connect(), c.command("deploy", "--host-keys", strings.TrimSpace(printed.Stdout))...)
	c.succeeded(res)
	c.deployed()
	c.loggedIn(3) // the check, Kamal, the hook
	if strings.Contains(res.Log, "first sight") {
		t.Errorf("host keys were given, but the log speaks of the first sight\n%s", res.Log)
	}
	c.clean(m)

	wrongKey := newKey(t).Public
	wrong := knownLine(s, wrongKey)
	for name, test := range map[string]struct {
		args   []string
		status int
		says   []string
	}{
		"another key": {c.command("deploy", "--host-keys", wrong), 3, []string{
			s.Address + " has another host key than the one given in --host-keys", ssh.FingerprintSHA256(s.HostKey), ssh.FingerprintSHA256(wrongKey), "hint:",
		}},
		"another fingerprint": {c.command("redeploy", "--host-keys", s.Address+" "+ssh.FingerprintSHA256(wrongKey)), 3, []string{"has another host key"}},
		"another key, found by Kamal alone": {c.command("redeploy", "--check-hosts", "off", "--host-keys", wrong), 1, []string{
			"fingerprint", "does not match",
		}},
		"no key for the host": {c.command("deploy", "--host-keys", "203.0.113.1 "+ssh.FingerprintSHA256(s.HostKey)), 3, []string{
			s.Address + " has no line in --host-keys", "kamal-op host-keys",
		}},
		"another user on this machine, another key": {c.as("4321", "kamal", "--host-keys", wrong, "--", "server", "exec", "hostname"), 1, []string{"does not match"}},
	} {
		t.Run(name, func(t *testing.T) {
			m.remember()
			res := m.run(c.connect(), test.args...)
			c.ended(res, test.status)
			says(t, res, test.says...)
			if built := strings.Contains(res.Log, "Running docker buildx build") || strings.Contains(res.Log, "Running docker build "); built && test.status == 3 {
				t.Errorf("an image was built\n%s", res.Log)
			}
			c.loggedIn(3)
			c.clean(m)
		})
	}
	res = m.run(c.connect(), c.as("4321", "kamal", "--host-keys", s.Address+" "+ssh.FingerprintSHA256(s.HostKey), "--", "server", "exec", "echo", "it", "is", "let", "in")...)
	c.succeeded(res)
	says(t, res, "it is let in")
	c.loggedIn(4)
}

// A Kamal whose commands come from elsewhere than its gem's files, as out of a cache
// of compiled ones, is not known to hold the host keys: it connects to nothing, be
// that found out before it starts or when it connects. Without host keys it works.
func TestHostKeysAndAKamalFromElsewhere(t *testing.T) {
	t.Parallel()
	const binstub = `#!/usr/bin/env ruby
class << RubyVM::InstructionSequence
  def load_iseq(path)
    RubyVM::InstructionSequence.compile(File.read(path), "/cache/0f3a.rb") if path.end_with?("/kamal/cli/main.rb")
  end
end%s
load Gem.activate_bin_path("kamal", "kamal")
`
	for _, test := range []struct {
		name, when string
		status     int
		says       []string
	}{
		{"always", "", 3, []string{"loads its own commands in an unknown way: the host keys of --host-keys could not be enforced", "hint:"}},
		{"not when it is asked", ` unless ARGV == [ "version" ]`, 1, []string{
			"/bin/kamal is stopped before it connects to ", "the host keys of --host-keys do not hold", "name another Kamal with --kamal",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newScene(t, 1)
			s := c.servers[0]
			c.project.write("bin/kamal", fmt.Sprintf(binstub, test.when))
			c.project.commit()
			m := c.rig.machine(t, c.project)
			m.remember()
			args := []string{"--", "server", "exec", "echo", "it", "is", "let", "in"}
			res := m.run(c.connect(), c.command("kamal", append([]string{"--host-keys", knownLine(s, s.HostKey)}, args...)...)...)
			c.ended(res, test.status)
			says(t, res, test.says...)
			c.loggedIn(0)
			c.clean(m)
			res = m.run(c.connect(), c.command("kamal", args...)...)
			c.succeeded(res)
			says(t, res, "it is let in")
			c.loggedIn(1)
		})
	}
}

// as is kamal-op as another user of the machine, who has no home.
func (c *scene) as(user string, args ...string) []string {
	line := []string{"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "env", "HOME=/nonexistent", "kamal-op", args[0], "--version", "any"}
	return append(append(line, c.flags()...), args[1:]...)
}

// The host keys may lie in the vault, beside the key.
func TestHostKeysInTheVault(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	s := c.servers[0]
	if err := c.vault.SetField("MyApp", "Server", "SSH_KEY", c.key.PEM); err != nil {
		t.Fatal(err)
	}
	if err := c.vault.SetField("MyApp", "Production", "HOST_KEYS", "# of all servers\n"+knownLine(s, s.HostKey)+"\n"); err != nil {
		t.Fatal(err)
	}
	c.project.commit()
	m := c.rig.machine(t, c.project)
	args := []string{"--host-keys", "op://MyApp/Production/HOST_KEYS", "--", "server", "exec", "echo", "it", "is", "let", "in"}
	res := m.run(c.connect(), c.command("kamal", args...)...)
	c.succeeded(res)
	says(t, res, "it is let in")

	if err := c.vault.SetField("MyApp", "Production", "HOST_KEYS", knownLine(s, newKey(t).Public)); err != nil {
		t.Fatal(err)
	}
	res = m.run(c.connect(), c.command("kamal", args...)...)
	c.ended(res, 1)
	says(t, res, "does not match")
	c.loggedIn(1)
}

// What stands in the way of a login is told before anything is built, where Kamal
// says "Authentication failed" of all.
func TestHostsThatDoNotLetIn(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	c.project.commit()
	m := c.rig.machine(t, c.project)
	stranger := newKey(t)
	if err := c.vault.SetField("MyApp", "Server", "SSH_KEY", stranger.PEM); err != nil {
		t.Fatal(err)
	}
	c.servers[1].authorize(t, stranger.Public)
	m.remember()
	res := m.run(c.connect(), c.command("deploy")...)
	c.ended(res, 3)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(stranger.Public)))
	says(t, res, "root@"+c.servers[0].Address+" does not take the key "+ssh.FingerprintSHA256(stranger.Public), line, "authorized_keys")
	if strings.Contains(res.Log, "root@"+c.servers[1].Address+" does not") {
		t.Errorf("the other server lets the key in\n%s", res.Log)
	}
	c.clean(m)

	c.project.edit("config/deploy.yml", "service:", "ssh:\n  port: 2299\nservice:")
	c.project.commit()
	m.remember()
	res = m.run(c.connect(), c.command("deploy")...)
	c.ended(res, 3)
	says(t, res, c.servers[0].Address+" refuses connections to port 2299", c.servers[1].Address+" refuses connections to port 2299")
	c.clean(m)
}
