//go:build linux

package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/supervise"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// foreground reports whether our group is that of the terminal on standard input.
func foreground() bool {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return errno == 0 && int(group) == syscall.Getpgrp()
}

// blocking reports whether reads of standard input block, as every program expects.
func blocking() bool {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, 0, syscall.F_GETFL, 0)
	return errno == 0 && flags&syscall.O_NONBLOCK == 0
}

// A desk is a person at a terminal: what they see, and where they type.
type desk struct {
	*page
	keys     *os.File
	terminal *os.File
	modes    term.State // at first
}

// sit opens a terminal of 80 by 24.
func sit(t *testing.T) *desk {
	t.Helper()
	keys, terminal, err := pty.Open()
	if err != nil {
		t.Fatalf("no pty here: %v", err)
	}
	d := &desk{page: newPage(), keys: keys, terminal: terminal}
	if err := pty.Setsize(keys, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	d.modes = d.now(t)
	seen := make(chan struct{})
	go func() { defer close(seen); _, _ = io.Copy(d.page, keys) }()
	t.Cleanup(func() {
		_ = terminal.Close()
		<-seen
		_ = keys.Close()
	})
	return d
}

// now is how the terminal is set at this moment.
func (d *desk) now(t *testing.T) term.State {
	t.Helper()
	modes, err := term.GetState(int(d.terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return *modes
}

// awaitTaken waits until the terminal is no more as it was: nothing tells of it.
func (d *desk) awaitTaken(t *testing.T) {
	t.Helper()
	testkit.WaitFor(t, "our terminal to be taken", func() bool { return d.now(t) != d.modes })
}

func (d *desk) types(t *testing.T, text string) {
	t.Helper()
	if _, err := d.keys.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// restored checks that the terminal is as it was.
func (d *desk) restored(t *testing.T) {
	t.Helper()
	if d.now(t) != d.modes {
		t.Errorf("the terminal was left as %+v, it was %+v", d.now(t), d.modes)
	}
}

// atDesk is a part of the test binary that runs on a desk's terminal.
func atDesk(t *testing.T, d *desk, child string, args ...string) *supervise.Command {
	t.Helper()
	c := self(t, child, args...)
	c.Terminal = d.terminal
	c.Stdout = writeFunc(d.terminal.Write)
	return c
}

func TestTerminal_IsTheChildsOwn(t *testing.T) {
	d := sit(t)
	c := atDesk(t, d, "terminal")
	_, ended := begin2(t, c)
	d.await(t, "tty true true true size 80x24 foreground true blocking true\r\nready\r\n")
	if d.now(t) == d.modes {
		t.Error("our terminal is not raw")
	}
	d.types(t, "a line\r")
	d.await(t, "a line\r\nread: a line\r\n") // echoed once, by the child's terminal
	d.types(t, "exit\r")
	if got, want := ended(), (supervise.Exit{Code: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d.restored(t)
}

// Until ours may be taken it is left alone, with what is typed there, and the child has
// its own meanwhile.
func TestTerminal_IsTakenWhenItMayBe(t *testing.T) {
	d, take := sit(t), make(chan struct{})
	c := atDesk(t, d, "terminal")
	c.Take = take
	_, ended := begin2(t, c)
	d.await(t, "tty true true true size 80x24 foreground true blocking true\r\r\nready")
	if d.now(t) != d.modes {
		t.Error("our terminal is taken")
	}
	d.types(t, "for us\r")
	line := make([]byte, 20)
	if n, err := d.terminal.Read(line); err != nil || string(line[:n]) != "for us\n" {
		t.Errorf("of what is typed we have %q, %v", line[:n], err)
	}
	close(take)
	d.awaitTaken(t)
	d.types(t, "exit\r")
	if got, want := ended(), (supervise.Exit{Code: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d.restored(t)
}

// One that was never taken is as it was, however the run ends.
func TestTerminal_IsNotTaken(t *testing.T) {
	d := sit(t)
	c := atDesk(t, d, "terminal")
	c.Take = make(chan struct{})
	cancel, ended := begin2(t, c)
	d.await(t, "ready")
	cancel(errors.New("the run is over"))
	ended()
	d.restored(t)
}

func TestTerminal_PassesCtrlCAndCtrlDOn(t *testing.T) {
	d := sit(t)
	_, ended := begin2(t, atDesk(t, d, "terminal"))
	d.await(t, "ready")
	d.types(t, "\x04")
	if got, want := ended(), (supervise.Exit{Code: 6}); got != want {
		t.Errorf("after Ctrl-D %+v, want %+v", got, want)
	}
	d = sit(t)
	_, ended = begin2(t, atDesk(t, d, "obeys"))
	d.await(t, "ready")
	d.types(t, "\x03")
	if got, want := ended(), (supervise.Exit{Code: 40 + int(syscall.SIGINT)}); got != want {
		t.Errorf("after Ctrl-C %+v, want %+v", got, want)
	}
	d.restored(t)
}

func TestTerminal_BeginsTheOrderlyStopWithCtrlC(t *testing.T) {
	d := sit(t)
	asked := false
	c := atDesk(t, d, "obeys")
	c.Stop = stopWith(syscall.SIGUSR1, &asked)
	_, ended := begin2(t, c)
	d.await(t, "ready")
	d.types(t, "abc\x03")
	if got, want := ended(), (supervise.Exit{Code: 40 + int(syscall.SIGUSR1), Stage: supervise.Asked, Typed: true}); got != want || !asked {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d.restored(t)
}

func TestTerminal_HastensTheStopWithFurtherCtrlC(t *testing.T) {
	d := sit(t)
	c := atDesk(t, d, "stubborn")
	c.Grace, c.TermGrace = time.Hour, time.Hour
	c.Stop = func(context.Context, *supervise.Process) error { return nil }
	_, ended := begin2(t, c)
	d.await(t, "ready")
	d.types(t, "\x03\x03")
	d.types(t, "\x03")
	if got := ended(); got.Stage != supervise.Killed {
		t.Errorf("got %+v", got)
	}
}

func TestTerminal_LeavesCtrlCToAChildThatReadsKeys(t *testing.T) {
	d := sit(t)
	asked := false
	c := atDesk(t, d, "raw")
	c.Stop = stopWith(syscall.SIGUSR1, &asked)
	_, ended := begin2(t, c)
	d.await(t, "ready")
	d.types(t, "\x03")
	d.await(t, "[3]")
	d.types(t, "q")
	if got, want := ended(), (supervise.Exit{Code: 8}); got != want || asked {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTerminal_CannotBeStoppedForEver(t *testing.T) {
	d := sit(t)
	_, ended := begin2(t, atDesk(t, d, "terminal"))
	d.await(t, "ready")
	// Nobody could wake a child that Ctrl-Z stopped: it goes on.
	d.types(t, "\x1aexit\r")
	if got, want := ended(), (supervise.Exit{Code: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTerminal_FollowsItsSize(t *testing.T) {
	d := sit(t)
	_, ended := begin2(t, atDesk(t, d, "terminal"))
	d.await(t, "ready")
	if err := pty.Setsize(d.keys, &pty.Winsize{Cols: 132, Rows: 43}); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGWINCH) // as it is not our controlling terminal here
	d.await(t, "resized 132x43")
	d.types(t, "exit\r")
	ended()
}

func TestTerminal_IsRestoredHoweverTheRunEnds(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		d := sit(t)
		c := atDesk(t, d, "stubborn")
		c.Grace, c.TermGrace = 20*time.Millisecond, 20*time.Millisecond
		cancel, ended := begin2(t, c)
		d.await(t, "ready")
		cancel(supervise.Signalled{Signal: syscall.SIGINT})
		if got := ended(); got.Stage != supervise.Killed {
			t.Errorf("got %+v", got)
		}
		d.restored(t)
	})
	t.Run("not started", func(t *testing.T) {
		d := sit(t)
		c := atDesk(t, d, "terminal")
		c.Path = file(t, "bare", "", 0o755)
		if _, err := c.Run(t.Context()); !errors.Is(err, environ.ErrNotExecutable) {
			t.Errorf("got %v", err)
		}
		d.restored(t)
	})
	t.Run("refused", func(t *testing.T) {
		d := sit(t)
		c := atDesk(t, d, "terminal")
		c.Stdout = &refusing{err: syscall.EPIPE}
		exit, err := c.Run(t.Context())
		// It is hung up, and may see the end of its input just before.
		if !errors.Is(err, syscall.EPIPE) || exit.Signal != syscall.SIGHUP && exit.Code != 6 {
			t.Errorf("got %+v, %v", exit, err)
		}
		d.restored(t)
	})
}

func TestTerminal_LeavesTheNextKeyToWhoeverComesNext(t *testing.T) {
	d := sit(t)
	_, ended := begin2(t, atDesk(t, d, "terminal"))
	d.await(t, "ready")
	d.types(t, "exit\r")
	ended()
	d.types(t, "k\r")
	got := make([]byte, 8)
	n, err := d.terminal.Read(got)
	if err != nil || string(got[:n]) != "k\n" {
		t.Errorf("got %q, %v", got[:n], err)
	}
}

func TestTerminal_KeepsARedirectedStreamApart(t *testing.T) {
	for _, test := range []struct {
		out, err bool
		tty      string
	}{
		{true, false, "tty true false true"},
		{false, true, "tty true true false"},
		{true, true, "tty true false false"},
	} {
		d := sit(t)
		c := atDesk(t, d, "terminal")
		screen := c.Stdout
		out, errs := newPage(), newPage()
		c.Stdout, c.Stderr, c.Screen = out, errs, screen
		c.StdoutApart, c.StderrApart = test.out, test.err
		_, ended := begin2(t, c)
		where := func(apart bool, w *page) *page {
			if apart {
				return w
			}
			return d.page
		}
		where(test.err, errs).await(t, test.tty)
		where(test.out, out).await(t, "ready")
		d.types(t, "exit\r")
		where(test.out, out).await(t, "read: exit")
		d.await(t, "exit\r\n") // its echo
		ended()
		if !test.out && out.String() != "" || !test.err && errs.String() != "" {
			t.Errorf("%+v: got %q and %q", test, out, errs)
		}
	}
}

func TestTerminal_EndsWithTheInputOfAClosedOne(t *testing.T) {
	keys, terminal, err := pty.Open()
	if err != nil {
		t.Fatalf("no pty here: %v", err)
	}
	defer terminal.Close()
	out := newPage()
	c := self(t, "terminal")
	c.Terminal, c.Stdout = terminal, out
	_, ended := begin2(t, c)
	out.await(t, "ready")
	_ = keys.Close()
	if got, want := ended(), (supervise.Exit{Code: 6}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTerminal_MustBeOne(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	c := shell("exit 0")
	c.Terminal = null
	if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "/dev/null is no terminal") {
		t.Errorf("got %v", err)
	}
}

// A supervisor that is stopped, from outside, leaves the terminal to whoever
// has it then, and takes it back when it goes on.
func TestTerminal_IsHandedBackWhileWeAreStopped(t *testing.T) {
	d := sit(t)
	cmd := rawSelf(t, "supervisor", "terminal", "terminal")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = d.terminal, d.terminal, d.terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.await(t, "ready")
	if d.now(t) == d.modes {
		t.Fatal("our terminal is not raw")
	}
	_ = cmd.Process.Signal(syscall.SIGTSTP)
	awaitState(t, cmd.Process.Pid, 'T')
	d.restored(t)
	_ = cmd.Process.Signal(syscall.SIGCONT)
	d.awaitTaken(t)
	d.types(t, "exit\r")
	d.await(t, "exit status 5, unstopped, <nil>")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	d.restored(t)
}

// awaitState waits for a process's state as /proc has it.
func awaitState(t *testing.T, pid int, state byte) {
	t.Helper()
	testkit.WaitFor(t, fmt.Sprintf("process %d to come to state %c", pid, state), func() bool {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && line[bytes.LastIndexByte(line, ')')+2] == state
	})
}

// begin2 is begin for a command that has its output somewhere already.
func begin2(t *testing.T, c *supervise.Command) (context.CancelCauseFunc, func() supervise.Exit) {
	t.Helper()
	return begin(t, c, "")
}
