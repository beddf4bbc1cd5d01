package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// timeFlags say how long a run may take.
type timeFlags struct {
	Timeout time.Duration `name:"timeout" placeholder:"DURATION" help:"Time that the whole run may take, such as 15m. Then it is ended as a cancelled one is, its lock released, with status 5 (default no limit)." file:"yes"`
}

// Validate is called by kong.
func (f timeFlags) Validate() error {
	if f.Timeout < 0 {
		return fmt.Errorf("--timeout %s: no run takes less than no time", f.Timeout)
	}
	return nil
}

// context is the context of a run: it ends with a signal, or when its time has
// run out. Further signals come on the channel; stop must be called.
func (f timeFlags) context(a *app) (ctx context.Context, signals <-chan os.Signal, stop func()) {
	ctx, signals, end := supervise.Notify(context.Background())
	limited, cancel := ctx, func() {}
	if f.Timeout > 0 {
		limited, cancel = context.WithTimeoutCause(ctx, f.Timeout, deploy.OutOfTime{Limit: f.Timeout})
	}
	unhook := context.AfterFunc(limited, a.cancel)
	a.cause = func() error { return context.Cause(limited) }
	// A write to a standard stream that nobody reads would end this process by
	// SIGPIPE, with the run's directory and Kamal's lock left behind. It is an
	// error like any other. (Not ignored: that the children would inherit.)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return limited, signals, func() {
		unhook() // the end of a run is no reason to be impatient with what comes after
		signal.Stop(broken)
		cancel()
		end()
	}
}
