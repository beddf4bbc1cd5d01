package onepassword

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// The SDK's core is a WebAssembly module that every process compiles for itself:
// two to three seconds of CPU time. The SDK keeps it in a variable of its package
// and sets that without a lock, so that it must be loaded once, by one goroutine,
// before anything else calls the SDK; this is the one place that does, and the
// reason for the one variable of this package.
var core = &coreLoader{done: make(chan struct{}), keep: &coreKeep{}}

// coreLoader loads the core in the background and lets others wait for it.
type coreLoader struct {
	once    sync.Once
	started atomic.Bool
	done    chan struct{}
	err     error
	from    string // the directory whose cache served, "" where it was compiled
	cold    error  // why it was compiled though there were directories
	keep    *coreKeep
}

// start begins to load the core, once in a process: from the first of the
// directories that has it compiled for this machine, the user's own last, or else by
// compiling it, which is kept in the user's own.
func (c *coreLoader) start(dirs []string, own string) {
	c.once.Do(func() {
		c.started.Store(true)
		c.keep.dir = own
		go func() {
			defer close(c.done)
			c.from, c.cold = loadWarm(dirs, c.keep)
			// The first call compiles the core where it is not loaded yet; of one
			// that is loaded it proves that it works.
			if err := touchCore(); err != nil {
				c.err = fmt.Errorf("loading the SDK's core: %w", err)
			}
		}()
	})
}

// wait starts the core where nobody did, and waits until it is loaded.
func (c *coreLoader) wait(ctx context.Context, dirs []string, own string) error {
	c.start(dirs, own)
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
