package deploy

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/internal/supervise"
)

// stopGrace is what hooks and local builds have between SIGTERM and SIGKILL when
// a run is cancelled. Kamal, which waits for them, needs the rest of its own time
// (supervise.DefaultGrace) to release the deploy lock.
const stopGrace = time.Second

// stopKamal asks a Kamal that has the preload to end in its own way: the signal
// becomes an error in Kamal's main thread, which Kamal rescues, and releases the
// lock over the connection it has. Before that it would wait for its children, a
// hook or a local build: these are ended. Not so what Kamal's connections go
// through, such as the ssh of a jump host, or there would be none to release the
// lock over. running says which processes those are and which are Kamals: a
// bin/kamal or a hook may have started one.
func stopKamal(ctx context.Context, running func() (kamals, needed []int)) func(context.Context, *supervise.Process) error {
	return func(within context.Context, child *supervise.Process) error {
		kamals, needed := running()
		// They are distinguished before anything is sent: whose parent has ended has
		// another one.
		var all []supervise.Member
		// Who has ended meanwhile, or is another user's, is left to the later stages.
		_ = child.SignalMembers(0, func(m supervise.Member) bool { all = append(all, m); return false })
		var others []int
		wrapped := false
		for _, m := range all {
			if !descends(m, needed, all) {
				others = append(others, m.Pid)
				wrapped = wrapped || slices.Contains(kamals, m.Pid)
			}
		}
		// A bin/kamal that waits for a Kamal of its own ends when that does; a
		// signal would have it leave that one behind.
		var err error
		if slices.Contains(kamals, child.Pid()) || !wrapped {
			err = child.Signal(stopSignal(ctx))
		}
		// That a hook has become another user's is no reason to hasten Kamal.
		_ = child.SignalMembers(syscall.SIGTERM, func(m supervise.Member) bool { return slices.Contains(others, m.Pid) })
		select {
		case <-within.Done():
		case <-time.After(stopGrace):
			// The same holds here.
			_ = child.SignalMembers(syscall.SIGKILL, func(m supervise.Member) bool {
				return slices.Contains(others, m.Pid) && !slices.Contains(kamals, m.Pid)
			})
		}
		return err
	}
}

// stopSignal is the signal that ended the run, where Kamal knows it; the time
// that ran out, or an output that nobody takes, is SIGTERM.
func stopSignal(ctx context.Context) syscall.Signal {
	var got supervise.Signalled
	if errors.As(context.Cause(ctx), &got) && got.Signal == syscall.SIGINT {
		return syscall.SIGINT
	}
	return syscall.SIGTERM
}

// descends reports whether a process is one of pids, or was started by one of them.
func descends(m supervise.Member, pids []int, all []supervise.Member) bool {
	for range all {
		if slices.Contains(pids, m.Pid) {
			return true
		}
		i := slices.IndexFunc(all, func(other supervise.Member) bool { return other.Pid == m.Parent })
		if i < 0 {
			return false
		}
		m = all[i]
	}
	return false
}
