package supervise

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"
)

// pieceSize is the most that is read and passed on at once: what a pipe holds.
const pieceSize = 64 << 10

// streams are the child's three, at both of their ends.
type streams struct {
	stdin          *os.File
	stdout, stderr *os.File   // the child's ends
	ours           []*os.File // the child's ends that are to be closed here once it has them
	copies         []*outputCopy
	broken         chan struct{} // has one when output was refused
	terminal       *terminal
	interrupts     chan os.Signal // Ctrl-C, typed where there is a Stop function
}

// open makes the pipes, or the terminal.
func (c *Command) open() (s *streams, err error) {
	s = &streams{broken: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if c.Terminal != nil {
		if s.terminal, err = openTerminal(c.Terminal, c.Take); err != nil {
			return s, err
		}
		if c.Stop != nil {
			s.interrupts = make(chan os.Signal, 4)
			s.terminal.interrupts = s.interrupts
		}
		tty := s.terminal.childEnd
		s.ours = append(s.ours, tty)
		s.stdin, s.stdout, s.stderr = tty, tty, tty
		s.add("the terminal", s.terminal.master, c.screen())
	}
	if c.Terminal == nil {
		s.stdin = c.Stdin
	}
	if c.Terminal == nil || c.StdoutApart {
		if s.stdout, err = s.pipe("standard output", c.Stdout); err != nil {
			return s, err
		}
	}
	switch {
	case c.Terminal != nil && !c.StderrApart:
	case (c.Terminal == nil || c.StdoutApart) && same(c.Stdout, c.Stderr):
		s.stderr = s.stdout
	default:
		if s.stderr, err = s.pipe("standard error", c.Stderr); err != nil {
			return s, err
		}
	}
	return s, nil
}

// screen is where the pty's output goes.
func (c *Command) screen() io.Writer {
	switch {
	case c.Screen != nil:
		return c.Screen
	case !c.StdoutApart:
		return c.Stdout
	case !c.StderrApart:
		return c.Stderr
	}
	return nil
}

// pipe makes the child's end of a stream that goes to w.
func (s *streams) pipe(name string, w io.Writer) (*os.File, error) {
	if w == nil {
		return nil, nil // the null device
	}
	if f, ok := w.(*os.File); ok {
		return f, nil
	}
	r, child, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.ours = append(s.ours, child)
	s.add(name, r, w)
	return child, nil
}

// add has a stream copied to w, or discarded.
func (s *streams) add(name string, r *os.File, w io.Writer) {
	if w == nil {
		w = io.Discard
	}
	s.copies = append(s.copies, &outputCopy{name: name, from: r, to: w, done: make(chan struct{})})
}

// same reports whether two writers are one. Writers that cannot be compared are
// two.
func same(a, b io.Writer) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && t.Comparable() && reflect.ValueOf(a).Comparable() && a == b
}

// give sets the child's ends. A nil *os.File must not become a writer that is
// not nil.
func (s *streams) give(cmd *exec.Cmd) {
	if s.stdin != nil {
		cmd.Stdin = s.stdin
	}
	if s.stdout != nil {
		cmd.Stdout = s.stdout
	}
	if s.stderr != nil {
		cmd.Stderr = s.stderr
	}
	if s.terminal != nil {
		cmd.SysProcAttr.Setctty = true
		cmd.SysProcAttr.Ctty = 0 // its standard input
	}
}

// given closes the child's ends here, so that their last holder is the child.
func (s *streams) given() {
	for _, f := range s.ours {
		_ = f.Close() // nothing was written to it here
	}
	s.ours = nil
}

// copy begins to pass output on. With closing, a stream whose writer refuses
// output is closed, as a shell's pipe is; otherwise it is drained and the
// refusal comes on broken.
func (s *streams) copy(closing bool) {
	for _, k := range s.copies {
		go k.run(closing, s.broken)
	}
	if s.terminal != nil {
		s.terminal.start()
	}
}

// finish waits until all output has been passed on. The child is gone; whoever
// else holds a stream open has the given time in which nothing comes, or until
// more has come than can have been waiting in a pipe when the child ended.
func (s *streams) finish(delay time.Duration) error {
	var errs []error
	for _, k := range s.copies {
		k.finish(delay)
		if err := k.refused.Load(); err != nil {
			errs = append(errs, &OutputError{Stream: k.name, Err: *err})
		}
	}
	return errors.Join(errs...)
}

// close closes what is still open and restores the terminal.
func (s *streams) close() {
	s.given()
	for _, k := range s.copies {
		_ = k.from.Close() // it was only read, or is the terminal's
	}
	if s.terminal != nil {
		s.terminal.close()
	}
}

// outputCopy is one stream on its way from the child to a writer.
type outputCopy struct {
	name    string
	from    *os.File
	to      io.Writer
	passed  atomic.Int64 // bytes that the writer has taken, or that were discarded
	refused atomic.Pointer[error]
	done    chan struct{}
}

// run passes the stream on until its end.
func (k *outputCopy) run(closing bool, broken chan<- struct{}) {
	defer close(k.done)
	piece := make([]byte, pieceSize)
	for {
		n, err := k.from.Read(piece)
		if n > 0 && k.refused.Load() == nil {
			if err := write(k.to, piece[:n]); err != nil {
				k.refused.Store(&err)
				if closing {
					_ = k.from.Close() // the child learns of it by SIGPIPE
					return
				}
				select {
				case broken <- struct{}{}:
				default: // it is known
				}
			}
		}
		k.passed.Add(int64(n))
		if err != nil {
			// io.EOF; EIO, which is the end of a pty; or closed by finish.
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EIO) && !errors.Is(err, os.ErrClosed) && k.refused.Load() == nil {
				k.refused.Store(&err)
			}
			return
		}
	}
}

// write writes all of p.
func write(w io.Writer, p []byte) error {
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// finish waits for the end of the stream as streams.finish says.
func (k *outputCopy) finish(delay time.Duration) {
	const most = 1 << 20 // the largest pipe that a process without privileges can make
	first := k.passed.Load()
	for before := first; ; {
		select {
		case <-k.done:
			return
		case <-time.After(delay):
		}
		now := k.passed.Load()
		if now == before || now-first > most {
			break
		}
		before = now
	}
	// A read is ended by this. A write is not: the writer has stalled, and is
	// left behind with its piece.
	_ = k.from.Close()
	select {
	case <-k.done:
	case <-time.After(delay / 10):
	}
}
