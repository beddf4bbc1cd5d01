package deploy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A Call is one Kamal command of a Session.
type Call struct {
	Title   string   // what it does, for the log
	Env     []string // NAME=value, beside what every command of the session has
	Args    []string // Kamal's
	Preload string   // Ruby that is required before Kamal and before our own; "" for none

	// Found is the status with which the command says that it has changed nothing, in
	// Main; 0 for none.
	Found int

	// Capture gives back what Kamal writes to its standard output, as it is and
	// not masked: it is to be read by us and shown to nobody.
	Capture bool
}

// maxCapture is how much of its standard output a captured command may write:
// that of a host with thousands of containers is smaller.
const maxCapture = 16 << 20

// A Session runs several Kamal commands: the secrets and the key are fetched once, and
// one agent, one broker and one directory serve all of them.
type Session struct {
	r        *runner
	preloads map[string]string // Ruby to the file that holds it
	phases   []ci.Phase        // of all commands that were shown
}

// Open does all of the job that comes before Kamal. Of the job's own command only
// Builds counts, which asks for Docker. The caller closes the Session.
func (j Job) Open(ctx context.Context) (*Session, error) {
	r, err := j.prepare(ctx, "")
	if err != nil {
		if ctx.Err() != nil {
			err = contextError(ctx, beforeChild)
		}
		return nil, errors.Join(err, r.close())
	}
	return &Session{r: r, preloads: map[string]string{}}, nil
}

// Report is what the session knows for a report, until it is closed: phases, hosts,
// secrets by their names, signatures, the deploy lock.
func (s *Session) Report(ctx context.Context) ci.Report {
	r := ci.Report{Phases: s.phases}
	s.r.fillReport(ctx, &r)
	return r
}

// Close removes all that the session has made.
func (s *Session) Close() error {
	s.r.uses.log(s.r.System)
	return s.r.close()
}

// Run runs one command. Where it failed the error is a *problem.Problem with
// Kamal's status that says why as far as Kamal's last words do, or the problems
// for which it was stopped before it changed anything; where the context ended,
// its cause, or the problem that time ran out. What was captured is given back
// with an error too.
func (s *Session) Run(ctx context.Context, c Call) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx, "before "+c.Title)
	}
	env, err := s.env(c)
	if err != nil {
		return nil, err
	}
	s.r.locks.setEnv(c.Env)
	s.r.System.Info(c.Title)
	f := newProgress(s.r.System)
	command := supervise.Command{Args: c.Args, Env: env}
	var out []byte
	var exit supervise.Exit
	var stops problem.List
	if c.Capture {
		s.r.System.Status(c.Title)
		out, exit, stops, err = s.r.captureKamal(ctx, command, f)
		s.r.System.Status("")
	} else {
		exit, stops, err = s.r.runKamal(ctx, command, nil, false, f)
	}
	phase := f.close(exit.Status())
	if !c.Capture {
		s.phases = append(s.phases, f.phases.All()...)
	}
	if phase == "" {
		phase = c.Title
	}
	switch {
	case ctx.Err() != nil:
		return out, contextError(ctx, "in the phase "+phase)
	case len(stops) > 0:
		return out, stops
	case err != nil:
		return out, err
	case exit.Status() != problem.Done:
		return out, kamal.Diagnose(f.tail.Lines(tailLines)).Problem(phase, exit.Status())
	}
	return out, nil
}

// Main runs the command that the session is for, under its name, as Job.Run runs its own:
// with the terminal, the outputs and the report of a whole run.
func (s *Session) Main(ctx context.Context, name string, c Call) (status int, err error) {
	if ctx.Err() != nil {
		return exitStatus(ctx, problem.Found), context.Cause(ctx)
	}
	env, err := s.env(c)
	if err != nil {
		return problem.Found, err
	}
	s.r.locks.setEnv(c.Env)
	s.r.job.Args = c.Args
	return s.r.main(ctx, name, supervise.Command{Args: c.Args, Env: env, Stdin: s.r.Stdin}, c.Found)
}

// env is the environment of one command.
func (s *Session) env(c Call) ([]string, error) {
	env := newChildEnv(nil)
	env.SetAll(s.r.env)
	env.SetAll(c.Env)
	if c.Preload != "" {
		path, known := s.preloads[c.Preload]
		if !known {
			path = filepath.Join(s.r.dir.path, "preload-"+strconv.Itoa(len(s.preloads))+".rb")
			if err := os.WriteFile(path, []byte(c.Preload), 0o400); err != nil {
				return nil, err
			}
			s.preloads[c.Preload] = path
		}
		env.Set("RUBYOPT", kamal.RubyOptions(path, env.Get("RUBYOPT")))
	}
	return env.List, nil
}

// captureKamal runs Kamal once and gives its standard output. The last lines are kept,
// masked, for the error; standard error goes to the log.
func (r *runner) captureKamal(ctx context.Context, c supervise.Command, f *progress) ([]byte, supervise.Exit, problem.List, error) {
	before := len(r.broker.Problems())
	c = r.kamalCommand(ctx, c)
	out := &limitedBuffer{most: maxCapture}
	words := r.Gate.Masked(&f.tail)
	shown := r.kamalStream(r.Stdout, f)
	c.Stdout, c.Stderr = io.MultiWriter(out, words), shown
	exit, err := c.Run(ctx)
	r.reportLocks(r.releaseLocks(ctx, c.Env))
	err = errors.Join(err, words.Close(), shown.Close())
	if out.over {
		err = errors.Join(err, problem.Newf("kamal %s wrote more than %d MiB", c.Args[0], maxCapture>>20).About(problem.Other))
	}
	return out.Bytes(), exit, r.broker.Problems()[before:], err
}

// A limitedBuffer is a buffer that takes so many bytes and drops the rest.
type limitedBuffer struct {
	bytes.Buffer
	most int
	over bool
}

func (l *limitedBuffer) Write(p []byte) (int, error) {
	if room := l.most - l.Len(); len(p) > room {
		l.over = true
		l.Buffer.Write(p[:room])
		return len(p), nil
	}
	return l.Buffer.Write(p)
}
