package e2e

import (
	"cmp"
	"os"
	"strings"
	"testing"
	"time"
)

// signal sends kamal-op a signal as a CI runner does: to it alone.
func (m *machine) signal(name string) {
	m.t.Helper()
	m.signalTo(name, `"kamal-op "*`)
}

// signalTo sends a signal to the processes whose arguments match a shell's pattern.
func (m *machine) signalTo(name, pattern string) {
	m.t.Helper()
	mustDocker(m.t, "exec", m.id, "sh", "-c",
		// The process lets nobody look at its executable: it goes by its arguments.
		`for p in /proc/[0-9]*; do [ "${p#/proc/}" = $$ ] || case "$(tr '\0' ' ' <$p/cmdline 2>/dev/null)" in `+pattern+`) kill -`+name+` ${p#/proc/};; esac; done; true`)
}

// until waits until a running command has said something.
func (r *running) until(text string) {
	r.t.Helper()
	for range 1800 {
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
		command            string
	}{
		{name: "in a hook", signal: "INT", said: "the hook sleeps", status: 130, arrange: func(c *scene) {
			c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\necho the hook sleeps >&2\nsleep 120\n")
		}},
		{name: "in a hook that heeds nothing", signal: "INT", said: "the hook sleeps", status: 130, arrange: func(c *scene) {
			c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\ntrap '' INT TERM\necho the hook sleeps >&2\n(while :; do sleep 1; done) &\nwhile :; do sleep 1; done\n")
		}},
		{name: "while building, under the lock", command: "setup", signal: "TERM", said: "sleep 111", status: 143, arrange: func(c *scene) {
			c.project.write("Dockerfile", "FROM "+os.Getenv(envKamal)+"\nRUN trap '' TERM INT; sleep 111\n")
		}},
		{name: "through a jump host", signal: "INT", said: "the hook sleeps", status: 130, arrange: func(c *scene) {
			jump := c.rig.server(c.t, 1)
			jump.authorize(c.t, c.key.Public)
			c.project.edit("config/deploy.yml", "builder:", "ssh:\n  proxy: root@"+jump.Address+"\n\nbuilder:")
			c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\necho the hook sleeps >&2\nsleep 120\n")
		}},
		{name: "while booting", signal: "TERM", said: "Start container with version", status: 143, arrange: func(c *scene) {
			c.project.edit("config/deploy.yml", "APP_ENV: production", "APP_IS_ILL: \"true\"")
			c.project.edit("config/deploy.yml", "deploy_timeout: 10", "deploy_timeout: 60")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newScene(t, 1)
			test.arrange(c)
			c.project.commit()
			m := c.rig.machine(t, c.project)
			// A jump host that ssh does not know yet.
			m.run(nil, "sh", "-c", `mkdir -p -m 700 /root/.ssh; printf 'Host *\n  StrictHostKeyChecking accept-new\n' >/root/.ssh/config`)
			m.remember()
			r := m.start(c.connect(), "", c.command(cmp.Or(test.command, "deploy"), "--", "--verbose")...)
			r.until(test.said)
			m.signal(test.signal)
			began := time.Now()
			res := r.wait()
			took := time.Since(began)
			t.Logf("it took %s to end", took.Round(10*time.Millisecond))
			if took > 10*time.Second { // when a runner kills
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
