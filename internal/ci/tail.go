package ci

import (
	"bytes"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/gate"
)

const (
	tailLines    = 20
	tailLineSize = 1 << 10
)

// A Tail keeps the last lines of what is written to it, for the error of a phase
// that failed. Its memory is bounded: 20 lines, and of each the first 1 KiB. What is
// written to it is masked already.
//
// Where Keep is set, the Tail also keeps 20 lines from the last one on that Keep
// picks: an error says first what it is, and may say much more.
type Tail struct {
	Keep func(line string) bool

	mu    sync.Mutex
	lines []string
	line  []byte // the line that is not complete

	kept  []string // from the last line on that Keep picked
	after int      // how many lines have come since the first of kept, it included
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			t.add(p)
			return n, nil
		}
		t.add(p[:end])
		t.endLine()
		p = p[end+1:]
	}
}

// add goes on with the line.
func (t *Tail) add(p []byte) {
	t.line = append(t.line, p[:min(len(p), tailLineSize-len(t.line))]...)
}

// endLine completes the line.
func (t *Tail) endLine() {
	if line := visibleText(t.line); line != "" {
		t.lines = append(t.lines, line)
		t.lines = t.lines[max(0, len(t.lines)-tailLines):]
		switch {
		case t.Keep != nil && t.Keep(line):
			t.kept, t.after = []string{line}, 1
		case t.after > 0:
			t.after++
			if len(t.kept) < tailLines {
				t.kept = append(t.kept, line)
			}
		}
	}
	t.line = t.line[:0]
}

// visibleText is what a line shows. Where it was written over with CR, as a progress bar
// is, the last state counts.
func visibleText(line []byte) string {
	line = bytes.TrimRight(line, "\r \t")
	line = line[bytes.LastIndexByte(line, '\r')+1:]
	return strings.TrimSpace(gate.Visible(plainText(string(line))))
}

// Lines are the last lines that are not empty, at most so many, as plain text. Before
// them stand the lines that Keep has picked, as far as they are not among them.
func (t *Tail) Lines(most int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines, after := append([]string{}, t.lines...), t.after
	if rest := visibleText(t.line); rest != "" {
		lines = append(lines, rest)
		after++
	}
	lines = lines[max(0, len(lines)-most):]
	if gone := after - len(lines); gone > 0 && len(t.kept) > 0 {
		lines = append(append([]string{}, t.kept[:min(gone, len(t.kept))]...), lines...)
	}
	return lines
}

// plainText is a line without a terminal's colours and the like.
func plainText(line string) string {
	var b strings.Builder
	var s lineState
	for i := range len(line) {
		before := s.escape
		s.within = false
		s = s.next(line[i])
		if before == 0 && s.escape == 0 {
			b.WriteByte(line[i])
		}
	}
	return b.String()
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
