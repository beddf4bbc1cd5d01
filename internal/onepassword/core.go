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
var core = &coreLoader{done: make(chan struct{}), keep: &coreSaver{}}

// coreLoader loads the core in the background and lets others wait for it.
type coreLoader struct {
	once    sync.Once
	started atomic.Bool
	done    chan struct{}
	err     error
	from    string // the directory whose cache served, "" where it was compiled
	cold    error  // why it was compiled though there were directories
	keep    *coreSaver

	// mu is held to read while the SDK takes the core, and to write while another
	// takes its place.
	mu  sync.RWMutex
	nth int // which core it is, in a process
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

// with calls f, which has the SDK take the core, and gives which core that is.
func (c *coreLoader) with(f func()) (nth int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	f()
	return c.nth
}

// renew has another core take the place of the nth, unless one has. Of each request
// that gets no answer something stays on the core's stack: the SDK's HTTP client panics
// through it, and nothing puts its stack back. After one or two dozen of them the core
// traps at whatever it is asked, for as long as the process lives.
func (c *coreLoader) renew(nth int, dirs []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nth != nth {
		return nil
	}
	c.nth++
	releaseCore()
	_, _ = loadWarm(dirs, c.keep) // where it is in none of them, the next line compiles it
	return touchCore()
}
