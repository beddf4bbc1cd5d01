package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
	"github.com/kamal-op/kamal-op/mask"
)

// A Job is one Kamal command with all it needs.
type Job struct {
	Process
	Vault  Vault
	Wanted Wanted

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

	broker.Choices

	Locks LockOptions
}

// Run does the job and gives Kamal's exit status, 130 or 143 where a signal ended
// it. An error is a problem of ours: Kamal was then not started, or was stopped
// before it changed anything, or something of the run could not be taken away.
func (j Job) Run(ctx context.Context) (status int, err error) {
	r, err := j.prepare(ctx, j.bootable())
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		if late := outOfTime(ctx, beforeChild); late != nil {
			return problem.TimedOut, late
		}
		return stopped(ctx, problem.Status(err)), outputProblem(err)
	}
	status, err = r.main(ctx, "", supervise.Command{Args: j.Args, Env: r.env, Stdin: j.Stdin}, 0)
	if !j.Lenient {
		r.uses.log(j.System)
	}
	return status, err
}

// main runs the command that a run is for, and tells how it ended. name is what the report
// calls it, "" as Kamal does. found is the status with which it says that nothing was
// changed, 0 for none.
func (r *ready) main(ctx context.Context, name string, c supervise.Command, found int) (int, error) {
	j := r.job
	f := newFollow(j.System)
	f.quiet, f.project = j.Lenient, j.Project
	if !f.quiet {
		r.waiting("starting Kamal")
	}
	began := time.Now()
	exit, stops, err := r.once(ctx, c, j.Terminal, j.Apart, f)
	status, ours := j.verdict(ctx, exit, stops, err, f)
	if found != 0 && status == found {
		status = problem.Found
	}
	told := f.end(status, ours, r.broker.Versions())
	if !f.quiet {
		r.report(ctx, f, cmp.Or(name, j.Args[0]), status, told, time.Since(began))
	}
	return status, errors.Join(ours.Err(), outputProblem(err))
}

// verdict is the status of a run whose Kamal has ended, and the problems of ours
// for which it was ended.
func (j Job) verdict(ctx context.Context, exit supervise.Exit, stops problem.List, err error, f *follow) (int, problem.List) {
	var output *supervise.OutputError
	if err != nil && !errors.As(err, &output) {
		return stopped(ctx, problem.Found), nil // it could not be started
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
	status, cancelled := stopped(ctx, exit.Status()), ctx.Err() != nil
	switch {
	case !cancelled && len(stops) > 0:
		return problem.Status(stops), stops
	case status == problem.Done && !f.quiet && j.Args[0] == "rollback" && f.follower.Version() == "":
		// Kamal says in red that the version is not there, and ends with 0.
		return problem.Found, problem.List{problem.New("the rollback did not happen: that version is not on the servers",
			"kamal-op kamal -- app containers lists the versions that are")}
	}
	return status, nil
}

// listen puts op and the preload where Kamal finds them. Who asks waits until all is
// known.
func (r *ready) listen(ctx context.Context, j Job) (err error) {
	if r.bin, err = r.dir.sub("bin"); err != nil {
		return err
	}
	// It answers until Kamal is down, also while a cancelled run ends in order.
	r.broker, err = broker.Listen(context.WithoutCancel(ctx), r.brokerWaiting(j, r.bin))
	return err
}

// brokerWaiting is what the broker has to know before anything else is known.
func (s *session) brokerWaiting(j Job, dir string) broker.Waiting {
	return broker.Waiting{
		Dir: dir, Executable: j.Executable, AnyPeer: j.Wanted.AnyPeer,
		Notify: func(e broker.Event) {
			s.used(e)
			switch p := problem.New(e.Message, e.Hint); e.Kind {
			case broker.Warning:
				j.System.Warning(p)
			case broker.Notice:
				j.System.Notice(p)
			case broker.Failed:
				// What called op may say nothing of it, or go on without.
				if s.keepRefusal(p.Message) {
					j.System.Notice(p)
				}
			}
		},
	}
}

// brokerOptions are what the job says of what Kamal may ask.
func (s *session) brokerOptions(j Job, project *kamal.Project, hosts *broker.Hosts) broker.Options {
	o := broker.Options{
		Hosts: hosts, Project: project,
		AnyVault: j.AnyVault, AllowEmpty: j.Wanted.AllowEmpty, AllowReferences: j.Wanted.References, ForwardAgent: j.Wanted.Forward,
		Choices: j.Choices, FreshEnv: j.FreshEnv, ExactValues: j.ExactValues, BuildKey: s.buildKey, RealOp: j.Vault.Op, Locks: s.locks,
		Login: func(server string) error { return keepLogin(filepath.Join(s.dir.path, dockerDir), server) },
		Mask:  func(secrets []mask.Secret) error { return s.mask(secrets...) },
	}
	if s.resolver != nil {
		o.Vault = s.resolver
	}
	for _, secret := range s.secrets {
		o.Declared = append(o.Declared, broker.Declared{Secret: secret, Public: j.Wanted.Public[secret.Name()]})
	}
	for _, d := range j.Wanted.Secrets {
		if d.Environment != "" {
			o.Environments = append(o.Environments, d.Environment)
			continue
		}
		if d.FromVault() {
			o.Vaults = append(o.Vaults, d.Ref.Vault)
		}
	}
	return o
}

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

// kamalEnv is the environment that Kamal gets. The declared secrets are not in
// it, where every hook and every build would inherit them: the preload answers
// for them. Only where it is not part of Kamal (a bin/kamal that starts a container)
// do they come through the environment after all.
func (s *session) kamalEnv(j Job, project *kamal.Project, b *broker.Broker, found kamal.Binary) ([]string, error) {
	env := newChildEnv(s.Env)
	s.giveAgent(env)
	if !found.Preload {
		if err := s.giveSecrets(env); err != nil {
			return nil, err
		}
		s.System.Warning(unreached(found, "that every secret arrives as it is in the vault is not checked"))
	}
	docker := filepath.Join(s.dir.path, dockerDir)
	if s.docker == nil {
		var err error
		if docker, err = s.dir.sub(dockerDir); err != nil {
			return nil, err
		}
		if s.docker, err = dockerConfig(docker, environ.List(j.Env).Map()); err != nil {
			return nil, err
		}
	}
	var err error
	if server, known := ownRegistry(project); known && !found.Preload {
		err = keepLogin(docker, server)
	} else if !found.Preload {
		s.System.Notice(problem.New("which registry Kamal logs in to is not known here: its password goes to where docker's configuration keeps logins",
			"write registry.server in deploy.yml without ERB"))
	}
	if err != nil {
		return nil, err
	}
	env.SetAll(s.docker)
	if j.Foreign {
		// The workspace belongs to the runner's user and we are root: git would
		// call that dubious, and Kamal would then build without a clean clone.
		env.addGitConfig("safe.directory", "*")
	}
	env.SetAll(b.Environment(env.List))
	return env.List, nil
}

// ownRegistry is the registry that the run logs in to, as far as deploy.yml says.
func ownRegistry(project *kamal.Project) (server string, known bool) {
	if project == nil {
		return "", false
	}
	value := project.Config.Registry.Server
	return value.Or(""), !value.ERB && len(project.Config.Unknown) == 0
}

// giveAgent points a child at the agent, where there is one.
func (s *session) giveAgent(env *childEnv) {
	if s.agent != nil {
		env.Set("SSH_AUTH_SOCK", s.agent.Socket())
	}
}

// childEnv is the environment of a command that is not Kamal: the caller's less
// what is ours, the declared secrets, the agent.
func (s *session) childEnv() (*childEnv, error) {
	env := newChildEnv(s.Env)
	s.giveAgent(env)
	return env, s.giveSecrets(env)
}

// giveSecrets puts the declared secrets into an environment.
func (s *session) giveSecrets(env *childEnv) error {
	var problems problem.List
	for _, secret := range s.secrets {
		value := secret.Reveal()
		if n := len(secret.Name()) + len("=") + len(value); runtime.GOOS == "linux" && n > kamal.MaxArgument {
			problems = append(problems, problem.New(
				fmt.Sprintf("%s is too long for an environment variable: %d bytes with its name, the system takes %d", secret.Name(), n, kamal.MaxArgument),
				"have the command read it from a file, or through op read").About(problem.LongValue))
		}
		if strings.IndexByte(value, 0) >= 0 {
			problems = append(problems, problem.New(
				secret.Name()+" has a NUL byte, which no environment variable can hold",
				"keep it base64-encoded in 1Password and have the app decode it"))
		}
		env.Set(secret.Name(), value)
	}
	return problems.Err()
}

// A Terminal is ours: standard input, and which of our two streams are on it.
type Terminal struct {
	File           *os.File
	Stdout, Stderr bool
}

// supervise runs a child with its output masked, live, to our streams. Where we
// have a terminal the child gets one as well; a stream that is not on ours stays
// a pipe, since it is somebody's file or the input of another program.
// stream makes the way to one of them.
func (s *session) supervise(ctx context.Context, c supervise.Command, t *Terminal, apart bool, stream func(*gate.Stream) *gate.Child) (supervise.Exit, error) {
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
	errs := []error{err}
	for _, stream := range streams {
		// A stream that has refused output refuses its end too.
		if closing := stream.Close(); !errors.As(err, new(*supervise.OutputError)) {
			errs = append(errs, closing)
		}
	}
	return exit, errors.Join(errs...)
}

// stopped is the status of a run whose context may have ended: cancelled by a
// signal, out of time, or as it is.
func stopped(ctx context.Context, status int) int {
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
