package deploy

import (
	"io"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// stream is the way for a child's output to one of our streams: through the gate,
// and past whoever follows it, who sees it masked.
func (s *resources) stream(w *gate.Stream, source gate.Source, follow func(gate.Layer) gate.Layer) *gate.Child {
	return s.System.Child(w, gate.ChildOptions{
		Source: source, Follow: follow,
		Notice: func(text, hint string) { s.System.Notice(problem.New(text, hint)) },
	})
}

// kamalStream is the way for Kamal's output, on which its phases are shown where f
// is not nil. Where that is to be quiet its last words are remembered, and nothing
// is held back. Kamal passes on what the servers print.
func (s *resources) kamalStream(w *gate.Stream, f *progress) *gate.Child {
	if f == nil {
		return s.stream(w, gate.Remote, nil)
	}
	if f.quiet {
		return s.stream(w, gate.Remote, func(to gate.Layer) gate.Layer {
			return remembered{to, &f.tail}
		})
	}
	return s.stream(w, gate.Remote, func(to gate.Layer) gate.Layer {
		follower := kamal.NewFollower(io.MultiWriter(to, &f.tail), func(phase string) {
			// What is held back belongs to the phase before.
			_ = to.Flush()
			f.begin(phase)
		})
		f.follower = follower
		return followed{follower}
	})
}

// A followed is a follower as a layer.
type followed struct{ *kamal.Follower }

// Close lets out what is held back.
func (f followed) Close() error { return f.Flush() }

// remembered is a layer that holds nothing back and keeps the last words.
type remembered struct {
	to   gate.Layer
	tail *ci.Tail
}

// Write passes p on, and keeps of it what went on.
func (r remembered) Write(p []byte) (int, error) {
	n, err := r.to.Write(p)
	_, _ = r.tail.Write(p[:n]) // it takes all
	return n, err
}

// Flush has nothing to let out.
func (remembered) Flush() error { return nil }

// Close has nothing to let out.
func (remembered) Close() error { return nil }
