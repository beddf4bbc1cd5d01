package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// timeFlags say how long a run may take.
type timeFlags struct {
	Timeout time.Duration `name:"timeout" placeholder:"DURATION" help:"Time that the whole run may take, such as 15m. Then it is ended as a cancelled one is, its lock released, with status 5 (default no limit)."`
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
func (f timeFlags) context() (ctx context.Context, signals <-chan os.Signal, stop func()) {
	ctx, signals, end := supervise.Notify(context.Background())
	if f.Timeout == 0 {
		return ctx, signals, end
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.Timeout, deploy.OutOfTime{Limit: f.Timeout})
	return ctx, signals, func() {
		cancel()
		end()
	}
}
