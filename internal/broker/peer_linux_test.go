package broker_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kamal-op/kamal-op/internal/broker"
)

// orphan runs `op` in a process whose parent has ended, and gives what it said.
func (r *run) orphan(args ...string) string {
	r.t.Helper()
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	// The one in the background waits on descriptor 3 until its parent is gone.
	cmd := exec.Command("sh", "-c", `(sh -c 'echo $$; read go <&3; op "$@"; echo "status $?"' "$@" &)`, "sh")
	cmd.Args = append(append(cmd.Args, "sh"), args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = r.env, r.project, outWrite, outWrite, []*os.File{inRead}
	if err := cmd.Run(); err != nil {
		r.t.Fatal(err)
	}
	_, _ = outWrite.Close(), inRead.Close()
	if _, err := inWrite.WriteString("go\n"); err != nil {
		r.t.Fatal(err)
	}
	_ = inWrite.Close()
	said := bufio.NewReader(outRead)
	first, err := said.ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	rest, err := io.ReadAll(said)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = outRead.Close()
	if pid, err := strconv.Atoi(strings.TrimSpace(first)); err == nil {
		_, _ = unix.Wait4(pid, nil, 0, nil) // where it has become our child
	}
	return string(rest)
}

func TestBroker_ServesTheRunsProcessesOnly(t *testing.T) {
	read := []string{"read", "op://MyApp/Production/RAILS_MASTER_KEY"}
	t.Run("a process of the same user", func(t *testing.T) {
		r := minimalRun(t)
		said := r.orphan(read...)
		if strings.Contains(said, "master-value") || !strings.Contains(said, "does not serve the connection") || !strings.Contains(said, "status 1") {
			t.Errorf("it is told %q", said)
		}
		if !r.told(broker.Warning, "--allow-any-peer") {
			t.Error("a stranger at the socket is not told of")
		}
		if again := r.orphan(read...); strings.Contains(again, "master-value") || len(r.events) != 1 {
			t.Errorf("the second is told %q, and there are %d events", again, len(r.events))
		}
	})
	t.Run("with --allow-any-peer", func(t *testing.T) {
		r := minimalRun(t, func(o *broker.Options) { o.AnyPeer = true })
		if said := r.orphan(read...); said != "master-value\nstatus 0\n" {
			t.Errorf("it is told %q", said)
		}
	})
	t.Run("an orphan of ours, where orphans come to us", func(t *testing.T) {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }()
		r := minimalRun(t)
		if said := r.orphan(read...); said != "master-value\nstatus 0\n" {
			t.Errorf("it is told %q", said)
		}
	})
}
