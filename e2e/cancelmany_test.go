package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

// phases are what a deploy says when it enters each of its phases.
var phases = []string{
	"Running", // the first thing that Kamal does: the hook before it connects
	"docker login",
	"Build and push app image", "docker pull",
	"Acquiring the deploy lock",
	".kamal/hooks/pre-deploy on",
	"Ensure kamal-proxy is running",
	"Start container with version",
	"Prune old containers and images",
	"Releasing the deploy lock",
}

// asRunner cancels a command as GitHub's runner does: SIGINT, 7.5 s later SIGTERM,
// 2.5 s later SIGKILL. It gives what it took, and the last signal that was needed.
func (r *running) asRunner(send func(signal syscall.Signal)) (result, time.Duration, syscall.Signal) {
	r.t.Helper()
	began := time.Now()
	done := make(chan result, 1)
	last := syscall.SIGINT
	send(last)
	go func() { done <- r.wait() }()
	for _, next := range []struct {
		after  time.Duration
		signal syscall.Signal
	}{{7500 * time.Millisecond, syscall.SIGTERM}, {2500 * time.Millisecond, syscall.SIGKILL}} {
		select {
		case res := <-done:
			return res, time.Since(began), last
		case <-time.After(next.after):
			last = next.signal
			send(last)
		}
	}
	return <-done, time.Since(began), last
}

// signalNames are signals as kill(1) knows them.
var signalNames = map[syscall.Signal]string{syscall.SIGINT: "INT", syscall.SIGTERM: "TERM", syscall.SIGKILL: "KILL"}

// Wherever a deploy is cancelled nothing of it is left: no lock on the server, no
// process, no socket, no file. The long run goes over the phases again and again, at
// other moments of each, natively and in the container in turn.
func TestCancelledAnywhere(t *testing.T) {
	c := newScene(t, 1)
	count := longrun.Times(len(phases), 100)
	c.project.write(".kamal/hooks/pre-connect", "#!/bin/sh\nsleep 0.3\n")
	c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\nsleep 0.5\n")
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	inputs := c.connectInputs()
	var slowest time.Duration
	signals := map[string]int{}
	for i := range count {
		phase := phases[i%len(phases)]
		native := (i+i/len(phases))%2 == 0 // the next time round the other way
		// What a phase says comes at its beginning; few last longer than this.
		after := time.Duration(rand.IntN(600)) * time.Millisecond
		name := fmt.Sprintf("%d, %q and %v, in the container: %v", i+1, phase, after, !native)
		var r *running
		var step *step
		send := func(s syscall.Signal) { m.signal(signalNames[s]) }
		if native {
			r = m.start(c.connect(), "", c.command("deploy")...)
		} else {
			step = c.newStep(inputs)
			r = step.start()
			// docker passes them on, but for the last.
			send = func(s syscall.Signal) { _ = r.cmd.Process.Signal(s) }
		}
		r.until(phase)
		time.Sleep(after)
		res, took, last := r.asRunner(send)
		slowest = max(slowest, took)
		signals[fmt.Sprintf("SIG%s, status %d", signalNames[last], res.Status)]++
		if last != syscall.SIGINT {
			t.Errorf("%s: it took SIG%s", name, signalNames[last])
		}
		if res.Status != 130 && res.Status != 0 { // it may have been done
			t.Errorf("%s: status %d", name, res.Status)
		}
		c.unlocked()
		if native {
			c.clean(m)
		} else {
			if step.alive() {
				t.Errorf("%s: the container lives", name)
			}
			step.clean()
		}
		if t.Failed() {
			if found := leaks(res.Log, c.secrets()); len(found) == 0 || !native {
				t.Logf("%s\n%s", name, withoutMasks(res.Log))
			}
			t.FailNow()
		}
	}
	t.Logf("%d deploys cancelled, %v; the slowest took %v to end", count, signals, slowest.Round(10*time.Millisecond))
}

// In the overlap, while the vault is asked and Kamal loads beside it, a run is
// cancelled at every moment: nothing of it is left, and Kamal has begun nothing that
// it does not end in order. The long run has a hundred moments.
func TestCancelledWhileKamalLoads(t *testing.T) {
	c := newSceneWith(t, 1, 200*time.Millisecond)
	c.project.write(".kamal/hooks/pre-connect", "#!/bin/sh\nsleep 120\n")
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	began := time.Now()
	r := m.start(c.connect(), "", c.command("deploy")...)
	r.until("hooks/pre-connect on")
	usual := time.Since(began) // of which some is docker's
	if res, took, last := r.asRunner(func(s syscall.Signal) { m.signal(signalNames[s]) }); res.Status != 130 {
		t.Fatalf("status %d after %v and SIG%s\n%s", res.Status, took, signalNames[last], res.Log)
	}
	count := longrun.Times(5, 100)
	before := 0
	for i := range count {
		after := time.Duration((float64(i) + rand.Float64()) / float64(count) * float64(usual))
		// A shell becomes kamal-op; what sends the signal is init's child by then.
		script := fmt.Sprintf(`(sleep %.3f && kill -INT $$ &); exec "$@"`, after.Seconds())
		res := m.start(c.connect(), "", append([]string{"sh", "-c", script, "sh"}, c.command("deploy")...)...).wait()
		if res.Status != 130 {
			t.Errorf("status %d, want 130", res.Status)
		}
		if !strings.Contains(res.Log, "hooks/pre-connect on") {
			before++
		}
		c.unlocked()
		c.clean(m)
		if t.Failed() {
			if found := leaks(res.Log, c.secrets()); len(found) == 0 {
				t.Logf("%d, cancelled after %v\n%s", i+1, after, withoutMasks(res.Log))
			}
			t.FailNow()
		}
	}
	t.Logf("%d deploys cancelled within %v, %d of them before Kamal's first hook", count, usual.Round(10*time.Millisecond), before)
	if before < count/2 {
		t.Errorf("most were cancelled after the overlap")
	}
}
