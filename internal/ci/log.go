package ci

import (
	"io"
	"reflect"
	"strings"
	"sync"
)

// A log is one stream that our own lines and a child's output share. It knows
// whether a line has been begun, so that a line of ours always begins one.
type log struct {
	mu    sync.Mutex
	out   io.Writer
	begun bool // the last byte was not the end of a line
	used  bool // something was written: before that, begun is a guess
	// beside is begun for another stream on the same terminal. What it stands
	// on is not known, a file perhaps: a line is ended once too often then.
	beside bool

	end   string                 // ends a line of ours
	guard func(io.Writer) Stream // keeps a child's output from being commands
	child Stream                 // the guard of this log, shared by all children's streams
	err   error                  // the first error of a line of ours

	// hide and show take the status line of a terminal away around whatever is
	// written, and put it back. Both are called with mu held.
	hide, show func()
}

// newLog is a log on out whose children are guarded: nil is no guard.
func newLog(out io.Writer, guard func(io.Writer) Stream) *log {
	l := &log{out: out, end: "\n", guard: guard}
	if guard == nil {
		l.guard = func(w io.Writer) Stream { return unguarded{w} }
	}
	l.child = l.guard(sink{l})
	return l
}

// unguarded passes everything on.
type unguarded struct{ io.Writer }

func (unguarded) Flush() error { return nil }
func (unguarded) Close() error { return nil }

// A sink is the log's writer itself; mu must be held.
type sink struct{ *log }

func (s sink) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.used, s.begun = true, p[len(p)-1] != '\n'
	return s.out.Write(p)
}

// line writes lines of ours, which begin at the beginning of a line. Where a
// child had begun one, the guard begins anew as well: what the child prints
// next is at the beginning of a line, whatever it has printed there before.
func (l *log) line(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(text)
}

// write is line with mu held.
func (l *log) write(text string) error {
	l.note(l.around(func() error {
		if l.begun || l.beside {
			// What the guard holds back belongs to the child's line.
			l.note(l.child.Flush())
			text = "\n" + text
			l.child = l.guard(sink{l})
			l.beside = false
		}
		_, err := io.WriteString(sink{l}, strings.ReplaceAll(text+"\n", "\n", l.end))
		return err
	}))
	return l.err
}

// note keeps the first error.
func (l *log) note(err error) {
	if l.err == nil {
		l.err = err
	}
}

// around writes with the status line out of the way.
func (l *log) around(write func() error) error {
	if l.hide != nil {
		l.hide()
		defer l.show()
	}
	return write()
}

// stream is the writer for a child's output on its way to w.
func (l *log) stream(w io.Writer) Stream {
	if same(w, l.out) {
		return shared{l}
	}
	if l.hide != nil {
		// Another stream on the same terminal, or a file: the status line is
		// out of the way while it is written to.
		return l.guard(aside{l, w})
	}
	return l.guard(w)
}

// shared is a child's stream into the log. All of them have one guard, since
// what begins a line is a matter of the log and not of the stream.
type shared struct{ *log }

func (s shared) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.around(func() error { n, err = s.child.Write(p); return err })
	return n, err
}

func (s shared) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.around(s.child.Flush)
}

// Close lets go what is held back. The log, and its guard, go on.
func (s shared) Close() error { return s.Flush() }

// aside is a writer beside the log, on the same terminal.
type aside struct {
	*log
	to io.Writer
}

func (a aside) Write(p []byte) (n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err = a.around(func() error {
		if len(p) > 0 {
			a.beside = p[len(p)-1] != '\n'
		}
		n, err = a.to.Write(p)
		return err
	})
	return n, err
}

// same tells whether two writers are one. Writers that cannot be compared are
// two.
func same(a, b io.Writer) bool {
	if a == nil || b == nil {
		return false
	}
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// oneLine is text without line ends.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
