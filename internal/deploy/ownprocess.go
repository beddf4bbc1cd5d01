package deploy

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/sshagent/peer"
)

// OwnProcess names this process, so that no later one with its number is taken for
// it. It is "" in a container of our own, whose only process we are, and where the
// system does not say when a process began.
func OwnProcess() string {
	pid := os.Getpid()
	start, ok := peer.Began(pid)
	if pid == 1 || !ok {
		return ""
	}
	return fmt.Sprintf("%d %d", pid, start)
}

// EndProcess ends the process of this name as a signal would, and returns when it has
// ended: first SIGTERM, and after the time that an orderly stop takes SIGKILL. It
// tells whether the process was alive.
func EndProcess(ctx context.Context, name string) (alive bool, err error) {
	return endProcess(ctx, name, containerGrace)
}

func endProcess(ctx context.Context, name string, grace time.Duration) (alive bool, err error) {
	var (
		pid   int
		start uint64
	)
	if n, _ := fmt.Sscanf(name, "%d %d", &pid, &start); n != 2 || pid <= 1 || pid == os.Getpid() || name != fmt.Sprintf("%d %d", pid, start) {
		return false, fmt.Errorf("%q is no process", name)
	}
	lives := func() bool {
		now, ok := peer.Began(pid)
		return ok && now == start
	}
	if !lives() {
		return false, nil
	}
	for _, attempt := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, 5 * time.Second}} {
		if err := syscall.Kill(pid, attempt.signal); err != nil && lives() {
			return true, fmt.Errorf("ending process %d: %w", pid, err)
		}
		if await(ctx, attempt.wait, func() bool { return !lives() }) {
			return true, nil
		}
	}
	return true, fmt.Errorf("process %d does not end", pid)
}

// await looks again and again whether something holds, for so long.
func await(ctx context.Context, limit time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return holds()
		case <-tick.C:
		}
	}
	return true
}
