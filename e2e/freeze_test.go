package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// A frozen app is not deployed, by nobody and on no host, until it is thawed or the time
// of the freeze is over; the lock of a deploy is not thawed.
func TestFreeze(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	first, second := c.servers[0].Address, c.servers[1].Address
	env := with(c.connect(), githubRun("123", "1"))

	c.succeeded(m.run(c.connect(), c.command("setup")...))
	res := m.run(env, c.command("freeze", "-m", "the database moves", "--until", "2099-01-01T00:00Z")...)
	c.succeeded(res)
	c.captured("freeze.md", `kamal-op freeze -m "the database moves" --until 2026-12-24T18:00Z`, res.Log)
	says(t, res, "deploys of "+c.project.Service+" are frozen by someone (example/myapp, run 123, job deploy) since ", ": the database moves, until 2099-01-01 00:00:00 UTC", "kamal-op thaw ends it")
	for _, s := range c.servers {
		if s.locks(t, c.project.Service) == "" {
			t.Errorf("%s is not frozen", s.Address)
		}
	}
	status := c.lockStatus(m)
	c.captured("freeze.md", "Locked by: someone", status)
	if lock := kamal.ParseLock(strings.TrimSpace(status)); lock.Owner != kamal.LockFrozen || !strings.Contains(status, "Message: Deploys are frozen: the database moves") {
		t.Errorf("kamal lock status says\n%s", status)
	}
	says(t, m.run(env, c.command("freeze", "-m", "the database moves", "--until", "2099-01-01T00:00Z")...), "already: deploys of")

	// Whichever host a deploy is for, and with each of its options about locks.
	for _, args := range [][]string{nil, {"--hosts", second}, {"--stale-lock", "release"}} {
		res := m.run(env, c.command("redeploy", append(args, "--", "-P")...)...)
		c.ended(res, 3)
		says(t, res, "deploys of "+c.project.Service+" are frozen by someone", "hint: kamal-op thaw ends it")
		c.captured("freeze.md", "✗ deploys of myapp are frozen", res.Log)
	}
	waiting := c.rig.machine(t, c.project)
	w := waiting.start(env, "", c.command("redeploy", "--lock-wait", "5m", "--", "-P")...)
	w.until("waiting for the deploy lock on " + first + ": deploys of " + c.project.Service + " are frozen")
	res = m.run(env, c.command("thaw")...)
	c.succeeded(res)
	c.captured("freeze.md", "kamal-op thaw", res.Log)
	says(t, res, c.project.Service+" can be deployed again, on "+first+", "+second)
	c.succeeded(w.wait())
	c.unlocked()
	c.deployed()
	res = m.run(env, c.command("thaw", "--json")...)
	c.succeeded(res)
	var report struct{ Frozen, Changed bool }
	if err := json.Unmarshal([]byte(res.Stdout), &report); err != nil || report.Frozen || report.Changed {
		t.Errorf("%v\n%s", err, res.Log)
	}

	// A freeze whose time is over is no obstacle, and one that fails leaves nothing.
	c.succeeded(m.run(env, c.command("freeze", "-m", "a moment", "--until", "1s")...))
	res = m.run(env, c.command("redeploy", "--lock-wait", "1m", "--", "-P")...)
	c.succeeded(res)
	says(t, res, "the freeze's time is over, and the deploy lock on "+first+" is free")
	// Kamal's own lock, as a person takes it.
	lock := "/root/.kamal/lock-" + c.project.Service
	c.servers[1].mustExec(t, "sh", "-c", `mkdir -p "$1"; printf 'Locked by: Joe at 2026-11-22T02:00:00Z\nVersion: v1\nMessage: Maintenance' | base64 >"$1/details"`, "-", lock)
	res = m.run(env, c.command("freeze", "-m", "too late")...)
	c.ended(res, 3)
	says(t, res, "took it by hand (Maintenance)")
	if c.servers[0].locks(t, c.project.Service) != "" {
		t.Errorf("%s is frozen, and %s is not", first, second)
	}
	res = m.run(env, c.command("thaw")...)
	c.succeeded(res)
	says(t, res, "is none of a freeze, and stays")
	c.servers[1].mustExec(t, "rm", "-r", lock)
	c.clean(m)
}
