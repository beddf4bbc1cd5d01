package mask

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// ErrClosed is what a Writer returns that is written to after Close.
var ErrClosed = errors.New("mask: write to a closed stream")

const (
	// blockSize is how much of a large Write is masked and passed on at once.
	blockSize = 64 << 10
	// joinSize is how much of a Write is copied, if it is long enough, to stand
	// behind what was held back. A shorter Write is passed on in one piece.
	joinSize = 4 << 10
)

// A Writer is one stream through a Masker. Several goroutines may write to it;
// each Write is then masked as a whole, in some order.
type Writer struct {
	masker *Masker
	out    io.Writer

	mu     sync.Mutex // guards what follows
	steady bool       // no error; and what was written bears on what comes only by what is held
	closed bool
	err    error // the first error of out; it stays

	// held is the end of what was written, not yet let out. The first covered
	// bytes of it are under a token that is out already; coveredMarks says what
	// each of them is, if they are not all masked.
	held         []byte
	covered      int
	coveredMarks []mark
	inRun        bool   // the byte before held is masked: a value that begins there needs no token
	escape       escape // where the terminal is before held

	// Kept from Write to Write so that none allocates.
	work   []byte
	outBuf []byte
	found  []match
	ansi   ansiBuffers
}

// Write masks p and passes it on, but for an end that may be the beginning of a
// value. It does so with one Write to the underlying writer at most if p has no
// more than 4 KiB. Of a longer one each 64 KiB are mostly one; lines in which a value
// may go through an escape sequence, and what is held back, make it some more. An
// error of the underlying writer is returned now and by every later call; n is then 0.
func (w *Writer) Write(p []byte) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.masker.current.Load(); s != nil && w.steady && len(p) > 0 && len(w.held)+len(p) <= cleanMax {
		// By far the most Writes hold nothing to mask.
		text := p
		if len(w.held) > 0 {
			w.work = append(append(w.work[:0], w.held...), p...)
			text = w.work
		}
		if hold, at, clean := w.clean(s, text); clean {
			if err := w.passOn(text, hold, at); err != nil {
				return 0, err
			}
			return len(p), nil
		}
	}
	if w.closed {
		return 0, ErrClosed
	}
	if w.err != nil || len(p) == 0 {
		return 0, w.err
	}
	err = w.mask(p, false)
	w.steady = err == nil && w.covered == 0
	if err != nil {
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

// Close is Flush, and ends the stream: a Write that comes later gets ErrClosed.
// It does not close the underlying writer. A second Close does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed, w.steady = true, false
	return w.flush()
}

func (w *Writer) flush() error {
	if w.err != nil || len(w.held) == 0 {
		return w.err
	}
	return w.mask(nil, true)
}

// passOn writes text up to hold as it is, and holds back the rest. The escape there
// is at.
func (w *Writer) passOn(text []byte, hold int, at escape) error {
	w.escape = at
	if hold < len(text) || len(w.held) > 0 {
		w.held = append(w.held[:0], text[hold:]...)
		if hold == 0 {
			return nil
		}
	}
	w.inRun = false
	if err := w.emit(text[:hold]); err != nil {
		w.err, w.steady = err, false
		return err
	}
	return nil
}

// mask takes in p, writes what can be told, and holds back the rest; with final,
// it holds back nothing.
func (w *Writer) mask(p []byte, final bool) error {
	s := w.masker.current.Load()
	if s == nil {
		s = w.masker.compiled()
	}
	for {
		// What was held back stands in front of p. Either all of p fits behind it,
		// or so much that what is then held back lies in p alone.
		var text []byte
		own, joined := len(w.held), len(p)
		if own > 0 {
			if joined > joinSize {
				joined = min(joined, max(joinSize, own, s.longest))
			}
			w.work = append(append(w.work[:0], w.held...), p[:joined]...)
			text = w.work
		} else {
			if joined > joinSize && w.escape.mode != ground {
				// The line in which an escape sequence goes on is looked at by itself:
				// the rest is masked faster.
				joined = min(joined, index(p, 0, '\n')+1)
			}
			if joined > blockSize {
				joined = min(joined, max(blockSize, 2*s.reach))
			}
			text = p[:joined]
		}
		last := joined == len(p)
		hold, all, err := w.chunk(s, text, final && last)
		if err != nil {
			w.err, w.steady = err, false
			return err
		}
		switch {
		case last && all:
			w.held = append(w.held[:0], text[hold:]...)
			return nil
		case all && hold < own:
			w.held = append(w.held[:0], text[hold:]...)
			p = p[joined:]
		default:
			w.held = w.held[:0]
			p = p[hold-own:]
		}
	}
}

// chunk masks text, which begins with what is held back, writes what can be told
// of it, and returns where the rest begins; or, if all is not set, where a line
// begins that is to be looked at by itself.
func (w *Writer) chunk(s *set, text []byte, final bool) (hold int, all bool, err error) {
	// Almost always a text can be masked, and held back from hold on, as if escape
	// sequences were nothing but text.
	quiet := w.escape.mode == ground && len(w.coveredMarks) == 0
	w.found = s.find(w.found[:0], text, true)
	hold = len(text)
	if !final {
		hold = s.pending(text, 0)
	}
	all = true
	if quiet {
		loud := len(text) // from where on it is not quiet
		if gaps := s.searchGaps(text, 0); gaps.found {
			loud = gaps.at
		} else if gaps.end > 0 && gaps.end >= hold {
			loud = hold
		}
		if quiet = loud == len(text); !quiet && len(text)-len(w.held) > joinSize {
			// No value goes over the end of a line: all that is before can be let out.
			if line := bytes.LastIndexByte(text[:loud], '\n') + 1; line > len(w.held) {
				hold, all, quiet = line, false, true
			}
		}
	}
	if !quiet {
		hold, err = w.chunkANSI(s, text, hold, final)
		return hold, true, err
	}
	if hold > 0 {
		w.escape.last = int16(text[hold-1]) + 1
	}
	return hold, all, w.put(s, text, hold)
}

// put writes text up to hold with what was found in it masked, and notes what is
// then covered of the rest.
func (w *Writer) put(s *set, text []byte, hold int) error {
	if len(w.found) == 0 && w.covered == 0 {
		if hold == 0 {
			return nil
		}
		w.inRun = false
		return w.emit(text[:hold])
	}
	out := w.outBuf[:0]
	pos := w.covered // all before is out, or under a token
	for _, f := range w.found {
		if f.start >= hold {
			break
		}
		if f.start > pos || !w.inRun {
			out = append(append(out, text[pos:f.start]...), s.token...)
			w.inRun = true
		}
		pos = max(pos, f.end)
	}
	if pos < hold {
		out = append(out, text[pos:hold]...)
		w.inRun = false
		pos = hold
	}
	w.covered = pos - hold
	w.outBuf = out
	return w.emit(out)
}

func (w *Writer) emit(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	n, err := w.out.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	return err
}
