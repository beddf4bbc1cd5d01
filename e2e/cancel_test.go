package e2e

import (
	"strings"
	"testing"
	"time"
)

// signal sends kamal-op a signal as a CI runner does: to it alone.
func (m *machine) signal(name string) {
	m.t.Helper()
	mustDocker(m.t, "exec", m.id, "sh", "-c",
		// The process lets nobody look at its executable: it goes by its arguments.
		`for p in /proc/[0-9]*; do case "$(tr '\0' ' ' <$p/cmdline 2>/dev/null)" in "kamal-op "*) kill -`+name+` ${p#/proc/};; esac; done; true`)
}

// until waits until a running command has said something.
func (r *running) until(text string) {
	r.t.Helper()
	for range 600 {
		if strings.Contains(r.log.String(), text) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.t.Fatalf("%q was not said\n%s", text, r.log)
}

// A run that is cancelled releases its lock and leaves nothing: while a hook runs
// under the lock, while an app is booted, while the image is built.
func TestCancelled(t *testing.T) {
	for _, test := range []struct {
		name, signal, said string
		status             int
		arrange            func(c *scene)
	}{
		{"in a hook", "INT", "the hook sleeps", 130, func(c *scene) {
			c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\necho the hook sleeps >&2\nsleep 120\n")
		}},
		{"while booting", "TERM", "Start container with version", 143, func(c *scene) {
			c.project.edit("config/deploy.yml", "APP_ENV: production", "APP_IS_ILL: \"true\"")
			c.project.edit("config/deploy.yml", "deploy_timeout: 10", "deploy_timeout: 60")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newScene(t, 1)
			test.arrange(c)
			c.project.commit()
			m := c.rig.machine(t, c.project)
			m.remember()
			r := m.start(c.connect(), "", c.command("deploy", "--", "--verbose")...)
			r.until(test.said)
			began := time.Now()
			m.signal(test.signal)
			res := r.wait()
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("it took %s to end", took)
			}
			c.ended(res, test.status)
			c.unlocked()
			c.clean(m)
			if t.Failed() {
				t.Log(res.Log)
			}
		})
	}
}
