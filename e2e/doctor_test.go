package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// doctored is what `kamal-op doctor --json` says, as far as it is looked at here.
type doctored struct {
	Findings []struct{ Area, Check, About, State, Text string }
	Counts   map[string]int
}

// says tells whether there is a finding of a check in a state, with the text in it.
func (d doctored) says(check, state, text string) bool {
	for _, f := range d.Findings {
		if f.Check == check && f.State == state && strings.Contains(f.Text, text) {
			return true
		}
	}
	return false
}

// Doctor finds all well on real servers, a real registry and a real Kamal, and each of
// them when it is not; it changes nothing there, and leaves nothing behind.
func TestDoctor(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	m := c.rig.machine(t, c.project)
	doctor := func(status int, args ...string) (d doctored) {
		t.Helper()
		m.remember()
		before := c.containers()
		res := m.run(c.connect(), c.command("doctor", append(args, "--json")...)...)
		c.ended(res, status)
		c.clean(m)
		c.unlocked()
		if after := c.containers(); after != before {
			t.Errorf("doctor has changed\n%s to\n%s", before, after)
		}
		if err := json.Unmarshal([]byte(res.Stdout), &d); err != nil {
			t.Fatalf("%v\n%s", err, res.Log)
		}
		return d
	}
	expect := func(d doctored, check, state, text string) {
		t.Helper()
		if !d.says(check, state, text) {
			t.Errorf("%s is not %s (%s): %+v", check, state, text, d.Findings)
		}
	}

	d := doctor(0)
	for check, text := range map[string]string{
		"credentials": "they may read MyApp", "connect": "version", "references": "missing: none", "key": "ssh-ed25519",
		"login": "logs in with", "disk": "GiB free", "clock": "the same time", "architecture": "", "version": "kamal ",
		"configuration": "", "preload": "net-ssh", "buildx": "buildx ",
	} {
		expect(d, check, "well", text)
	}
	for _, area := range []string{"hosts", "this machine"} {
		found := false
		for _, f := range d.Findings {
			found = found || f.Area == area && f.Check == "docker" && f.State == "well"
		}
		if !found {
			t.Errorf("no docker of %s: %+v", area, d.Findings)
		}
	}
	accepted := false
	for _, f := range d.Findings {
		accepted = accepted || f.Area == "registry" && f.State == "well" && f.Text == "it takes the credentials"
	}
	if !accepted {
		t.Errorf("the registry: %+v", d.Findings)
	}
	res := m.run(c.connect(), c.command("doctor")...)
	c.succeeded(res)
	t.Logf("a capture:\n%s", res.Stdout)

	// A registry that does not take the password, and images for another machine.
	c.values["KAMAL_REGISTRY_PASSWORD"] = randomText(16)
	if err := c.vault.SetField("MyApp", "Production", "KAMAL_REGISTRY_PASSWORD", c.values["KAMAL_REGISTRY_PASSWORD"]); err != nil {
		t.Fatal(err)
	}
	c.project.edit("config/deploy.yml", "  arch: amd64\n", "  arch: riscv64\n")
	d = doctor(3)
	expect(d, "login", "problem", "docker could not log in")
	expect(d, "architecture", "problem", "images are built for riscv64")
	expect(d, "login", "well", "logs in with")

	// A key that the server does not let in.
	other := newKey(t)
	if err := c.vault.SetField("MyApp", "Server", "SSH_KEY", other.PEM); err != nil {
		t.Fatal(err)
	}
	d = doctor(3)
	expect(d, "login", "problem", "does not take the key")
	if d.says("login", "well", "logs in with") {
		t.Errorf("%+v", d.Findings)
	}
	c.key = other
	c.ended(m.run(c.connect(), c.command("doctor")...), 3)
}
