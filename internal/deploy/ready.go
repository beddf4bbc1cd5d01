package deploy

import (
	"context"
	"errors"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A ready is all that Kamal needs, known, checked and masked: nothing has been
// changed anywhere yet. Kamal may be run in it more than once.
type ready struct {
	*session
	job     Job
	project *kamal.Project // nil where a lenient job has none
	broker  *broker.Broker
	binary  kamal.Binary
	env     []string // Kamal's
}

// prepare does all of a job that comes before Kamal. What it gives is to be
// closed, also where it gives an error.
func (j Job) prepare(ctx context.Context) (r *ready, err error) {
	r = &ready{}
	project, projectErr := kamal.OpenProject(j.Project)
	if projectErr != nil && !j.Lenient {
		// What else is wrong on this machine is told with it, and 1Password is
		// not asked for a project that is not there.
		_, kamalErr := kamal.Find(ctx, j.find(""))
		return r, errors.Join(projectErr, kamalErr)
	}
	r.project = project
	if !j.Lenient || j.Vault.Op == "" { // `app logs` may need none of them
		j.Wanted.items = broker.References(project)
	}
	j.Wanted.Users = loginUsers(project, j.Wanted.Users)
	r.job = j
	if r.session, err = newSession(j.Process, j.Vault); err != nil {
		return r, err
	}
	r.locks = newLocks(j.Locks, j.System, j.Gate, environ.List(j.Env).Map())
	if token := j.Locks.GitHubToken; token.Reveal() != "" {
		if err := r.mask(token); err != nil {
			return r, err
		}
	}
	preload, err := kamal.WritePreload(r.dir.path)
	if err != nil {
		return r, err
	}
	// What can be wrong on this machine is looked at while 1Password answers.
	local := make(chan localAnswer, 1)
	go func() { local <- j.lookAround(ctx, project, preload) }()
	err = r.begin(ctx, j.Vault, j.Wanted)
	around := <-local
	if err = errors.Join(problemsFirst(around.err, err)...); err != nil {
		return r, err
	}
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	if err := r.checkFiles(ctx, j); err != nil {
		return r, err
	}
	for _, notice := range around.binary.Notices {
		j.System.Notice(problem.New(notice, ""))
	}
	if j.RollBack && !around.binary.Preload {
		return r, unreached(around.binary, "--rollback-on-failure does not work with it")
	}
	j.System.Info(around.binary.String())
	r.binary = around.binary
	if r.pins != nil && !r.binary.Preload {
		return r, unreached(r.binary, "the host keys of --host-keys could not be enforced")
	}

	if r.broker, err = r.startBroker(ctx, j, project); err != nil {
		return r, err
	}
	r.env, err = r.kamalEnv(j, project, r.broker, r.binary)
	return r, err
}

// close takes away all that prepare has made.
func (r *ready) close() error {
	var errs []error
	if r.broker != nil {
		errs = append(errs, r.broker.Close())
	}
	if r.session != nil {
		errs = append(errs, r.end())
	}
	return errors.Join(errs...)
}

// once runs Kamal once, with the arguments, environment and standard input that c
// has. stops are the problems for which the preload has stopped it before it
// changed anything.
func (r *ready) once(ctx context.Context, c supervise.Command, t *Terminal, apart bool, f *follow) (exit supervise.Exit, stops problem.List, err error) {
	before := len(r.broker.Problems())
	first := f // who follows sees standard output
	exit, err = r.supervise(ctx, r.kamal(ctx, c), t, apart, func(w *gate.Stream) *gate.Child {
		defer func() { first = nil }()
		return r.kamalStream(w, first)
	})
	r.tellLocks(r.releaseLocks(ctx, c.Env))
	return exit, r.broker.Problems()[before:], err
}

// kamal completes a command to one of Kamal, that is ended in Kamal's own way.
func (r *ready) kamal(ctx context.Context, c supervise.Command) supervise.Command {
	c.Path, c.Dir, c.Signals, c.Reaper = r.binary.Path, r.job.Project.Dir, r.Signals, r.Reaper
	if r.binary.Preload {
		c.Stop = stopKamal(ctx, r.broker.Running)
	}
	return c
}
