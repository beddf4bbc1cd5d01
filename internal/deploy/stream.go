package deploy

import (
	"errors"
	"io"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/mask"
)

// A maskedStream is the way of a child's output to our own: through the masker,
// past whoever follows it, then through what keeps it from being taken for a
// command of the CI system.
type maskedStream struct {
	*mask.Writer
	follower *kamal.Follower // nil where nobody follows
	child    ci.Stream
}

// stream is a new stream to w.
func (s *session) stream(w io.Writer) *maskedStream {
	child := s.System.Child(w)
	return &maskedStream{Writer: s.masker.Writer(child), child: child}
}

// followed is a stream of Kamal's to w, on which its phases are shown.
func (s *session) followed(w io.Writer, f *follow) *maskedStream {
	child := s.System.Child(w)
	follower := kamal.NewFollower(io.MultiWriter(child, &f.tail), func(phase string) {
		// What is held back belongs to the phase before.
		_ = child.Flush()
		f.begin(phase)
	})
	f.follower = follower
	return &maskedStream{Writer: s.masker.Writer(follower), follower: follower, child: child}
}

// Close lets out what is held back and ends the stream; w stays open.
func (m *maskedStream) Close() error {
	err := m.Writer.Close()
	if m.follower != nil {
		err = errors.Join(err, m.follower.Flush())
	}
	return errors.Join(err, m.child.Close())
}
