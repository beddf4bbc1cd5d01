package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// sleepsUnderLock has the project's deploys stop in a hook while they hold the lock.
func (p *project) sleepsUnderLock() {
	p.write(".kamal/hooks/pre-deploy", "#!/bin/sh\necho the hook sleeps >&2\nsleep 900\n")
}

// githubRun is the environment of a job on GitHub, less what makes the log GitHub's.
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
	t.Parallel()
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

// github starts GitHub's API, and gives the environment that leads there, with a token
// that may write these, too.
func (c *scene) github(writes ...string) (*githubtest.Server, map[string]string) {
	c.t.Helper()
	s := githubtest.New(c.t, githubtest.Options{Repository: "example/myapp"})
	token := "ghs_" + randomText(12)
	may := map[string]string{"actions": "read"}
	for _, scope := range writes {
		may[scope] = "write"
	}
	s.AddToken(token, githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: may})
	return s, map[string]string{"GITHUB_API_URL": s.URL, "GITHUB_TOKEN": token}
}

// held begins a deploy that holds the lock in a hook.
func (c *scene) held(m *machine, env ...map[string]string) *running {
	c.t.Helper()
	c.project.sleepsUnderLock()
	r := m.start(with(c.connect(), env...), "", c.command("deploy", "--", "--verbose")...)
	r.until("the hook sleeps")
	return r
}

// hookless is a deploy whose hooks are skipped.
func (c *scene) hookless(args ...string) []string {
	return append(c.command("deploy", args...), "--", "--skip-hooks")
}

// A run that was killed leaves its lock; the next one releases it where GitHub says
// that the run is over, and not before.
func TestLockOfADeadRun(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.sleepsUnderLock()
	c.project.commit()
	api, token := c.github()
	m := c.rig.machine(t, c.project)
	m.remember()
	r := c.held(m, githubRun("100", "1"), map[string]string{"KAMAL_OP_JOB_ID": "1001"})
	m.signal("KILL")
	c.ended(r.wait(), 137)
	if c.servers[0].locks(t, c.project.Service) == "" {
		t.Fatal("there is no lock to begin with")
	}
	next := with(c.connect(), githubRun("200", "1"), token, map[string]string{"KAMAL_OP_JOB_ID": "2001"})

	// The job of that name has ended in the run that goes on; GitHub tells by number.
	api.AddRun(100, 1, "in_progress", "", githubtest.Job(1000, "deploy", "x", "completed"), githubtest.Job(1001, "deploy (a)", "x", "in_progress"))
	res := m.run(next, c.hookless()...)
	c.ended(res, 3)
	for _, want := range []string{"is not free: someone (example/myapp, run 100, job deploy) holds it since ", "in progress", "--lock-wait"} {
		if !strings.Contains(res.Log, want) {
			t.Errorf("the log has no %q\n%s", want, res.Log)
		}
	}
	res = m.run(with(next, map[string]string{"KAMAL_OP_LOCK_WAIT": "6s"}), c.hookless()...)
	c.ended(res, 5)
	if !strings.Contains(res.Log, "waiting for the deploy lock on") {
		t.Errorf("the log says nothing of the wait\n%s", res.Log)
	}

	api.AddRun(100, 1, "completed", "cancelled")
	res = m.run(next, c.hookless("--stale-lock", "fail")...)
	c.ended(res, 3)
	logins := len(c.servers[0].logins(t, c.key.Public))
	res = m.run(next, c.hookless()...)
	c.succeeded(res)
	released := len(c.servers[0].logins(t, c.key.Public))
	if !strings.Contains(res.Log, "was left by a run that is over (run 100 is completed (cancelled)): it is released") {
		t.Errorf("the log does not say so\n%s", res.Log)
	}
	c.unlocked()
	c.deployed()
	c.succeeded(m.run(next, c.hookless()...))
	if with, without := released-logins, len(c.servers[0].logins(t, c.key.Public))-released; with != without {
		t.Errorf("a deploy that releases a lock takes %d logins, and %d without one", with, without)
	}
}

// Two jobs of one run: the lock of one is waited for by the other and never taken
// away, whatever ends the other.
func TestLockOfAnotherJob(t *testing.T) {
	c := newScene(t, 1)
	c.project.sleepsUnderLock()
	c.project.commit()
	api, token := c.github()
	api.AddRun(100, 1, "in_progress", "", githubtest.Job(1001, "deploy (a)", "runner 100", "in_progress"), githubtest.Job(1002, "deploy (b)", "runner 100", "in_progress"))
	a, b := c.rig.machine(t, c.project), c.rig.machine(t, c.project)
	b.remember()
	first := c.held(a, githubRun("100", "1"), token, map[string]string{"KAMAL_OP_JOB_ID": "1001"})
	status := c.lockStatus(a)
	other := with(c.connect(), githubRun("100", "1"), token, map[string]string{"KAMAL_OP_JOB_ID": "1002"})

	c.ended(b.run(other, c.hookless()...), 3)
	for _, end := range []string{"INT", "TERM", "KILL"} {
		r := b.start(with(other, map[string]string{"KAMAL_OP_LOCK_WAIT": "5m"}), "", c.hookless()...)
		r.until("waiting for the deploy lock on")
		b.signal(end)
		began := time.Now()
		r.wait()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("SIG%s: it took %s to end", end, took)
		}
		if now := c.lockStatus(a); now != status {
			t.Fatalf("after SIG%s the lock is\n%s", end, now)
		}
	}

	// It gets the lock as soon as the other is done.
	r := b.start(with(other, map[string]string{"KAMAL_OP_LOCK_WAIT": "5m"}), "", c.hookless()...)
	r.until("waiting for the deploy lock on")
	a.signal("INT")
	c.ended(first.wait(), 130)
	res := r.wait()
	c.succeeded(res)
	c.unlocked()
	c.deployed()
}

// What a person has locked is waited for and never touched, also by a kamal-op that
// took it for them.
func TestLockByHand(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	_, token := c.github()
	m := c.rig.machine(t, c.project)
	res := m.run(with(c.connect(), githubRun("100", "1")), append(c.command("kamal"), "--", "lock", "acquire", "-m", "Moving the database")...)
	c.succeeded(res)
	next := with(c.connect(), githubRun("200", "1"), token)
	res = m.run(next, c.hookless()...)
	c.ended(res, 3)
	if !strings.Contains(res.Log, "took it by hand (Moving the database) since ") {
		t.Errorf("the log does not say whose it is\n%s", res.Log)
	}
	res = m.run(next, c.hookless("--lock-wait", "2s")...)
	c.ended(res, 5)
	r := m.start(next, "", c.hookless("--lock-wait", "5m")...)
	r.until("waiting for the deploy lock on")
	if status := c.lockStatus(m); !strings.Contains(status, "Moving the database") {
		t.Errorf("the lock is\n%s", status)
	}
	c.succeeded(m.run(c.connect(), append(c.command("kamal"), "--", "lock", "release")...))
	c.succeeded(r.wait())
	c.unlocked()
}

// mkdir fails for other reasons than a lock, such as a full disk: that is said, and
// not tried for ever.
func TestLockThatCannotBeTaken(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	path := "/root/.kamal/lock-" + c.project.Service
	c.servers[0].mustExec(t, "sh", "-c", `mkdir -p /root/.kamal && ln -s /nowhere "$1"`, "-", path)
	m := c.rig.machine(t, c.project)
	res := m.run(c.connect(), c.hookless("--lock-wait", "5m")...)
	c.ended(res, 1)
	if !strings.Contains(res.Log, "cannot be taken, though nobody has it: ") || !strings.Contains(res.Log, "File exists") {
		t.Errorf("the log does not say why\n%s", res.Log)
	}
	c.servers[0].mustExec(t, "rm", path)
	c.unlocked()
}
