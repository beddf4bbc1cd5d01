package supervise

import "sync"

// A Reaper buries processes that were left to us: as PID 1 of a container or
// as a subreaper, everything that loses its parent becomes our child, and stays
// a zombie unless it is waited for.
//
// It never takes the status of a child that Run started with it, nor of one
// that any other part of the program started in our own session, be it in a
// process group of its own. A child started in any other way with a session of
// its own would be taken for one that was left to us.
type Reaper struct {
	// starting is held for reading while a child is started and made known, and
	// for writing while zombies are looked at: a child that ends at once is
	// known by then.
	starting sync.RWMutex
	mu       sync.Mutex
	known    map[int]bool // the children that Run waits for

	stop chan struct{}
	done chan struct{}
}

// start starts a child and makes its pid known. It works without a Reaper too.
func (r *Reaper) start(start func() error, pid func() int) error {
	if r == nil {
		return start()
	}
	r.starting.RLock()
	defer r.starting.RUnlock()
	if err := start(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[pid()] = true
	return nil
}

// forget says that a child has been waited for: its pid may be used again.
func (r *Reaper) forget(pid int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, pid)
}

// knows reports whether Run waits for a child.
func (r *Reaper) knows(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[pid]
}
