package supervise

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Notify turns the first signal that means an end (SIGINT, SIGTERM, SIGHUP,
// SIGQUIT) into the end of the returned context, with Signalled as its cause. Every
// later one, and what else a wrapper passes on (SIGUSR1, SIGUSR2), comes on the
// channel, which is meant for Command.Signals. The function given
// back restores the default behaviour; it must be called.
func Notify(parent context.Context) (context.Context, <-chan os.Signal, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	in := make(chan os.Signal, 16)
	out := make(chan os.Signal, 16)
	done := make(chan struct{})
	signal.Notify(in, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		defer close(done)
		for sig := range in {
			s := sig.(syscall.Signal)
			if ends(s) && ctx.Err() == nil {
				cancel(Signalled{s})
				continue
			}
			select {
			case out <- sig:
			default: // nobody runs a child that it could be passed on to
			}
		}
	}()
	return ctx, out, func() {
		signal.Stop(in)
		close(in)
		<-done
		cancel(nil)
	}
}

// ends reports whether a signal means that the run is to end.
func ends(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT:
		return true
	}
	return false
}
