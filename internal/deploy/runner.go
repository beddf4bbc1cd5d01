package deploy

import (
	"context"
	"errors"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A runner has all that Kamal needs, resolved, checked and masked: nothing has been
// changed anywhere yet. It may run Kamal more than once.
type runner struct {
	*resources
	job     Job
	project *kamal.Project // nil where a lenient job has none
	bin     string         // the directory that stands first on Kamal's PATH
	broker  *broker.Broker
	options broker.Options // what it is to answer
	early   *earlyKamal    // a Kamal that waits; nil where it is started once all is known
	binary  kamal.Binary
	env     []string // Kamal's

	recording recording
}

// prepare does all of a job that comes before Kamal. The caller closes the runner, also
// after an error. early is the Kamal to start at once; "" starts none before all is
// known.
func (j Job) prepare(ctx context.Context, early string) (r *runner, err error) {
	r = &runner{}
	project, projectErr := kamal.OpenProject(j.Project)
	if projectErr != nil && !j.Lenient {
		// What else is wrong on this machine is reported with it, and 1Password is
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
	preload, err := r.setUp(ctx, early)
	if err != nil {
		return r, err
	}
	if r.binary, err = r.askVault(ctx, preload); err != nil {
		return r, err
	}
	if err := r.checkFiles(ctx, j); err != nil {
		return r, err
	}
	for _, notice := range r.binary.Notices {
		j.System.Notice(problem.New(notice, ""))
	}
	if err := r.checkPreload(); err != nil {
		return r, err
	}
	j.System.Info(r.binary.String())
	hosts, err := r.checkHosts(ctx, j, r.bin, project)
	if err != nil {
		return r, err
	}
	r.options = r.brokerOptions(j, project, hosts)
	r.options.Record, r.options.ReadPast = r.record, r.readPast
	if r.early == nil {
		r.broker.Open(r.options)
	}
	r.env, err = r.kamalEnv(j, project, r.broker, r.binary)
	return r, err
}

// setUp makes the run's directory and its sockets and, where early names one, starts the
// Kamal that waits. It gives the file that Kamal is to load.
func (r *runner) setUp(ctx context.Context, early string) (preload string, err error) {
	j := r.job
	if r.resources, err = newResources(j.Process, j.Vault); err != nil {
		return "", err
	}
	r.locks = newLocks(j.Locks, j.System, j.Gate, environ.List(j.Env).Map())
	if token := j.Locks.GitHubToken; token.Reveal() != "" {
		if err := r.mask(token); err != nil {
			return "", err
		}
	}
	if preload, err = kamal.WritePreload(r.dir.path); err != nil {
		return "", err
	}
	if err = r.listen(ctx, j); err != nil || early == "" {
		return preload, err
	}
	if r.env, err = r.kamalEnv(j, r.project, r.broker, kamal.Binary{Preload: true}); err != nil {
		return "", err
	}
	return preload, r.startEarly(ctx, early)
}

// askVault asks 1Password, and meanwhile checks what can be wrong on this machine.
func (r *runner) askVault(ctx context.Context, preload string) (kamal.Binary, error) {
	j := r.job
	wanted, notWanted := context.WithCancel(ctx)
	defer notWanted()
	local := r.checkMachine(ctx, wanted, preload)
	r.logRequests(j)
	defer r.showStatus("")
	if j.Vault.Open == nil {
		r.showStatus("loading Kamal")
	} else {
		r.showStatus("asking 1Password, and loading Kamal")
	}
	err := r.start(ctx, j.Vault, j.Wanted)
	if j.ReuseImage && err == nil && len(r.keys) > 0 {
		err = r.mask(r.buildKey)
	}
	if err != nil {
		notWanted() // a Kamal that loads still is not waited for
	}
	around := <-local
	if err = errors.Join(problemsFirst(around.err, err)...); err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return around.binary, err
}

// checkPreload refuses options that this Kamal cannot carry out: without the preload it
// does not know of them.
func (r *runner) checkPreload() error {
	j := r.job
	if r.binary.Preload {
		return nil
	}
	if !j.AllowOutputCopies && r.project != nil && r.project.Config != nil {
		// Where the preload is part of Kamal, it looks at what Kamal has resolved.
		if copies := r.project.Config.Output.CopyProblems(); len(copies) > 0 {
			return copies
		}
	}
	switch {
	case j.RollbackOnFailure:
		return noPreloadProblem(r.binary, "--rollback-on-failure does not work with it")
	case !j.ExactValues.IsZero():
		return noPreloadProblem(r.binary, "--exact-values does not work with it")
	case r.pins != nil:
		return noPreloadProblem(r.binary, "the host keys of --host-keys could not be enforced")
	}
	return nil
}

// showStatus shows on a terminal what is waited for, unless a person's op may ask there.
func (r *runner) showStatus(text string) {
	if r.job.Vault.Op != "" {
		text = ""
	}
	r.System.Status(text)
}

// logRequests logs what 1Password is asked for: Kamal's first line may be seconds away.
func (r *runner) logRequests(j Job) {
	var secrets, items, environments, keys int
	for _, d := range j.Wanted.Secrets {
		switch {
		case d.Environment != "":
			environments++
		case !d.FromVault(): // an earlier step has loaded it
		case d.Name == "":
			items++
		default:
			secrets++
		}
	}
	for _, key := range j.Wanted.Keys {
		if !key.loaded() {
			keys++
		}
	}
	var what []string
	for _, part := range []struct {
		n    int
		what string
	}{{secrets, "secret"}, {items, "whole item"}, {environments, "Environment"}, {keys, "SSH key"}} {
		if part.n > 0 {
			what = append(what, count(part.n, part.what))
		}
	}
	if j.Vault.Open != nil && j.Vault.Resolver == nil && len(what) > 0 {
		j.System.Info("asking 1Password for " + strings.Join(what, ", "))
	}
}

// close removes all that prepare has made.
func (r *runner) close() error {
	var errs []error
	if r.early != nil {
		r.early.abandon()
	}
	if r.broker != nil {
		errs = append(errs, r.broker.Close())
	}
	if r.resources != nil {
		errs = append(errs, r.end())
	}
	return errors.Join(errs...)
}

// runKamal runs Kamal once, with the arguments, environment and standard input that c
// has. stops are the problems for which the preload has stopped it before it
// changed anything.
func (r *runner) runKamal(ctx context.Context, c supervise.Command, t *Terminal, apart bool, f *progress) (exit supervise.Exit, stops problem.List, err error) {
	before := len(r.broker.Problems())
	first := f // the progress is read from standard output
	stream := func(w *gate.Stream) *gate.Child {
		defer func() { first = nil }()
		return r.kamalStream(w, first)
	}
	if r.early != nil {
		exit, err = r.runEarly(stream)
	} else {
		exit, err = r.supervise(ctx, r.kamalCommand(ctx, c), t, apart, stream)
	}
	r.reportLocks(r.releaseLocks(ctx, c.Env))
	return exit, r.broker.Problems()[before:], err
}

// kamalCommand completes a command to one of Kamal, that is ended in Kamal's own way.
func (r *runner) kamalCommand(ctx context.Context, c supervise.Command) supervise.Command {
	c.Path, c.Dir, c.Signals, c.Reaper = r.binary.Path, r.job.Project.Dir, r.Signals, r.Reaper
	if r.binary.Preload {
		c.Stop = stopKamal(ctx, r.broker.Running)
	}
	return c
}
