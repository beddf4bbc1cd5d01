package ci

import (
	"bytes"
	"io"
	"slices"
	"sync"
)

// A guard keeps a child's output from being taken for marks of the log. One
// that counts at the beginning of a line gets a backslash before it; one that
// counts anywhere gets it before its last character.
type guard struct {
	mu       sync.Mutex
	to       io.Writer
	starts   [][]byte
	anywhere [][]byte
	held     []byte // what may be the beginning of a mark
	shown    int    // so many bytes of it have been flushed
	state    lineState
	err      error
}

// A lineState is where in a line a text has come to.
type lineState struct {
	within bool // something of the line has been seen
	escape int  // a sequence for the terminal is under way, which shows nothing: 1 behind ESC, 2 behind ESC [
}

// next is the state behind a byte.
func (s lineState) next(b byte) lineState {
	switch {
	case b == '\n', b == '\r':
		return lineState{}
	case s.within:
		return s
	case s.escape == 0 && b == 0x1b:
		return lineState{escape: 1}
	case s.escape == 1 && b == '[':
		return lineState{escape: 2}
	case s.escape == 2 && b >= 0x40 && b <= 0x7e:
		return lineState{}
	case s.escape == 2:
		return s
	}
	return lineState{within: true}
}

// newGuard is a guard at the beginning of a line.
func newGuard(to io.Writer, starts, anywhere []string) *guard {
	g := &guard{to: to}
	for _, m := range starts {
		g.starts = append(g.starts, []byte(m))
	}
	for _, m := range anywhere {
		g.anywhere = append(g.anywhere, []byte(m))
	}
	return g
}

// Write passes on, in one write, what cannot become a mark any more. It holds
// back less than the longest mark.
func (g *guard) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil || len(p) == 0 {
		return 0, g.err
	}
	text := slices.Concat(g.held, p)
	out := make([]byte, 0, len(text)+8)
	i, insert := 0, -1
	for ; i < len(text); i++ {
		at, partial := g.at(text[i:])
		if partial {
			break
		}
		if at >= 0 {
			insert = max(i+at, g.shown) // what was flushed cannot be changed
		}
		if i == insert {
			out = append(out, '\\')
			g.state.within = true
		}
		if i >= g.shown {
			out = append(out, text[i])
		}
		g.state = g.state.next(text[i])
	}
	g.held, g.shown = bytes.Clone(text[i:]), max(g.shown-i, 0)
	if g.err = g.pass(out); g.err != nil {
		return 0, g.err
	}
	return len(p), nil
}

// at tells where in a text a backslash belongs because it begins with a mark, or -1;
// and whether it may yet turn out to begin with one.
func (g *guard) at(text []byte) (insert int, partial bool) {
	insert = -1
	if !g.state.within && g.state.escape == 0 {
		for _, m := range g.starts {
			if bytes.HasPrefix(text, m) {
				return 0, false
			}
			partial = partial || bytes.HasPrefix(m, text)
		}
	}
	for _, m := range g.anywhere {
		if bytes.HasPrefix(text, m) {
			return len(m) - 1, false
		}
		partial = partial || bytes.HasPrefix(m, text)
	}
	return insert, partial
}

// Flush passes on what is held. It stays known, so that a mark cannot be made
// of two parts.
func (g *guard) Flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = g.pass(g.held[g.shown:])
		g.shown = len(g.held)
	}
	return g.err
}

// Close passes on what is held and leaves the writer beneath open.
func (g *guard) Close() error { return g.Flush() }

// pass writes.
func (g *guard) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := g.to.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}
