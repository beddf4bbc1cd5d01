package supervise

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// A stopSequence is an orderly stop under way: which stage it is at, and what moves
// it to the next.
type stopSequence struct {
	command *Command
	child   *child
	stage   Stage
	first   syscall.Signal   // what the group got at first, 0 where Stop was called
	timer   <-chan time.Time // the stage's time is over
	asked   chan error       // what Stop returned
	cancel  context.CancelFunc
}

// begin asks the child to end, for a cause that may carry a signal. It does
// nothing if that has been done.
func (s *stopSequence) begin(ctx context.Context, cause error) {
	if s.stage != Unstopped {
		return
	}
	s.stage = Asked
	grace := orDefault(s.command.Grace, defaultGrace)
	if s.command.Stop == nil {
		s.timer = time.After(grace)
		s.first = syscall.SIGTERM
		var got Signalled
		if errors.As(cause, &got) {
			s.first = got.Signal
		}
		s.child.process.signalGroup(s.first)
		return
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	s.cancel = cancel
	// One clock for both: Stop's context has ended with its time, and not with the
	// child, when the next stage comes.
	over := make(chan time.Time, 1)
	context.AfterFunc(within, func() { over <- time.Now() })
	s.timer = over
	asked := make(chan error, 1)
	s.asked = asked
	go func() { asked <- s.command.Stop(within, s.child.process) }()
}

// next goes to the next stage.
func (s *stopSequence) next() {
	switch {
	case s.stage == Asked && s.first != syscall.SIGTERM:
		s.stage = Terminated
		s.child.process.signalGroup(syscall.SIGTERM)
		s.timer = time.After(orDefault(s.command.TermGrace, defaultTermGrace))
	default:
		s.stage = Killed
		s.child.process.kill()
		s.timer = nil // it cannot refuse; what is left of its session is seen to after its end
	}
}

// release ends the context of Stop and waits for it to return, but not for
// ever: its context has said that the time is over.
func (s *stopSequence) release() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	if s.asked == nil {
		return
	}
	select {
	case <-s.asked: //nolint:errcheck // the child has ended, whatever it says
	case <-time.After(orDefault(s.command.WaitDelay, defaultWaitDelay)):
	}
}
