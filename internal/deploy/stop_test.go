//go:build linux

package deploy

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A record is output that can be looked at while it comes.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// stopScript runs a shell script as Kamal, stops it with a signal when it has
// said that it is ready, and gives what it said and how it ended. The script says
// which of its processes are Kamals, and which are needed: "kamal PID".
func stopScript(t *testing.T, sig syscall.Signal, script string) (string, supervise.Exit) {
	t.Helper()
	out := &record{}
	said := func(what string) (pids []int) {
		for line := range strings.Lines(out.String()) {
			var pid int
			if _, err := fmt.Sscanf(line, what+" %d", &pid); err == nil {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	c := supervise.Command{
		Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}, Stdout: out, Stderr: out,
		Grace: time.Minute, // a busy machine takes long to heed a signal
		Stop:  stopKamal(ctx, func() (kamals, needed []int) { return said("kamal"), said("needed") }),
	}
	go func() {
		for !strings.Contains(out.String(), "ready\n") && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		cancel(supervise.Signalled{Signal: sig})
	}()
	exit, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), exit
}

// Kamal has its own signal, a hook that heeds none is ended, and the jump host's
// ssh lives until Kamal has released its lock through it.
func TestStopKamal_EndsWhatKamalWaitsForAndSparesItsConnections(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			out, exit := stopScript(t, sig, `
echo kamal $$
sh -c 'sh -c "while :; do sleep 0.01; done"; :' & ssh=$!
echo needed $ssh
sh -c 'trap "" INT TERM; while :; do sleep 0.01; done' & hook=$!
trap 'wait $hook; kill -0 $ssh && pgrep -P $ssh >/dev/null && echo released after INT; exit 1' INT
trap 'wait $hook; kill -0 $ssh && pgrep -P $ssh >/dev/null && echo released after TERM; exit 1' TERM
while ! pgrep -P $ssh >/dev/null || ! pgrep -P $hook >/dev/null; do sleep 0.01; done
echo ready
while :; do sleep 0.01; done`)
			want := map[syscall.Signal]string{syscall.SIGINT: "released after INT\n", syscall.SIGTERM: "released after TERM\n"}[sig]
			if !strings.HasSuffix(out, want) || exit != (supervise.Exit{Code: 1, Stage: supervise.Asked}) {
				t.Errorf("%+v\n%s", exit, out)
			}
		})
	}
}

// A bin/kamal that waits for a Kamal of its own is left to that; and a nested
// Kamal has all the time that Kamal has.
func TestStopKamal_GivesAKamalThatIsNotTheChildItsTime(t *testing.T) {
	out, exit := stopScript(t, syscall.SIGINT, `
sh -c 'trap "sleep 1.3; echo released; exit 1" TERM; echo kamal $$; echo ready; while :; do sleep 0.01; done'
status=$?
echo the wrapper ends
exit $status`)
	if !strings.HasSuffix(out, "released\nthe wrapper ends\n") || exit != (supervise.Exit{Code: 1, Stage: supervise.Asked}) {
		t.Errorf("%+v\n%s", exit, out)
	}
}
