package mask

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"sync"
)

// ErrClosed is what a Writer returns that is written to after Close.
var ErrClosed = errors.New("mask: write to a closed stream")

// A Writer is one stream through a Masker. Several goroutines may write to it;
// each Write is then masked as a whole, in some order.
type Writer struct {
	masker *Masker
	out    io.Writer

	mu     sync.Mutex // guards what follows
	closed bool
	err    error // the first error of out; it stays

	held    []byte // the end of what was written, not yet let out
	covered int    // so many bytes of held are under a token already written
	masked  bool   // the byte before held was masked: a value that begins here needs no token

	work   []byte
	outBuf []byte
	found  []match
}

// match is an occurrence of a pattern.
type match struct {
	start, end int
	name       string
}

// Write masks p and passes on all of it but an end that may be the beginning of a
// value. It writes to the underlying writer at most once. An error of that writer
// is returned now and by every later call; n is then 0.
func (w *Writer) Write(p []byte) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, ErrClosed
	}
	if len(p) == 0 || w.err != nil {
		return 0, w.err
	}
	if err := w.process(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush lets out what is held back, masked as it stands: a value of which the
// rest comes later is then not recognised.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	return w.flush()
}

// Close is Flush, and ends the stream. It does not close the underlying writer.
// A second Close does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return w.flush()
}

func (w *Writer) flush() error {
	if w.err != nil || len(w.held) == 0 {
		return w.err
	}
	return w.process(nil, true)
}

// process takes in p and writes what can be told.
func (w *Writer) process(p []byte, final bool) error {
	s := w.masker.compiled()
	text := p
	if len(w.held) > 0 {
		w.work = append(append(w.work[:0], w.held...), p...)
		text = w.work
	}
	w.found = s.find(w.found[:0], text)
	slices.SortFunc(w.found, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	hold := len(text)
	if !final {
		hold = s.pending(text)
	}

	out := w.outBuf[:0]
	pos := w.covered // what is before pos is written, or under a token
	inRun := w.masked || w.covered > 0
	for _, f := range w.found {
		if f.start >= hold && f.start > pos {
			break
		}
		if f.start >= hold && !(inRun && f.start == pos) {
			break
		}
		switch {
		case f.start > pos || !inRun:
			out = append(out, text[pos:f.start]...)
			out = append(out, s.token(f.name)...)
			inRun = true
			pos = f.end
		case f.end > pos:
			pos = f.end
		}
	}
	if pos < hold {
		out = append(out, text[pos:hold]...)
		inRun = false
		pos = hold
	}
	w.covered = pos - hold
	w.masked = inRun
	w.held = append(w.held[:0], text[hold:]...)
	w.outBuf = out
	if len(out) == 0 {
		return nil
	}
	n, err := w.out.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	w.err = err
	return err
}
