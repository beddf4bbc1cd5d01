package e2e

import (
	"strings"
	"testing"
)

// An app that is ill on one of two hosts: the other, which runs the new version
// already, gets back the one before, under the lock of the same deploy.
func TestRollbackOnFailure(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	first := c.project.commit()
	m := c.rig.machine(t, c.project)
	env := c.connect()
	env["GITHUB_ACTIONS"], env["GITHUB_STEP_SUMMARY"] = "true", "/tmp/summary"
	page := func() string {
		t.Helper()
		return m.run(nil, "sh", "-c", "cat /tmp/summary; rm -f /tmp/summary").Stdout
	}
	runs := func(version string) {
		t.Helper()
		for _, s := range c.servers {
			if got := s.digests(t, c.project.Domain)["KAMAL_VERSION"]; got != digest(version) {
				t.Errorf("%s does not run %s", s.Address, version)
			}
			if n := s.mustExec(t, "docker", "ps", "--quiet", "--filter", "label=service="+c.project.Service); len(strings.Fields(n)) != 1 {
				t.Errorf("%d containers run on %s", len(strings.Fields(n)), s.Address)
			}
		}
	}
	says := func(text string, wanted ...string) {
		t.Helper()
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
	deploy := func(status int, args ...string) result {
		t.Helper()
		res := m.run(env, c.command("deploy", args...)...)
		res.Log = withoutMasks(res.Log)
		c.ended(res, status)
		c.unlocked()
		return res
	}
	one, two := c.servers[0].Address, c.servers[1].Address

	deploy(0)
	runs(first)
	says(page(), "| `"+one+"` | web | nothing | `"+first[:12]+"` |", "| `"+two+"` | web | nothing | `"+first[:12]+"` |")

	c.project.edit("config/deploy.yml", "APP_ENV: production", "APP_IS_ILL_ON: "+two)
	second := c.project.commit()
	res := deploy(1, "--rollback-on-failure")
	runs(first)
	says(res.Log, "rolled back to "+first+" on "+one, "failed in the phase boot on "+two, "✗ boot", "✓ rollback")
	summary := page()
	says(summary, "version `"+second+"`", "| `"+one+"` | web | `"+first[:12]+"` | `"+first[:12]+"` (rolled back) |", "| `"+two+"` | web | `"+first[:12]+"` | `"+first[:12]+"` (as before) |")
	if strings.Contains(summary, "To go back") {
		t.Errorf("there is nothing to go back to\n%s", summary)
	}

	// Without the option the host that is well goes on with the new version, and the
	// page has the command that goes back.
	deploy(1)
	says(page(), "| `"+one+"` | web | `"+first[:12]+"` | `"+second[:12]+"` |", "kamal-op rollback "+first+" --hosts "+one)
	c.succeeded(m.run(c.connect(), append(append([]string{"kamal-op", "rollback", first}, c.flags()...), "--hosts", one)...))
	runs(first)
}
