package ci_test

import (
	"io"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
)

// A setup is what a test has a system made of.
type setup struct {
	Terminal, Plain, JSON bool
	Width                 func() int
	Dir                   string
	Now                   func() time.Time
	Commands              io.Writer // standard error; nil has the log for all
	Run                   func(stdin io.Reader, name string, args ...string) error
}

// A system is one with the gate and the streams that it has.
type system struct {
	ci.System
	gate           *gate.Gate
	env            map[string]string
	log, commands  io.Writer
	stdout, stderr *gate.Stream
}

// detect is the system that an environment says, with its log on a writer.
func detect(env map[string]string, log io.Writer, o setup) *system {
	g := gate.New(gate.Options{Env: env, Stdout: log, Stderr: o.Commands, Run: o.Run})
	s := &system{gate: g, env: env, log: log, commands: o.Commands, stdout: g.Stdout()}
	options := ci.Options{Terminal: o.Terminal, Plain: o.Plain, JSON: o.JSON, Width: o.Width, Dir: o.Dir, Now: o.Now}
	if o.Commands != nil {
		s.stderr = g.Stderr()
		options.Commands = s.stderr
	}
	s.System = ci.Detect(env, g, s.stdout, options)
	return s
}

// Child is a child's way to one of the two writers, or to another one.
func (s *system) Child(w io.Writer) *gate.Child {
	switch w {
	case s.log:
		return s.System.Child(s.stdout, gate.ChildOptions{})
	case s.commands:
		return s.System.Child(s.stderr, gate.ChildOptions{})
	}
	return s.System.Child(gate.New(gate.Options{Env: s.env, Stdout: w}).Stdout(), gate.ChildOptions{})
}
