package deploy

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// outputProblem is an error of the run of a child worth telling: that the reader
// of a pipe went away (head, a pager) and that the run was cancelled are not.
func outputProblem(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled) || errors.As(err, new(supervise.Signalled)) {
		return nil
	}
	return err
}

// find says where to look for Kamal.
func (j Job) find(preload string) kamal.FindOptions {
	return kamal.FindOptions{Dir: j.Project.Dir, Explicit: j.Kamal, Env: j.Env, Preload: preload}
}

// A look is what was found on this machine.
type look struct {
	binary kamal.Binary
	err    error
}

// look finds, in the background, what is needed on this machine: Kamal, Docker. All
// that is missing is told together. A Kamal that was started already is waited for as
// long as wanted lasts.
func (r *ready) look(ctx, wanted context.Context, preload string) <-chan look {
	docker := make(chan error, 1)
	go func() {
		var err error
		if r.job.Builds && !buildsElsewhere(r.project) {
			err = pingDocker(ctx, environ.List(r.job.Env).Map())
		}
		docker <- err
	}()
	found := make(chan look, 1)
	go func() {
		binary, err := r.findKamal(ctx, wanted, preload)
		found <- look{binary, errors.Join(problemsFirst(err, <-docker)...)}
	}()
	return found
}

// findKamal is the Kamal that was started already, once its commands are loaded, or
// one that is asked what it is.
func (r *ready) findKamal(ctx, wanted context.Context, preload string) (kamal.Binary, error) {
	if r.booted == nil {
		return kamal.Find(ctx, r.job.find(preload))
	}
	binary, why := r.booted.loaded(wanted)
	if why == "" {
		return kamal.WithLock(binary, r.job.Project.Dir), nil
	}
	former := r.booted.path
	r.booted.abandon()
	r.booted = nil
	if wanted.Err() != nil {
		return kamal.Binary{}, wanted.Err()
	}
	found, err := kamal.Find(ctx, r.job.find(preload))
	if found.Path == former { // why another is taken is told already
		found.Notices = append(found.Notices, startedAgain(former, why))
	}
	return found, err
}

// startedAgain is what is told of a Kamal that loaded while 1Password was asked, and
// could not be taken. It costs a second start.
func startedAgain(path, why string) string {
	return fmt.Sprintf("the Kamal at %s is started a second time, now that all is known: %s", path, why)
}

// unreached is what is told of a Kamal that the preload is not part of.
func unreached(b kamal.Binary, so string) *problem.Problem {
	return problem.New("the Kamal at "+b.Path+" does not load kamal-op's preload, or loads its own commands in an unknown way: "+so,
		"let it pass RUBYOPT on and see the run's directory, or name another Kamal with --kamal").About(problem.OtherKamal)
}

// problemsFirst puts what is wrong on this machine before what is wrong in the
// vault, unless the run was cancelled: then neither is worth telling.
func problemsFirst(errs ...error) []error {
	var kept []error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			kept = append(kept, err)
		}
	}
	return kept
}
