package gate

import (
	"errors"
	"io"
	"sync"
	"time"
)

// stallGrace is how long a write may wait for its reader once the run is
// cancelled. Kamal's output waits behind it, and with that the release of its lock.
const stallGrace = 500 * time.Millisecond

// errStalled is the error of a stream whose reader takes nothing any more.
var errStalled = errors.New("nobody reads it any more")

// A cancellableWriter is one of our own output streams. A write waits for as long as the
// reader takes, as anybody's does, until the run is cancelled: then a reader that
// takes nothing (a stopped pager, a terminal after Ctrl-S, a log collector that
// hangs) is given up, and every further write fails.
type cancellableWriter struct {
	to        io.Writer
	cancelled <-chan struct{}

	mu      sync.Mutex
	piece   []byte // of the writer's own: who called may use its own again
	pieces  chan []byte
	written chan writeResult
	stalled bool
}

// A writeResult is how a write ended.
type writeResult struct {
	n   int
	err error
}

func newCancellableWriter(to io.Writer, cancelled <-chan struct{}) *cancellableWriter {
	return &cancellableWriter{to: to, cancelled: cancelled}
}

// Write writes all of p, or gives its reader up.
func (s *cancellableWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stalled {
		return 0, errStalled
	}
	if s.cancelled == nil {
		return s.to.Write(p)
	}
	if s.pieces == nil {
		s.pieces, s.written = make(chan []byte), make(chan writeResult, 1)
		go func(pieces <-chan []byte, done chan<- writeResult) {
			for piece := range pieces {
				n, err := s.to.Write(piece)
				done <- writeResult{n, err}
			}
		}(s.pieces, s.written)
	}
	s.piece = append(s.piece[:0], p...)
	s.pieces <- s.piece
	select {
	case w := <-s.written:
		return w.n, w.err
	case <-s.cancelled:
	}
	timer := time.NewTimer(stallGrace)
	defer timer.Stop()
	select {
	case w := <-s.written:
		return w.n, w.err
	case <-timer.C:
		s.stalled = true
		return 0, errStalled
	}
}

// close ends the goroutine, unless its write is never taken.
func (s *cancellableWriter) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pieces != nil {
		close(s.pieces)
		s.pieces = nil
	}
}
