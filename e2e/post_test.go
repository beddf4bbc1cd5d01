package e2e

import (
	"strings"
	"testing"
	"time"
)

// killClient kills the docker client that the runner started, as it does ten
// seconds after a cancellation: the container lives on.
func (r *running) killClient() {
	r.t.Helper()
	if err := r.cmd.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	_ = r.cmd.Wait()
	r.cancel()
}

// alive tells whether the step's container runs.
func (s *step) alive() bool {
	s.scene.t.Helper()
	return mustDocker(s.scene.t, "inspect", "--format", "{{.State.Running}}", s.id) == "true"
}

// After a hard kill the post step ends what is left, and releases the lock.
func TestPost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		kill func(s *step, r *running)
		said string
	}{
		{"the client is killed", func(_ *step, r *running) { r.killClient() }, "the step was killed, its container was not: it is ended"},
		{"the container is killed", func(s *step, r *running) {
			mustDocker(s.scene.t, "kill", "--signal", "KILL", s.id)
			r.wait()
		}, "Kamal had left the deploy lock on"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newScene(t, 1)
			c.project.sleepsUnderLock()
			c.project.commit()
			inputs := c.connectInputs()
			inputs["args"] = "--verbose"
			main := c.newStep(inputs)
			r := main.start()
			r.until("the hook sleeps")
			logins := len(c.servers[0].logins(t, c.key.Public))
			test.kill(main, r)
			if locks := c.servers[0].locks(t, c.project.Service); locks == "" {
				t.Fatal("there is no lock to begin with")
			}
			_, res := main.post()
			res.Log = withoutMasks(res.Log)
			c.ended(res, 0)
			if !strings.Contains(res.Log, test.said) {
				t.Errorf("the post step says\n%s", res.Log)
			}
			if main.alive() {
				t.Error("the main container lives")
			}
			c.unlocked()
			if n := len(c.servers[0].logins(t, c.key.Public)) - logins; n > 1 {
				t.Errorf("the post step logged in %d times", n)
			}
		})
	}
}

// After a step that ended in order the post step does nothing, and says nothing.
func TestPostOfAnOrderlyEnd(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	main, res := c.action(c.connectInputs())
	c.succeeded(main.shown(res))
	logins := len(c.servers[0].logins(t, c.key.Public))
	began := time.Now()
	_, res = main.post()
	if took := time.Since(began); took > time.Minute { // most of it is Docker's
		t.Errorf("it took %s", took)
	}
	if res.Status != 0 || res.Log != "" {
		t.Errorf("status %d\n%s", res.Status, res.Log)
	}
	if n := len(c.servers[0].logins(t, c.key.Public)); n != logins {
		t.Errorf("it logged in %d times", n-logins)
	}
	c.unlocked()
}
