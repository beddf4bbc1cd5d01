package mask

import (
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Commands keeps what a child prints from being taken for workflow commands by
// the CI system that reads the log. See NewCommands.
type Commands struct {
	out io.Writer

	mu    sync.Mutex // guards what follows
	state commandState
	buf   []byte
	err   error // the first error of out; it stays
}

// commandState is what has been seen of a line, across Writes.
type commandState struct {
	start  bool    // nothing but white space since the line began
	colon  bool    // the line begins with white space and one colon
	marker int     // so many bytes of ##vso are just behind us; 2 also after more than two #
	rune   [4]byte // the first bytes of a character at the start of a line
	bytes  int     // how many
}

// NewCommands passes on to w what is written to it, with a backslash put into
// what GitHub's or Azure's runner would obey:
//
//	::error::text     becomes  :\:error::text     at the start of a line
//	##[group]text     becomes  ##\[group]text     anywhere
//	##vso[task.x]     becomes  ##vso\[task.x]     anywhere
//
// Nothing else is changed, and nothing is held back. A line starts after LF and
// also after a lone CR, and white space before :: does not matter, as the runner
// has it.
//
// It belongs behind the Masker, between it and the log: before it, the backslash
// could stand inside a value and hide it.
func NewCommands(w io.Writer) *Commands {
	return &Commands{out: w, state: commandState{start: true}}
}

// Write passes p on in one write. An error of the underlying writer is returned
// now and by every later call; n is then 0.
func (c *Commands) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == 0 || c.err != nil {
		return 0, c.err
	}
	out := c.neutralise(p)
	wrote, err := c.out.Write(out)
	if err == nil && wrote < len(out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		c.err = err
		return 0, err
	}
	return len(p), nil
}

// Flush does nothing: no byte is held back. It is there so that a Commands can
// stand where a Writer does.
func (c *Commands) Flush() error { return nil }

// Close does nothing; it does not close the underlying writer.
func (c *Commands) Close() error { return nil }

// neutralise is p itself if there is nothing in it to change.
func (c *Commands) neutralise(p []byte) []byte {
	out, from := c.buf[:0], 0
	nextLF, nextCR, nextHash := -1, -1, -1
	for i := 0; i < len(p); i++ {
		if s := &c.state; !s.start && !s.colon && s.marker == 0 {
			// Within a line: straight to what may matter.
			if nextLF < i {
				nextLF = index(p, i, '\n')
			}
			if nextCR < i {
				nextCR = index(p, i, '\r')
			}
			if nextHash < i {
				nextHash = index(p, i, '#')
			}
			if i = min(nextLF, nextCR, nextHash); i == len(p) {
				break
			}
		}
		if c.state.completes(p[i]) {
			out = append(append(out, p[from:i]...), '\\')
			from = i
		}
	}
	if len(out) == 0 {
		return p
	}
	out = append(out, p[from:]...)
	c.buf = out
	return c.buf
}

// completes takes in the next byte and reports whether it is the last of what a
// runner would see a command in.
func (s *commandState) completes(b byte) bool {
	const vso = "##vso"
	found := false
	switch {
	case b == '\n' || b == '\r':
		s.start, s.colon, s.bytes = true, false, 0
	case s.colon:
		found = b == ':'
		s.start, s.colon = false, false
	case s.start:
		s.start = s.blank(b)
		s.colon = !s.start && s.bytes == 0 && b == ':'
	}
	switch {
	case b == '#':
		if s.marker > 2 { // ##v#
			s.marker = 0
		}
		s.marker = min(s.marker+1, 2)
	case b == '[' && (s.marker == 2 || s.marker == len(vso)):
		found = true
		s.marker = 0
	case s.marker >= 2 && s.marker < len(vso) && b|0x20 == vso[s.marker]:
		s.marker++
	default:
		s.marker = 0
	}
	return found
}

// blank reports whether nothing but white space has been on the line with b. What
// cannot be seen counts as white space: the runner takes off a byte order mark,
// and compares strings as a dictionary does, where such characters do not count.
func (s *commandState) blank(b byte) bool {
	if b < utf8.RuneSelf {
		if s.bytes > 0 { // a character that was cut short
			return false
		}
		return b <= ' ' || b == 0x7f
	}
	s.rune[s.bytes] = b
	s.bytes++
	if !utf8.FullRune(s.rune[:s.bytes]) {
		return true
	}
	r, size := utf8.DecodeRune(s.rune[:s.bytes])
	whole := size == s.bytes && r != utf8.RuneError
	s.bytes = 0
	return whole && (unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Z, r))
}
