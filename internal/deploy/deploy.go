package deploy

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A Job is one Kamal command with all it needs.
type Job struct {
	Process
	Vault  Vault
	Wanted Wanted

	Title    string // what the log calls the job, where it is one of several; "" where it is alone
	Project  kamal.ProjectOptions
	Kamal    string    // --kamal: which Kamal; "" looks for it
	Args     []string  // Kamal's arguments
	Builds   bool      // the command builds an image, which takes a Docker engine
	Lenient  bool      // the command may do without a project: what is wrong with its files Kamal will say
	Apart    bool      // Kamal's standard error goes to ours, not into one stream with its output
	Terminal *Terminal // ours, where Kamal is to have one; nil for none

	Check      CheckLevel
	CheckHosts bool // log in to every host before Kamal does anything
	AnyVault   bool // --op-scope any: op may ask every vault that the credentials see
	FreshEnv   bool // new code that runs before it is booted has the secrets of now

	ExactValues kamal.ExactValues // secrets that reach their containers as they are

	Deployment *Deployment // how GitHub is told of a deploy; nil where it is not

	// RegistryLogin is given the registry's login by a Kamal that was asked for it; nil
	// where none is.
	RegistryLogin func(broker.RegistryLogin)

	broker.Choices

	Locks LockOptions
}

// Run does the job and gives Kamal's exit status, 130 or 143 where a signal ended
// it. An error is a problem of ours: Kamal was then not started, or was stopped
// before it changed anything, or something of the run could not be taken away.
func (j Job) Run(ctx context.Context) (status int, err error) {
	r, err := j.prepare(ctx, j.earlyPath())
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		if late := outOfTime(ctx, beforeChild); late != nil {
			return problem.TimedOut, late
		}
		return exitStatus(ctx, problem.Status(err)), outputProblem(err)
	}
	status, err = r.main(ctx, "", supervise.Command{Args: j.Args, Env: r.env, Stdin: j.Stdin}, 0)
	if !j.Lenient {
		r.uses.log(j.System)
	}
	return status, err
}

// main runs the command that a run is for, and reports how it ended. name is what the
// report calls it; "" is Kamal's own name. found is the status with which the command
// says that nothing was changed, 0 for none.
func (r *runner) main(ctx context.Context, name string, c supervise.Command, found int) (int, error) {
	j := r.job
	f := newProgress(j.System)
	f.phases.Title = j.Title
	f.quiet, f.project = j.Lenient, j.Project
	r.recording.setPhases(f.phases)
	if !f.quiet {
		r.showStatus("starting Kamal")
	}
	began := time.Now()
	deployment := j.Deployment.start(ctx, r, cmp.Or(name, j.Args[0]))
	exit, stops, err := r.runKamal(ctx, c, j.Terminal, j.Apart, f)
	status, ours := j.verdict(ctx, exit, stops, err, f, len(r.broker.Versions()) > 0 || silent(c.Args))
	if found != 0 && status == found {
		status = problem.Found
	}
	deployment.finish(ctx, status, time.Since(began))
	told := f.end(status, ours, r.broker.Versions())
	if !f.quiet {
		r.report(ctx, f, cmp.Or(name, j.Args[0]), status, told, time.Since(began))
	}
	return status, errors.Join(ours.Err(), outputProblem(err))
}

// verdict is the status of a run whose Kamal has ended, and the problems of ours
// for which it was ended. booted says that a version was booted, or that nobody can
// see whether one was.
func (j Job) verdict(ctx context.Context, exit supervise.Exit, stops problem.List, err error, f *progress, booted bool) (int, problem.List) {
	var output *supervise.OutputError
	if err != nil && !errors.As(err, &output) {
		return exitStatus(ctx, problem.Found), nil // it could not be started
	}
	// What Kamal did counts, whoever stopped listening; and what it had done by
	// itself when the run was cancelled.
	if exit.Stage == supervise.Unstopped {
		ctx = context.WithoutCancel(ctx)
	}
	if exit.Typed {
		return problem.Interrupted, nil
	}
	if late := outOfTime(ctx, f.where()); late != nil {
		return problem.TimedOut, problem.List{late}
	}
	status, cancelled := exitStatus(ctx, exit.Status()), ctx.Err() != nil
	switch {
	case !cancelled && len(stops) > 0:
		return problem.Status(stops), stops
	case status == problem.Done && !f.quiet && j.Args[0] == "rollback" && f.follower.Version() == "" && !booted:
		// Kamal says in red that the version is not there, and ends with 0.
		return problem.Found, problem.List{problem.New("the rollback did not happen: that version is not on the servers",
			"kamal-op kamal -- app containers lists the versions that are").About(problem.Other)}
	}
	return status, nil
}

// silent reports whether Kamal was told to print nothing.
func silent(args []string) (silent bool) {
	for _, option := range kamal.Options(args) {
		if option.Name == "--quiet" {
			silent = !option.Off
		}
	}
	return silent
}
