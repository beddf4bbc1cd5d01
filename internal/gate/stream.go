package gate

import (
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// A Layer is a writer that may hold back what it cannot tell yet. Flush lets it
// go, for a prompt that waits; Close ends it, and leaves what is beneath open.
type Layer interface {
	io.Writer
	Flush() error
	Close() error
}

// A Stream is one of our streams, which our own lines and a child's output share.
// It knows whether a line has been begun, so that a line of ours always begins one.
type Stream struct {
	gate *Gate
	to   *cancellableWriter // raw: nothing but this file writes to it
	kind kind

	mu    sync.Mutex
	begun bool // the last byte was not the end of a line
	used  bool // something was written: before that, begun is a guess
	// beside is begun for another stream on the same terminal. What it stands
	// on is not known, a file perhaps: a line is ended once too often then.
	beside bool
	child  Layer // keeps a child's output harmless, for all of its streams
	err    error // the first error of a line of ours

	end    string        // ends a line of ours
	status func() string // a terminal's last line, as it is now; nil or "" for none
	drawn  bool          // it is there
	gone   bool          // another stream has written to the terminal since it was set
}

// A kind is what a stream leads to.
type kind int

const (
	aPipe     kind = iota // or what is not known
	aFile                 // a regular file
	aTerminal             // a person
)

// stream is a stream to w; nil is nowhere.
func (g *Gate) stream(w io.Writer) *Stream {
	s := &Stream{gate: g, to: newCancellableWriter(w, g.o.Cancelled), end: "\n"}
	if w == nil {
		s.to.to = io.Discard
	}
	if f, ok := w.(*os.File); ok && f != nil {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			s.kind = aFile
		}
		if term.IsTerminal(int(f.Fd())) {
			s.kind = aTerminal
		}
	}
	s.child = s.guard()
	return s
}

// Screen is a stream to the terminal that a person sits at, beside standard output
// and standard error.
func (g *Gate) Screen(f *os.File) *Stream {
	s := g.stream(f)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.screen = append(g.screen, s)
	return s
}

// IsTerminal reports whether a person reads the stream as it comes.
func (s *Stream) IsTerminal() bool { return s.kind == aTerminal }

// Width is a terminal's width in columns at this moment, 0 where it is not known.
func (s *Stream) Width() int {
	f := s.file()
	if f == nil {
		return 0
	}
	width, _, _ := term.GetSize(int(f.Fd()))
	return width
}

// file is the file that the stream is, or nil.
func (s *Stream) file() *os.File {
	f, _ := s.to.to.(*os.File)
	return f
}

// Write is for reports and tables: p is masked as a whole, and nothing in it is
// obeyed but colours on a terminal. What is written is to be whole lines.
func (s *Stream) Write(p []byte) (int, error) {
	text := s.gate.own(colours(s.gate.Text(string(p)), s.kind == aTerminal))
	s.gate.alone(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.around(func() error { return s.raw([]byte(text)) })
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Line writes lines of ours, which begin at the beginning of a line, masked and
// harmless. They may have colours: foreign text in them is Visible before that.
// Where a child had begun a line, what it prints next is at the beginning of one,
// whatever it has printed there before.
func (s *Stream) Line(text string) error {
	return s.line(s.gate.own(s.gate.Text(text)))
}

// Prepared is Line for the CI system's commands and for events: text that the room
// ci has put together of masked and harmless parts. No other room calls it.
func (s *Stream) Prepared(text string) error { return s.line(text) }

// MaskCommands writes commands that hold values, for a runner that masks them. No
// other room than ci calls it. They count only at the beginning of a line, and
// another step's script may have begun one.
func (s *Stream) MaskCommands(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	s.mu.Lock()
	s.begun = s.begun || !s.used
	s.mu.Unlock()
	return s.line(strings.Join(lines, "\n"))
}

func (s *Stream) line(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(s.around(func() error {
		if s.begun || s.beside {
			// What is held back belongs to the child's line.
			s.note(s.child.Flush())
			text = "\n" + text
			s.child = s.guard()
			s.beside = false
		}
		return s.raw([]byte(strings.ReplaceAll(text+"\n", "\n", s.end)))
	}))
	return s.err
}

// note keeps the first error.
func (s *Stream) note(err error) {
	if s.err == nil {
		s.err = err
	}
}

// raw writes; mu must be held.
func (s *Stream) raw(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	s.used, s.begun = true, p[len(p)-1] != '\n'
	n, err := s.to.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// OnTerminal says that a person reads the stream now: our lines end with end, and
// status, if it is not nil, gives what its last line is to show, masked and
// harmless, "" for nothing.
func (s *Stream) OnTerminal(end string, status func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end, s.status = end, status
}

// Redraw changes what the last line shows and draws it anew. change, which may be
// nil, is called while nothing else is written.
func (s *Stream) Redraw(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hide()
	if change != nil {
		change()
		s.gone = false
	}
	s.show()
}

// alone takes away the status lines of the other streams, for one that has a report to
// write: they may be on the same terminal. Each comes again when it has something new to
// say.
func (g *Gate) alone(s *Stream) {
	for _, other := range []*Stream{g.stdout, g.stderr} {
		if other != s {
			other.mu.Lock()
			other.hide()
			other.gone = true
			other.mu.Unlock()
		}
	}
}

// around writes with the status line out of the way; mu is held.
func (s *Stream) around(write func() error) error {
	s.hide()
	defer s.show()
	return write()
}

// hide takes the line away.
func (s *Stream) hide() {
	if s.drawn {
		// A terminal that is gone is found by the next write of what matters.
		_, _ = io.WriteString(s.to, "\r\x1b[K")
		s.drawn = false
	}
}

// show draws the line unless a child has begun one of its own.
func (s *Stream) show() {
	if s.status == nil || s.gone || s.begun || s.beside {
		return
	}
	if text := s.status(); text != "" {
		_, _ = io.WriteString(s.to, text) // as in hide
		s.drawn = true
	}
}

// JSON is the stream for JSON: each Write is one document, or several whole ones,
// whose strings are masked and harmless before they are encoded.
func (s *Stream) JSON() io.Writer { return documents{s} }

type documents struct{ *Stream }

// Write writes documents.
func (d documents) Write(p []byte) (int, error) {
	text := d.gate.JSON(p)
	d.gate.alone(d.Stream)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.around(func() error { return d.raw(text) }); err != nil {
		return 0, err
	}
	return len(p), nil
}
