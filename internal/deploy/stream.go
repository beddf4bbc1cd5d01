package deploy

import (
	"errors"
	"io"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/mask"
)

// A maskedStream is the way of a child's output to our own: through the masker,
// then through what keeps it from being taken for a command of the CI system.
type maskedStream struct {
	*mask.Writer
	child ci.Stream
}

// stream is a new stream to w.
func (s *session) stream(w io.Writer) *maskedStream {
	child := s.System.Child(w)
	return &maskedStream{s.masker.Writer(child), child}
}

// Close lets out what is held back and ends the stream; w stays open.
func (m *maskedStream) Close() error {
	return errors.Join(m.Writer.Close(), m.child.Close())
}
