package supervise

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
)

// Run starts the child and returns when it has ended, everything that it left
// in its session is gone and its output has been passed on.
//
// The Exit is the child's own, also after a stop: that the context ended is no
// error of Run (Exit.Stage says what it took, context.Cause why). The error is
// a *StartError where the child could not be started; the context's cause where
// it had ended before; an *OutputError where a writer refused output. With an
// *OutputError the Exit counts.
func (c *Command) Run(ctx context.Context) (Exit, error) {
	if ctx.Err() != nil {
		return Exit{}, context.Cause(ctx)
	}
	path, err := LookPath(c.Path, c.Env, c.Dir)
	if err != nil {
		return Exit{}, err
	}
	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Env = append([]string{}, c.Env...)
	cmd.Dir = c.Dir
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	cmd.Stdout, cmd.Stderr = c.Stdout, c.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = DefaultWaitDelay
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	err = cmd.Run()
	var status *exec.ExitError
	if cmd.ProcessState == nil {
		return Exit{}, err
	}
	if err != nil && !errors.As(err, &status) {
		return Exit{}, err
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return Exit{Code: -1, Signal: ws.Signal()}, nil
	}
	return Exit{Code: ws.ExitStatus()}, nil
}
