package deploy

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// releaseTime is how long a release of ours may take, a login included: less than
// what a CI runner leaves after an orderly stop has failed.
const releaseTime = 15 * time.Second

// releaseVariable tells the preload that a Kamal is to release the run's lock.
const releaseVariable = "KAMAL_OP_RELEASE"

// releaseLocks removes what Kamal has left of the run's deploy locks, each if and
// only if its mark has the run's nonce. Another Kamal does it, since nobody knows
// better how the server is reached: user, port, jump host, ~/.ssh/config, keys. It
// is one command there. env is the environment of the Kamal that left them, which
// deploy.yml may need to be read.
func (r *runner) releaseLocks(ctx context.Context, env []string) (problems problem.List) {
	for _, place := range r.locks.possiblyHeld() {
		if p := r.releaseLock(ctx, place, env); p != nil {
			problems = append(problems, p)
		}
	}
	return problems
}

// reportLocks tells of locks that could not be released, beside what Kamal did, whose
// status counts.
func (r *runner) reportLocks(problems problem.List) {
	for _, p := range problems {
		r.System.Error(p)
	}
}

// releaseLock releases one. The run may be cancelled: its context does not count.
func (r *runner) releaseLock(ctx context.Context, place kamal.LockPlace, env []string) *problem.Problem {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	r.locks.forget(place)
	var said bytes.Buffer
	out := r.Gate.Masked(&said)
	// No signal stops it: whoever wants the end more will kill.
	command := supervise.Command{
		Path: r.binary.Path, Args: place.ReleaseArgs(), Env: append(env[:len(env):len(env)], releaseVariable+"=1"), Dir: place.Project,
		Stdout: out, Stderr: out, Grace: time.Second, TermGrace: time.Second, Reaper: r.Reaper,
	}
	exit, err := command.Run(ctx)
	err = errors.Join(err, out.Close())
	how, ran := r.locks.release(place)
	if ran && how != kamal.ReleaseFails {
		return nil
	}
	p := problem.New("the deploy lock on "+place.Host+" could not be released", "if nothing is being deployed: kamal-op kamal -- lock release").About(problem.DeployLock)
	if place.Destination != "" {
		p.Hint += " --destination " + place.Destination
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	p.Details = kamal.Diagnose(lines[max(0, len(lines)-tailLines):]).Words
	switch {
	case ran:
		p.Details = []string{"the user that Kamal logs in as may not remove it"}
	case ctx.Err() != nil:
		p.Details = append(p.Details, "it took more than "+releaseTime.String())
	case err != nil:
		p.Details = append(p.Details, err.Error())
	case exit.Status() == problem.Done:
		p.Details = append(p.Details, "the Kamal there does not load kamal-op's preload")
	}
	return p
}

// forget drops how an earlier release at a place ended.
func (k *locks) forget(place kamal.LockPlace) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.ended, place)
}

// release is how the release at a place ended, and tells it.
func (k *locks) release(place kamal.LockPlace) (how kamal.Release, ran bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	how, ran = k.ended[place]
	switch {
	case !ran || how == kamal.ReleaseFails:
		k.events = append(k.events, "could not be released on "+place.Host)
		return how, ran
	case how == kamal.Released:
		k.logEvent("Kamal had left the deploy lock on " + place.Host + ": released")
	case how == kamal.ReleasedNot:
		k.logEvent("the deploy lock on " + place.Host + " is not this run's: left as it is")
	}
	k.drop(place)
	k.save()
	return how, ran
}

// Release is what the post step does about locks that a killed run has left: it
// resolves the key again, and removes each lock that has the run's nonce.
func (j Job) Release(ctx context.Context, left SavedLocks) (status int, err error) {
	j.Lenient, j.Builds, j.Check = true, false, CheckOff
	r, err := j.prepare(ctx, "")
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		return exitStatus(ctx, problem.Status(err)), outputProblem(err)
	}
	r.locks.adopt(left)
	env := newChildEnv(nil)
	env.SetAll(r.env)
	env.SetAll(left.Env)
	if problems := r.releaseLocks(ctx, env.List); len(problems) > 0 {
		return problem.Partial, problems
	}
	return problem.Done, nil
}

// adopt takes over what another process of the run has left.
func (k *locks) adopt(left SavedLocks) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mark.Nonce, k.held = left.Nonce, left.Places
}
