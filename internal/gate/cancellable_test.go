package gate

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A reader that takes nothing is waited for until the run is cancelled, and a moment
// longer: it may take the last lines. Then it is given up for good.
func TestCancellableWriter_GivesAReaderUpOnceTheRunIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		cancelled := make(chan struct{})
		s := newCancellableWriter(w, cancelled)
		began := time.Now()
		time.AfterFunc(time.Hour, func() { close(cancelled) })
		if _, err := s.Write([]byte("one")); !errors.Is(err, errStalled) {
			t.Errorf("the write ended with %v", err)
		}
		if took := time.Since(began); took != time.Hour+stallGrace {
			t.Errorf("the reader had %s", took)
		}
		if _, err := s.Write([]byte("two")); !errors.Is(err, errStalled) {
			t.Errorf("the next write ended with %v", err)
		}
		_ = r.Close()
		s.close()
	})
}

func TestCancellableWriter_WaitsForAReaderThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		cancelled := make(chan struct{})
		close(cancelled)
		s := newCancellableWriter(w, cancelled)
		time.AfterFunc(stallGrace-time.Millisecond, func() { _, _ = io.ReadAll(r) })
		if n, err := s.Write([]byte("one")); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		_ = w.Close()
		s.close()
	})
}
