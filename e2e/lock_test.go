package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// sleepsUnderLock has the project's deploys stop in a hook while they hold the lock.
func (p *project) sleepsUnderLock() {
	p.write(".kamal/hooks/pre-deploy", "#!/bin/sh\necho the hook sleeps >&2\nsleep 120\n")
}

// run1 is the environment of a job on GitHub, less what makes the log GitHub's.
func githubRun(id, attempt string) map[string]string {
	return map[string]string{
		"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "example/myapp", "GITHUB_RUN_ID": id,
		"GITHUB_RUN_ATTEMPT": attempt, "GITHUB_JOB": "deploy", "GITHUB_ACTOR": "someone", "RUNNER_NAME": "runner " + id,
	}
}

// with is an environment with more in it.
func with(env map[string]string, more ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range append([]map[string]string{env}, more...) {
		for name, value := range m {
			all[name] = value
		}
	}
	return all
}

// lockStatus is what Kamal itself says about the lock.
func (c *scene) lockStatus(m *machine) string {
	c.t.Helper()
	res := m.run(c.connect(), "kamal-op", "kamal", "--ssh-key", "op://MyApp/Server", "--", "lock", "status")
	c.succeeded(res)
	return res.Stdout
}

// The lock says whose it is, in words and in a mark; whatever ends Kamal, it is
// released, by Kamal or, where that is killed, by kamal-op, and nobody else's is.
func TestLockOfAKilledKamal(t *testing.T) {
	c := newScene(t, 1)
	c.project.sleepsUnderLock()
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	r := m.start(with(c.connect(), githubRun("123", "2")), "", c.command("deploy", "--", "--verbose")...)
	r.until("the hook sleeps")

	status := c.lockStatus(m)
	lock := kamal.ParseLock(strings.TrimSpace(status))
	if lock.Owner != kamal.LockMarked || lock.Mark.Repository != "example/myapp" || lock.Mark.Run != 123 || lock.Mark.Attempt != 2 ||
		!strings.HasPrefix(lock.By, "someone (example/myapp, run 123, attempt 2, job deploy)") || time.Since(lock.Since) > time.Minute {
		t.Errorf("kamal lock status says\n%s", status)
	}
	if !strings.Contains(status, "\nRun: https://github.com/example/myapp/actions/runs/123/attempts/2\n") {
		t.Errorf("no link in\n%s", status)
	}
	// Kamal alone dies, as when memory runs out.
	m.signalTo("KILL", `*"/kamal deploy "*`)
	res := r.wait()
	c.ended(res, 137)
	c.unlocked()
	if !strings.Contains(res.Log, "Kamal had left the deploy lock on "+c.servers[0].Address+": released") {
		t.Errorf("the log does not say so\n%s", res.Log)
	}
	c.clean(m)
}
