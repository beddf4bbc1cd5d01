package mask

import (
	"io"
	"sync"
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

type commandState struct {
	start  bool // nothing but white space since the line began
	colon  bool // the line begins with white space and one colon
	marker int  // so many bytes of ##vso are just behind us; 2 also after more than two #
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
	const vso = "##vso"
	s := c.state
	out, from := c.buf[:0], 0
	for i, b := range p {
		insert := false
		switch {
		case b == '\n' || b == '\r':
			s.start, s.colon = true, false
		case s.colon:
			insert = b == ':'
			s.start, s.colon = false, false
		case s.start:
			s.colon = b == ':'
			s.start = !s.colon && (b <= ' ' || b >= 0x7f)
		}
		switch {
		case b == '#':
			if s.marker == 1 || s.marker == 2 {
				s.marker = 2
			} else {
				s.marker = 1
			}
		case b == '[' && (s.marker == 2 || s.marker == len(vso)):
			insert = true
			s.marker = 0
		case s.marker >= 2 && s.marker < len(vso) && b|0x20 == vso[s.marker]:
			s.marker++
		default:
			s.marker = 0
		}
		if insert {
			out = append(append(out, p[from:i]...), '\\')
			from = i
		}
	}
	c.state = s
	if len(out) == 0 {
		return p
	}
	out = append(out, p[from:]...)
	c.buf = out
	return out
}
