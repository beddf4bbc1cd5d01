package deploy

import (
	"context"
	"errors"
	"os"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A Terminal is ours: standard input, and which of our two streams are on it.
type Terminal struct {
	File           *os.File
	Stdout, Stderr bool
}

// supervise runs a child with its output masked, live, to our streams. Where we
// have a terminal the child gets one as well; a stream that is not on ours stays
// a pipe, since it is somebody's file or the input of another program.
// stream makes the child's writer to one of them.
func (s *resources) supervise(ctx context.Context, c supervise.Command, t *Terminal, apart bool, stream func(*gate.Stream) *gate.Child) (supervise.Exit, error) {
	out := stream(s.Stdout)
	streams := []*gate.Child{out}
	c.Stdout, c.Stderr = out, out
	if apart {
		err := stream(s.Stderr)
		streams = append(streams, err)
		c.Stderr = err
	}
	if t != nil {
		c.Terminal, c.StdoutApart, c.StderrApart = t.File, !t.Stdout, !t.Stderr && apart
		if c.StdoutApart {
			screen := stream(s.Gate.Screen(t.File))
			streams = append(streams, screen)
			c.Screen = screen
		}
	}
	c.Signals, c.Reaper = s.Signals, s.Reaper
	exit, err := c.Run(ctx)
	return exit, errors.Join(err, closeStreams(streams, err))
}

// closeStreams closes the streams of a child, which ended with err. A stream that has
// refused output refuses to be closed, too: that is one error, and not two.
func closeStreams(streams []*gate.Child, err error) error {
	var errs []error
	for _, stream := range streams {
		if closing := stream.Close(); !errors.As(err, new(*supervise.OutputError)) {
			errs = append(errs, closing)
		}
	}
	return errors.Join(errs...)
}

// exitStatus is the status of a run whose context may have ended: cancelled by a
// signal, out of time, or as it is.
func exitStatus(ctx context.Context, status int) int {
	cause := context.Cause(ctx)
	var signalled supervise.Signalled
	switch {
	case cause == nil:
		return status
	case errors.As(cause, &signalled):
		return signalled.Status()
	case errors.Is(cause, context.DeadlineExceeded):
		return problem.TimedOut
	}
	return status
}
