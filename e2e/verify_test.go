package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Right after a deploy every container has what the vault has. When a value is
// changed in the vault exactly that name is stale, until the next deploy; a name
// that was added is missing. No value is in any output, and nothing is changed.
func TestVerify(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	c.project.edit("config/deploy.yml", "    - RAILS_MASTER_KEY\n", "    - RAILS_MASTER_KEY\n    - OTHER_NAME:RAILS_MASTER_KEY\n")
	c.project.commit()
	m := c.rig.machine(t, c.project)
	c.succeeded(m.run(c.connect(), c.command("deploy")...))
	before := c.loggedInTimes()

	verify := func(status int, args ...string) (states map[string][]string) {
		t.Helper()
		m.remember()
		res := m.run(c.connect(), c.command("verify", append(args, "--format", "json")...)...)
		c.ended(res, status)
		c.clean(m)
		c.unlocked()
		var report struct {
			Equal      bool
			Containers []struct {
				Host, Role, Container string
				Secrets               []struct{ Variable, Secret, State string }
			}
		}
		if err := json.Unmarshal([]byte(res.Stdout), &report); err != nil {
			t.Fatalf("%v\n%s", err, res.Log)
		}
		if report.Equal != (status == 0) {
			t.Errorf("equal is %v with status %d", report.Equal, status)
		}
		states = map[string][]string{}
		for _, r := range report.Containers {
			if r.Role != "web" || !strings.Contains(r.Container, c.project.Service) {
				t.Errorf("%+v", r)
			}
			for _, s := range r.Secrets {
				states[s.State] = append(states[s.State], r.Host+" "+s.Variable)
			}
		}
		for _, names := range states {
			slices.Sort(names)
		}
		return states
	}
	on := func(names ...string) (all []string) {
		for _, s := range c.servers {
			for _, name := range names {
				all = append(all, s.Address+" "+name)
			}
		}
		slices.Sort(all)
		return all
	}
	expect := func(states map[string][]string, state string, want []string) {
		t.Helper()
		if !slices.Equal(states[state], want) {
			t.Errorf("%s are %q, want %q", state, states[state], want)
		}
	}

	states := verify(0)
	expect(states, "equal", on("DATABASE_PASSWORD", "MAILGUN_INGRESS_SIGNING_KEY", "OTHER_NAME", "RAILS_MASTER_KEY"))
	expect(states, "escaped", on("CHATKIT_PK")) // its line breaks, by Kamal's env file
	if n := c.loggedInTimes(); n != before+1 {
		t.Errorf("%d logins on a server, want 1", n-before)
	}

	c.values["MAILGUN_INGRESS_SIGNING_KEY"] = "key-" + randomText(12)
	if err := c.vault.SetField("MyApp", "Production", "MAILGUN_INGRESS_SIGNING_KEY", c.values["MAILGUN_INGRESS_SIGNING_KEY"]); err != nil {
		t.Fatal(err)
	}
	states = verify(3)
	expect(states, "stale", on("MAILGUN_INGRESS_SIGNING_KEY"))
	expect(states, "missing", nil)
	res := m.run(c.connect(), c.command("verify")...)
	c.ended(res, 3)
	says(t, res, "✗ MAILGUN_INGRESS_SIGNING_KEY", "another value than in the vault", "6 equal, 2 escaped, 2 stale, 0 missing", "hint: deploy")

	// One server is deployed to again: there all is well.
	c.succeeded(m.run(c.connect(), c.command("redeploy", "--hosts", c.servers[0].Address)...))
	states = verify(3)
	expect(states, "stale", []string{c.servers[1].Address + " MAILGUN_INGRESS_SIGNING_KEY"})
	verify(0, "--hosts", c.servers[0].Address)

	// A name that was added since is missing.
	c.project.edit("config/deploy.yml", "    - RAILS_MASTER_KEY\n", "    - RAILS_MASTER_KEY\n    - ADDED:RAILS_MASTER_KEY\n")
	states = verify(3)
	expect(states, "missing", on("ADDED"))

	// Where nothing runs, that is said.
	c.servers[1].remove(t, c.project.Service)
	res = m.run(c.connect(), c.command("verify")...)
	c.ended(res, 3)
	says(t, res, c.servers[1].Address+", role web: no container runs")
}

// loggedInTimes is how often the key was let in on the first server.
func (c *scene) loggedInTimes() int {
	c.t.Helper()
	return len(c.servers[0].logins(c.t, c.key.Public))
}
