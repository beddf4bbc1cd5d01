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

// outputProblem drops errors of a child's run that are no problem: the reader of a pipe
// went away (head, a pager), or the run was cancelled.
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

// A localResult is what was found on this machine.
type localResult struct {
	binary kamal.Binary
	err    error
}

// checkMachine looks in the background for what the run needs on this machine: Kamal,
// Docker. All that is missing is reported together. It waits for a Kamal that was started
// already as long as wanted lasts.
func (r *runner) checkMachine(ctx, wanted context.Context, preload string) <-chan localResult {
	docker := make(chan error, 1)
	go func() {
		var err error
		if r.job.Builds && !buildsElsewhere(r.project) {
			err = pingDocker(ctx, environ.List(r.job.Env).Map())
		}
		docker <- err
	}()
	found := make(chan localResult, 1)
	go func() {
		binary, err := r.findKamal(ctx, wanted, preload)
		found <- localResult{binary, errors.Join(problemsFirst(err, <-docker)...)}
	}()
	return found
}

// findKamal is the Kamal that was started already, once its commands are loaded, or
// one that is asked what it is.
func (r *runner) findKamal(ctx, wanted context.Context, preload string) (kamal.Binary, error) {
	if r.early == nil {
		return kamal.Find(ctx, r.job.find(preload))
	}
	binary, why := r.early.waitLoaded(wanted)
	if why == "" {
		return kamal.WithLock(binary, r.job.Project.Dir), nil
	}
	former := r.early.path
	r.early.abandon()
	r.early = nil
	if wanted.Err() != nil {
		return kamal.Binary{}, wanted.Err()
	}
	found, err := kamal.Find(ctx, r.job.find(preload))
	if found.Path == former { // why another is taken is said already
		found.Notices = append(found.Notices, secondStartNotice(former, why))
	}
	return found, err
}

// secondStartNotice says why a Kamal that loaded while 1Password was asked could not be
// used. It costs a second start.
func secondStartNotice(path, why string) string {
	return fmt.Sprintf("the Kamal at %s is started a second time, now that all is known: %s", path, why)
}

// noPreloadProblem is the problem of a Kamal that does not load the preload.
func noPreloadProblem(b kamal.Binary, so string) *problem.Problem {
	return problem.New("the Kamal at "+b.Path+" does not load kamal-op's preload, or loads its own commands in an unknown way: "+so,
		"let it pass RUBYOPT on and see the run's directory, or name another Kamal with --kamal").About(problem.OtherKamal)
}

// problemsFirst puts what is wrong on this machine before what is wrong in the
// vault, unless the run was cancelled: then neither is worth a word.
func problemsFirst(errs ...error) []error {
	var kept []error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			kept = append(kept, err)
		}
	}
	return kept
}
