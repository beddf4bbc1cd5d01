//go:build linux

package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/supervise"
)

// begin runs a command until its output shows a text, and gives what ends its
// context and what it ended with.
func begin(t *testing.T, c *supervise.Command, ready string) (cancel context.CancelCauseFunc, ended func() supervise.Exit) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	out := newPage()
	if c.Stdout == nil {
		c.Stdout = out
	}
	result := make(chan supervise.Exit, 1)
	failed := make(chan error, 1)
	go func() {
		exit, err := c.Run(ctx)
		failed <- err
		result <- exit
	}()
	out.await(t, ready)
	return cancel, func() supervise.Exit {
		t.Helper()
		select {
		case err := <-failed:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("it hangs")
		}
		return <-result
	}
}

// stopWith is a Stop function that sends the child a signal.
func stopWith(sig syscall.Signal, called *bool) func(context.Context, *supervise.Process) error {
	return func(_ context.Context, child *supervise.Process) error {
		*called = true
		return child.Signal(sig)
	}
}

func TestRun_PassesOnTheSignalThatEndedTheContext(t *testing.T) {
	for _, test := range []struct {
		cause error
		want  syscall.Signal
	}{
		{supervise.Signalled{Signal: syscall.SIGINT}, syscall.SIGINT},
		{fmt.Errorf("the run was cancelled: %w", supervise.Signalled{Signal: syscall.SIGHUP}), syscall.SIGHUP},
		{supervise.Signalled{Signal: syscall.SIGTERM}, syscall.SIGTERM},
		{errors.New("time ran out"), syscall.SIGTERM},
	} {
		cancel, ended := begin(t, self(t, "obeys"), "ready")
		cancel(test.cause)
		if got, want := ended(), (supervise.Exit{Code: 40 + int(test.want), Stage: supervise.Asked}); got != want {
			t.Errorf("after %q: %+v, want %+v", test.cause, got, want)
		}
	}
}

func TestRun_KillsWhatDoesNotComeDown(t *testing.T) {
	c := self(t, "stubborn")
	c.Grace, c.TermGrace = 60*time.Millisecond, 30*time.Millisecond
	cancel, ended := begin(t, c, "ready")
	begun := time.Now()
	cancel(supervise.Signalled{Signal: syscall.SIGINT})
	got := ended()
	if want := (supervise.Exit{Code: -1, Signal: syscall.SIGKILL, Stage: supervise.Killed}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if took := time.Since(begun); took < 90*time.Millisecond {
		t.Errorf("it was killed after %v", took)
	}
}

func TestRun_TerminatesWhatDoesNotHeedTheFirstSignal(t *testing.T) {
	c := shell("trap '' INT; trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done")
	c.Grace = 30 * time.Millisecond
	cancel, ended := begin(t, c, "ready")
	cancel(supervise.Signalled{Signal: syscall.SIGINT})
	if got, want := ended(), (supervise.Exit{Code: 9, Stage: supervise.Terminated}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRun_WakesAStoppedChildForItsEnd(t *testing.T) {
	c := shell("trap 'exit 9' TERM; echo ready; kill -STOP $$; while :; do sleep 0.01; done")
	var pid int
	c.Started = func(child *supervise.Process) { pid = child.Pid() }
	cancel, ended := begin(t, c, "ready")
	awaitState(t, pid, 'T')
	cancel(nil)
	if got, want := ended(), (supervise.Exit{Code: 9, Stage: supervise.Asked}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRun_AsksByStopAndSendsNoSignalMeanwhile(t *testing.T) {
	asked := false
	c := self(t, "obeys")
	c.Stop = stopWith(syscall.SIGUSR1, &asked)
	cancel, ended := begin(t, c, "ready")
	cancel(supervise.Signalled{Signal: syscall.SIGINT})
	if got, want := ended(), (supervise.Exit{Code: 40 + int(syscall.SIGUSR1), Stage: supervise.Asked}); got != want || !asked {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRun_GoesOnAtOnceWhereStopFails(t *testing.T) {
	c := self(t, "obeys")
	c.Grace = time.Hour
	c.Stop = func(context.Context, *supervise.Process) error { return errors.New("nobody answers") }
	cancel, ended := begin(t, c, "ready")
	cancel(supervise.Signalled{Signal: syscall.SIGINT})
	if got, want := ended(), (supervise.Exit{Code: 40 + int(syscall.SIGTERM), Stage: supervise.Terminated}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRun_EndsTheContextOfStopWithGrace(t *testing.T) {
	var over error
	c := self(t, "obeys")
	c.Grace = 50 * time.Millisecond
	c.Stop = func(ctx context.Context, _ *supervise.Process) error {
		<-ctx.Done()
		over = ctx.Err()
		return nil
	}
	cancel, ended := begin(t, c, "ready")
	cancel(nil)
	if got, want := ended(), (supervise.Exit{Code: 40 + int(syscall.SIGTERM), Stage: supervise.Terminated}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if over != context.DeadlineExceeded {
		t.Errorf("the context ended with %v", over)
	}
}

func TestRun_DoesNotHangOnAStopThatDoes(t *testing.T) {
	free := make(chan struct{})
	defer close(free)
	c := self(t, "obeys")
	c.Grace, c.WaitDelay = 10*time.Millisecond, 10*time.Millisecond
	c.Stop = func(context.Context, *supervise.Process) error { <-free; return nil }
	cancel, ended := begin(t, c, "ready")
	cancel(nil)
	if got := ended(); got.Stage != supervise.Terminated {
		t.Errorf("got %+v", got)
	}
}

func TestRun_LetsStopEndWhatTheChildWaitsForAndSpareTheRest(t *testing.T) {
	// A child that waits for a hook, and needs another process to clean up.
	dir := t.TempDir()
	if err := copyFile("/bin/sleep", filepath.Join(dir, "hook")); err != nil {
		t.Fatal(err)
	}
	c := shell(`trap 'asked=1' USR1
		sleep 60 & needed=$!
		` + dir + `/hook 60 & hook=$!
		while ! grep -q hook /proc/$hook/comm; do :; done
		echo ready
		wait $hook; wait $hook
		kill -0 $needed && exit 7`)
	c.Stop = func(_ context.Context, child *supervise.Process) error {
		if err := child.Signal(syscall.SIGUSR1); err != nil {
			return err
		}
		return child.SignalMembers(syscall.SIGTERM, func(m supervise.Member) bool {
			return m.Name == "hook" && m.Parent == child.Pid()
		})
	}
	cancel, ended := begin(t, c, "ready")
	cancel(supervise.Signalled{Signal: syscall.SIGINT})
	if got, want := ended(), (supervise.Exit{Code: 7, Stage: supervise.Asked}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRun_HastensWithEverySignal(t *testing.T) {
	signals := make(chan os.Signal)
	c := self(t, "stubborn")
	c.Grace, c.TermGrace, c.Signals = time.Hour, time.Hour, signals
	_, ended := begin(t, c, "ready")
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGINT, syscall.SIGTERM} {
		signals <- sig
	}
	if got, want := ended(), (supervise.Exit{Code: -1, Signal: syscall.SIGKILL, Stage: supervise.Killed}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A cancel behind a signal, as where a run's time is over while it is being stopped, asks
// for nothing that has not been asked for.
func TestRun_AsksOnceWhereACancelFollowsASignal(t *testing.T) {
	for name, byStop := range map[string]bool{"by a signal": false, "by Stop": true} {
		signals, free := make(chan os.Signal), make(chan struct{})
		var asked atomic.Int32
		c := shell("trap '' INT; trap 'exit 9' TERM; trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done")
		c.Grace, c.TermGrace, c.Signals = time.Hour, time.Hour, signals
		if byStop {
			c.Stop = func(context.Context, *supervise.Process) error {
				asked.Add(1)
				<-free
				return nil
			}
		}
		cancel, ended := begin(t, c, "ready")
		signals <- syscall.SIGINT
		cancel(errors.New("time ran out"))
		for range 64 { // nobody can look whether the cancel has been taken: one of so many is behind it
			signals <- syscall.SIGWINCH
		}
		close(free)
		signals <- syscall.SIGUSR1
		if got, want := ended(), (supervise.Exit{Code: 7, Stage: supervise.Asked}); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		if n := asked.Load(); byStop && n != 1 {
			t.Errorf("Stop was called %d times", n)
		}
	}
}

func TestRun_PassesOtherSignalsOn(t *testing.T) {
	signals := make(chan os.Signal, 1)
	c := self(t, "obeys")
	c.Signals = signals
	_, ended := begin(t, c, "ready")
	signals <- syscall.SIGUSR1
	close(signals)
	if got, want := ended(), (supervise.Exit{Code: 40 + int(syscall.SIGUSR1)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestProcess_DoesNothingAfterTheEnd(t *testing.T) {
	var child *supervise.Process
	c := shell("exit 0")
	c.Started = func(p *supervise.Process) { child = p }
	run(t, c)
	for _, err := range []error{child.Signal(0), child.SignalGroup(0), child.SignalMembers(0, func(supervise.Member) bool { return true })} {
		if err == nil {
			t.Error("a signal was sent to a pid that may be somebody else's")
		}
	}
}

func TestNotify_EndsTheContextAndBringsTheRest(t *testing.T) {
	ctx, later, release := supervise.Notify(t.Context())
	defer release()
	for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGINT} {
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	<-ctx.Done()
	var got supervise.Signalled
	if !errors.As(context.Cause(ctx), &got) || got.Signal != syscall.SIGINT || got.Status() != 130 {
		t.Errorf("the cause is %v", context.Cause(ctx))
	}
	if sig := <-later; sig != syscall.SIGUSR1 {
		t.Errorf("got %v", sig)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if sig := <-later; sig != syscall.SIGTERM {
		t.Errorf("got %v", sig)
	}
}

// Each signal that means an end is one where no child runs that would get it.
func TestNotify_KnowsEverySignalThatMeansAnEnd(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		ctx, _, release := supervise.Notify(t.Context())
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		var got supervise.Signalled
		if !errors.As(context.Cause(ctx), &got) || got.Signal != sig {
			t.Errorf("after %v the cause is %v", sig, context.Cause(ctx))
		}
		release()
	}
}

// A harness that plays the runner: SIGINT, after 7.5 s SIGTERM, after 2.5 s
// SIGKILL. With the default times even a child that heeds nothing is gone well
// before the second signal. The best of three counts: the machine may be busy, and
// what takes longer takes longer each time.
func TestRun_IsOverBeforeTheRunnersSecondSignal(t *testing.T) {
	for _, child := range []string{"obeys", "stubborn"} {
		t.Run(child, func(t *testing.T) {
			t.Parallel()
			for tries := 1; ; tries++ {
				took, err := playRunner(t, child)
				if err == nil && took <= 6*time.Second {
					break
				}
				if tries == 3 {
					t.Fatalf("ended after %v: %v", took, err)
				}
			}
		})
	}
}

// playRunner cancels a child's supervisor as a runner does, and says how long it took to
// end, and how it ended.
func playRunner(t *testing.T, child string) (time.Duration, error) {
	t.Helper()
	cmd := rawSelf(t, "supervisor", "plain", child)
	out := newPage()
	cmd.Stdout = out
	var told bytes.Buffer
	cmd.Stderr = &told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.await(t, "ready")
	begun := time.Now()
	_ = cmd.Process.Signal(syscall.SIGINT)
	term := time.AfterFunc(7500*time.Millisecond, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer term.Stop()
	kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	took := time.Since(begun)
	t.Logf("%s: %.2f s, %s", child, took.Seconds(), told.String())
	return took, err
}

// superviseRaw runs a part of the test binary under Run with signals, as a
// program does, and tells on standard error how it ended.
func superviseRaw(args []string) int {
	ctx, later, release := supervise.Notify(context.Background())
	defer release()
	path, err := os.Executable()
	if err != nil {
		return 99
	}
	c := &supervise.Command{
		Path: path, Args: args[2:], Env: []string{"SUPERVISE_CHILD=" + args[1], "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"},
		Signals: later, Stdout: writeFunc(os.Stdout.Write),
	}
	c.Stderr = c.Stdout
	if args[0] == "terminal" {
		c.Terminal = os.Stdin
	}
	if args[0] == "pid" {
		c.Started = func(child *supervise.Process) { fmt.Println("child", child.Pid()) }
	}
	exit, err := c.Run(ctx)
	fmt.Fprintf(os.Stderr, "%v, %v, %v\n", exit, exit.Stage, err)
	return 0
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o755)
}
