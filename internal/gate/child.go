package gate

import (
	"errors"
	"io"

	"github.com/kamal-op/kamal-op/mask"
)

// A Source says what a child's output may carry.
type Source int

// The sources.
const (
	// Local is a program of this machine, which may ask to have a value masked.
	Local Source = iota
	// Remote is a program that passes on what servers print, as Kamal does: what
	// asks for a mask there may be anybody's, and could blank the whole log.
	Remote
)

// ChildOptions say how a child's output passes the gate.
type ChildOptions struct {
	Source Source
	// Follow puts a layer between the masker and what makes the output harmless:
	// it sees what is masked already. nil is none.
	Follow func(to Layer) Layer
	// Asked is called with a value that the child asks to have masked, before it is
	// masked here. It reports whether a runner masks it, too. nil is not called.
	Asked func(mask.Secret) (passedOn bool)
	// Notice says what became of such a line; nil tells nothing.
	Notice func(text, hint string)

	whole bool // nothing is to be left out: it is a person's file
}

// A Child is the writer for a child's output: what the child asks to have masked is
// taken, all is masked, then followed, then made harmless for who reads.
type Child struct {
	asks   *maskRequests
	layers []Layer // from the outermost
}

// Child is the way for a child's output to a stream, in the order of the log s:
// its status line is out of the way meanwhile.
func (s *Stream) Child(w *Stream, o ChildOptions) *Child {
	o.whole = w.persons()
	if w == s || s.status == nil {
		return s.gate.Child(sharedLayer{w}, o)
	}
	return s.gate.Child(asideLayer{s, w}, o)
}

// Child is the way for a child's output to a layer that makes it harmless itself,
// such as one that makes events of it.
func (g *Gate) Child(to Layer, o ChildOptions) *Child {
	c := &Child{layers: []Layer{to}}
	if o.Follow != nil {
		to = o.Follow(to)
		c.layers = append([]Layer{to}, c.layers...)
	}
	masked := g.masker.Writer(to)
	c.layers = append([]Layer{masked}, c.layers...)
	c.asks = newMaskRequests(g, masked, o)
	return c
}

// Write passes p on.
func (c *Child) Write(p []byte) (int, error) { return c.asks.Write(p) }

// Flush lets out what is held back.
func (c *Child) Flush() error {
	errs := []error{c.asks.Flush()}
	for _, l := range c.layers {
		errs = append(errs, l.Flush())
	}
	return errors.Join(errs...)
}

// Close lets out what is held back and ends the way; the stream stays open.
func (c *Child) Close() error {
	errs := []error{c.asks.Close()}
	for _, l := range c.layers {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// sharedLayer is a child's way into the stream. All of them have one guard, since
// what begins a line is a matter of the stream and not of the child.
type sharedLayer struct{ *Stream }

func (s sharedLayer) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.around(func() error { n, err = s.child.Write(p); return err })
	return n, err
}

func (s sharedLayer) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.around(s.child.Flush)
}

// Close lets go what is held back. The stream, and its guard, go on.
func (s sharedLayer) Close() error { return s.Flush() }

// asideLayer is a way into another stream, on the same terminal as the log.
type asideLayer struct {
	log *Stream
	to  *Stream
}

func (a asideLayer) Write(p []byte) (n int, err error) {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	err = a.log.around(func() error {
		if len(p) > 0 {
			a.log.beside = p[len(p)-1] != '\n'
		}
		n, err = sharedLayer{a.to}.Write(p)
		return err
	})
	return n, err
}

func (a asideLayer) Flush() error { return nil }
func (a asideLayer) Close() error { return nil }

// rawLayer is a stream's own writer for what its guard has passed; mu must be held.
type rawLayer struct{ *Stream }

func (r rawLayer) Write(p []byte) (int, error) {
	if err := r.raw(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// unguardedLayer passes everything on.
type unguardedLayer struct{ io.Writer }

func (unguardedLayer) Flush() error { return nil }
func (unguardedLayer) Close() error { return nil }
