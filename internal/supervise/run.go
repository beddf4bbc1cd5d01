package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// Run starts the child and returns when it has ended, everything that it left
// in its session (and, where a Reaper is at work, outside of it) is gone and its
// output has been passed on.
//
// The Exit is the child's own, also after a stop: that the context ended is no
// error of Run (Exit.Stage says what it took, context.Cause why). The error is
// a *StartError where the child could not be started; the context's cause where
// that had ended before; an *OutputError where a writer refused output. With an
// *OutputError the Exit counts.
//
// A writer that refuses output ends the child as a closed pipe does, by
// SIGPIPE, unless there is a Stop function: then the run is stopped in that
// order, and what it still prints is discarded.
func (c *Command) Run(ctx context.Context) (Exit, error) {
	if ctx.Err() != nil {
		return Exit{}, context.Cause(ctx)
	}
	path, err := environ.List(c.Env).LookPath(c.Path, c.Dir)
	if err != nil {
		name := c.Path
		if name == "" {
			name = `""`
		}
		return Exit{}, &StartError{Path: name, Err: err}
	}
	if err := c.checkDir(); err != nil {
		return Exit{}, err
	}
	s, err := c.open()
	if err != nil {
		return Exit{}, err
	}
	defer s.close()

	child, err := c.start(path, s)
	if err != nil {
		return Exit{}, err
	}
	if c.Started != nil {
		c.Started(child.process)
	}
	s.copy(c.Stop == nil)

	stage, typed := c.watch(ctx, child, s)
	leftovers := orDefault(c.leftoverGrace, defaultLeftoverGrace)
	child.clear(stage, leftovers)
	// Before the output's end is waited for: a daemon may hold it open.
	c.Reaper.End(leftovers)
	exit, err := child.wait()
	exit.Stage, exit.Typed = stage, typed
	return exit, errors.Join(err, s.finish(orDefault(c.WaitDelay, defaultWaitDelay)))
}

// checkDir tells a missing working directory from a missing program, which the
// system reports alike.
func (c *Command) checkDir() error {
	if c.Dir == "" {
		return nil
	}
	info, err := os.Stat(c.Dir)
	if err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("working directory: %w", &fs.PathError{Op: "chdir", Path: c.Dir, Err: syscall.ENOTDIR})
	}
	return nil
}

// A child is a started process until it has been waited for.
type child struct {
	cmd     *exec.Cmd
	process *Process
	reaper  *Reaper
	exited  chan struct{} // closed when it has ended; it is then a zombie that holds its pid
	waited  chan struct{} // closed when it has been waited for
}

// start starts the program with the streams.
//
// On Linux the child gets a signal when the thread that started it dies. That
// is meant for our own end by SIGKILL, but a thread of the Go runtime may also
// end for reasons of its own (golang/go#27505), so one thread starts the child
// and stays until it has been waited for.
func (c *Command) start(path string, s *streams) (*child, error) {
	cmd := &exec.Cmd{
		Path: path, Args: append([]string{c.Path}, c.Args...),
		Env: append([]string{}, c.Env...), // not nil: that would be ours
		Dir: c.Dir, SysProcAttr: attributes(),
	}
	s.give(cmd)
	k := &child{cmd: cmd, reaper: c.Reaper, exited: make(chan struct{}), waited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := c.Reaper.start(cmd.Start, func() int { return cmd.Process.Pid }); err != nil {
			started <- err
			return
		}
		started <- nil
		awaitExit(cmd.Process.Pid)
		close(k.exited)
		<-k.waited
	}()
	if err := <-started; err != nil {
		return nil, startError(c.Path, err)
	}
	s.given()
	k.process = &Process{pid: cmd.Process.Pid}
	return k, nil
}

// startError says what the system's errors mean for a program that LookPath
// has found.
func startError(path string, err error) error {
	switch {
	case errors.Is(err, syscall.EACCES):
		err = fmt.Errorf("%w: permission denied", environ.ErrNotExecutable)
	case errors.Is(err, syscall.ENOENT):
		err = fmt.Errorf("%w: the program in its #! line, or its loader, is missing", environ.ErrNotExecutable)
	case errors.Is(err, syscall.ENOEXEC):
		err = fmt.Errorf("%w: it is no program for this machine and has no #! line", environ.ErrNotExecutable)
	case errors.Is(err, syscall.E2BIG):
		err = errors.New("its arguments and environment are larger than the system allows")
	default:
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
	}
	return &StartError{Path: path, Err: err}
}

// watch returns when the child has ended, and stops it when that is asked for.
func (c *Command) watch(ctx context.Context, k *child, s *streams) (stage Stage, typed bool) {
	end := stopSequence{command: c, child: k}
	defer end.release()
	// What a signal, sent to us or typed, means for the child.
	got := func(sig os.Signal) {
		n, _ := sig.(syscall.Signal)
		switch {
		case !ends(n):
			k.process.signalGroup(n)
		case end.stage == Unstopped:
			end.begin(ctx, Signalled{n})
		default:
			end.next()
		}
	}
	done, signals := ctx.Done(), c.Signals
	for {
		select {
		case <-k.exited:
			return end.stage, typed
		case <-done:
			done = nil
			end.begin(ctx, context.Cause(ctx))
		case <-s.broken:
			end.begin(ctx, nil)
		case sig, open := <-signals:
			if !open {
				signals = nil
				break
			}
			got(sig)
		case sig := <-s.interrupts:
			typed = typed || end.stage == Unstopped
			got(sig)
		case err := <-end.asked:
			end.asked = nil
			if err != nil && end.stage == Asked {
				end.next()
			}
		case <-end.timer:
			end.next()
		}
	}
}

// clear ends what the child left in its session: first politely, unless that
// has been tried, then not.
func (k *child) clear(stage Stage, grace time.Duration) {
	if stage < Terminated && k.process.signalLeftovers(syscall.SIGTERM) > 0 {
		k.process.awaitLeftovers(grace)
	}
	k.process.kill()
}

// wait takes the child's exit status. It was a zombie until now, so that its
// pid, which is the name of its group and session too, could be nobody else's.
func (k *child) wait() (Exit, error) {
	defer close(k.waited)
	err := k.cmd.Wait()
	k.process.gone()
	k.reaper.forget(k.process.pid)
	if k.cmd.ProcessState == nil {
		return Exit{Code: -1}, fmt.Errorf("taking the exit status of %s: %w", k.cmd.Args[0], err)
	}
	status := k.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return Exit{Code: -1, Signal: status.Signal()}, nil
	}
	return Exit{Code: status.ExitStatus()}, nil
}

// orDefault is a duration, or another where it is 0.
func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
