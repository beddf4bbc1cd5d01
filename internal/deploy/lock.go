package deploy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/jobs"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

const (
	// lockLook is how often a lock is looked at that another holds.
	lockLook = 5 * time.Second
	// lockTell is how often the log repeats whose it is.
	lockTell = time.Minute
	// lockAsk is how often GitHub is asked whether its owner's run is over.
	lockAsk = 30 * time.Second
	// lockAnswer is how long GitHub may take to answer.
	lockAnswer = 20 * time.Second
)

// LockOptions say what a run does about the deploy lock.
type LockOptions struct {
	// Wait is how long a lock that another holds is waited for; 0 fails at once.
	Wait time.Duration
	// KeepStale leaves also the lock of a run that is over (--stale-lock fail).
	KeepStale bool
	// JobID is the job's number, job.check_run_id; 0 where it is not known.
	JobID int64
	// GitHubToken may read the repository's runs (actions: read); empty asks nobody.
	GitHubToken mask.Secret
	// Freeze is what the locks of the run say: deploys are frozen. nil is a deploy's.
	Freeze *kamal.Freeze
	// CIToken may read the jobs of GitLab, Buildkite or CircleCI, whichever runs us;
	// empty asks nobody.
	CIToken mask.Secret
}

// locks knows the deploy locks of one run: those that its Kamals took, and whose
// it is where another's is in the way.
type locks struct {
	o      LockOptions
	mark   kamal.Mark
	system ci.System
	// over asks whether the run that a mark names is over; nil where nobody can be
	// asked.
	over func(ctx context.Context, run github.Run) (github.Over, string, error)
	// jobOver likewise asks another system than GitHub; unasked is why nobody can.
	jobOver func(ctx context.Context, job jobs.Job) (bool, string, error)
	unasked string
	now     func() time.Time

	mu     sync.Mutex
	env    []string                          // of the command under way, beside what all have
	held   []kamal.LockPlace                 // that may be ours at this moment
	ended  map[kamal.LockPlace]kamal.Release // how releases by nonce ended
	tried  map[kamal.LockPlace]string        // the nonce of another's lock that was last to be released
	events []string                          // for the summary
	wait   lockWait

	asking sync.Mutex
	asked  map[string]ownerStatus // about marks, by nonce
}

// A lockWait is one wait for a lock: since when, and what the log last said about it.
type lockWait struct {
	since, told time.Time
	text        string
}

// An ownerStatus says whether the run that owns a lock is over.
type ownerStatus struct {
	over bool
	why  string
	at   time.Time
}

// newLocks makes the locks of a run in this environment, with a new mark.
func newLocks(o LockOptions, system ci.System, way *gate.Gate, env map[string]string) *locks {
	k := &locks{
		o: o, mark: newMark(system.Name(), env, o.JobID), system: system, now: time.Now,
		ended: map[kamal.LockPlace]kamal.Release{}, tried: map[kamal.LockPlace]string{}, asked: map[string]ownerStatus{},
	}
	if o.GitHubToken.Reveal() != "" && k.mark.Repository != "" {
		k.over = func(ctx context.Context, run github.Run) (github.Over, string, error) {
			client, err := github.New(github.Options{
				BaseURL: env["GITHUB_API_URL"], Token: o.GitHubToken.Reveal(), Repository: k.mark.Repository, Deadline: lockAnswer,
				Transport: way.Transport(nil),
			})
			if err != nil {
				return github.Unknown, "", err
			}
			defer client.Close()
			return client.RunOver(ctx, run)
		}
	}
	k.mark.Freeze = o.Freeze
	k.unasked = "without a github-token GitHub cannot be asked whether that run is over"
	if _, known := jobs.Own(env); known && env["GITHUB_RUN_ID"] == "" {
		k.askJobs(way, env)
	}
	return k
}

// askJobs has the API of the system that runs us asked, if a token is given.
func (k *locks) askJobs(way *gate.Gate, env map[string]string) {
	if k.o.CIToken.Reveal() == "" {
		k.unasked = "without KAMAL_OP_CI_TOKEN " + k.mark.System + " cannot be asked whether that job is over"
		return
	}
	client := func() (*jobs.Client, error) {
		return jobs.New(jobs.Options{Env: env, Token: k.o.CIToken.Reveal(), Transport: way.Transport(nil), Now: k.now})
	}
	if _, err := client(); err != nil {
		k.unasked = problem.Of(err)[0].Message
		return
	}
	k.jobOver = func(ctx context.Context, job jobs.Job) (bool, string, error) {
		c, err := client()
		if err != nil {
			return false, "", err
		}
		defer c.Close()
		return c.Over(ctx, job)
	}
}

// newMark says whose the locks of this run are, with a nonce of 130 bits.
func newMark(system string, env map[string]string, jobID int64) kamal.Mark {
	m := kamal.Mark{Nonce: rand.Text(), System: system, Link: runURL(env)}
	if env["GITHUB_RUN_ID"] != "" {
		m.Server, m.Repository, m.Job = env["GITHUB_SERVER_URL"], env["GITHUB_REPOSITORY"], env["GITHUB_JOB"]
		m.Runner, m.JobID = env["RUNNER_NAME"], jobID
		m.Run, _ = strconv.ParseInt(env["GITHUB_RUN_ID"], 10, 64) // 0 is not known
		m.Attempt, _ = strconv.ParseInt(env["GITHUB_RUN_ATTEMPT"], 10, 64)
		if m.Actor = env["GITHUB_TRIGGERING_ACTOR"]; m.Actor == "" {
			m.Actor = env["GITHUB_ACTOR"]
		}
		if m.Attempt > 1 && m.Link != "" {
			m.Link += "/attempts/" + strconv.FormatInt(m.Attempt, 10)
		}
		return m.Clean()
	}
	if j, known := jobs.Own(env); known {
		m.Server, m.Repository, m.Run, m.Job, m.JobID, m.UUID = j.Server, j.Repository, j.Run, j.Name, j.ID, j.UUID
		m.Runner, m.Actor, m.Link = j.Runner, j.Actor, j.Link
	}
	return m.Clean()
}

// Mark is part of broker.Locks.
func (k *locks) Mark() kamal.Mark { return k.mark }

// Taking is part of broker.Locks. The state is for the post step: this process may
// be killed at any moment from here on.
func (k *locks) Taking(place kamal.LockPlace) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(place)
	k.held = append(k.held, place)
	k.save()
}

// Taken is part of broker.Locks.
func (k *locks) Taken(place kamal.LockPlace) {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := "taken on " + place.Host
	if !k.wait.since.IsZero() {
		text += ", after " + k.now().Sub(k.wait.since).Round(time.Second).String()
		k.wait = lockWait{}
	}
	k.events = append(k.events, text)
}

// Released is part of broker.Locks.
func (k *locks) Released(place kamal.LockPlace) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(place)
	k.events = append(k.events, "released on "+place.Host)
	k.save()
}

// Kept is part of broker.Locks: nobody releases it when the run is over.
func (k *locks) Kept(place kamal.LockPlace) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(place)
	k.save()
}

// Ran is part of broker.Locks.
func (k *locks) Ran(place kamal.LockPlace, how kamal.Release) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended[place] = how
}

// Held is part of broker.Locks: it judges a lock that another holds.
func (k *locks) Held(ctx context.Context, place kamal.LockPlace, lock kamal.Lock, patience time.Duration) broker.Verdict {
	k.mu.Lock()
	k.drop(place)
	k.save()
	if k.wait.since.IsZero() {
		k.wait.since = k.now()
	}
	k.mu.Unlock()
	owner := k.askOwner(ctx, lock) // takes time, and nobody waits for it who ends the run

	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	stays := k.whyNotReleased(place, lock)
	if stays != "" {
		owner = ownerStatus{why: stays}
	}
	if owner.over && !k.o.KeepStale {
		k.tried[place] = lock.Mark.Nonce
		k.logEvent("the deploy lock on " + place.Host + " was left by a run that is over (" + owner.why + "): it is released; " + lock.Describe(now))
		return broker.Verdict{Release: lock.Mark.Nonce}
	}
	if lock.Owner == kamal.LockFrozen && lock.Mark.Freeze.Over(now) && stays == "" {
		k.tried[place] = lock.Mark.Nonce
		k.logEvent("the freeze's time is over, and the deploy lock on " + place.Host + " is free: " + lock.Frozen(place.App(), now))
		return broker.Verdict{Release: lock.Mark.Nonce}
	}
	patience = max(patience, k.o.Wait)
	left := patience - now.Sub(k.wait.since)
	if owner.over || left <= 0 {
		k.wait = lockWait{} // another Kamal of the run waits by itself
		return broker.Verdict{Stop: k.refusal(place, lock, owner, patience)}
	}
	text := "waiting for the deploy lock on " + place.Host + ": " + whose(place, lock, now)
	if owned := lock.By + lock.Mark.Nonce + lock.Since.String(); owned != k.wait.text || now.Sub(k.wait.told) >= lockTell {
		if owner.why != "" {
			text += " (" + owner.why + ")"
		}
		text += fmt.Sprintf(", for up to %s more", left.Round(time.Second))
		if owned != k.wait.text {
			k.logEvent(text)
		} else {
			k.system.Info(text)
		}
		k.wait.text, k.wait.told = owned, now
	}
	return broker.Verdict{Wait: min(left, lockLook)}
}

// whyNotReleased says why a lock cannot be released, whoever owns it; "" where it can.
// k.mu is held.
func (k *locks) whyNotReleased(place kamal.LockPlace, lock kamal.Lock) string {
	nonce, tried := k.tried[place]
	switch {
	case k.ended[place] == kamal.ReleaseFails:
		return "the user that Kamal logs in as may not remove it"
	case k.ended[place] == kamal.ReleasedNot && tried && nonce == lock.Mark.Nonce:
		// The server looks for the nonce as we write it, and whoever wrote these details
		// need not have: it would be released in vain for ever.
		return "its details are not as kamal-op writes them, and it is not released by its nonce: kamal-op kamal -- lock release removes it"
	}
	return ""
}

// logEvent puts an event into the log and the summary.
func (k *locks) logEvent(text string) {
	k.system.Info(text)
	k.events = append(k.events, text)
}

// askOwner finds out whether the run that owns a lock is over. Only runs of this
// repository can be asked about.
func (k *locks) askOwner(ctx context.Context, lock kamal.Lock) ownerStatus {
	m := lock.Mark
	switch {
	case lock.Owner != kamal.LockMarked:
		return ownerStatus{}
	case m.Nonce == k.mark.Nonce:
		return ownerStatus{why: "it is this very run, a command within another"}
	case m.Repository == "" || m.Run == 0 && m.JobID == 0:
		return ownerStatus{}
	case !strings.EqualFold(m.Repository, k.mark.Repository) || m.Server != k.mark.Server:
		return ownerStatus{why: "whether that run is over is not known here"}
	case k.over == nil && k.jobOver == nil:
		return ownerStatus{why: k.unasked}
	}
	k.asking.Lock()
	defer k.asking.Unlock()
	if known, ok := k.asked[m.Nonce]; ok && k.now().Sub(known.at) < lockAsk {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, lockAnswer)
	defer cancel()
	over, why, err := k.ask(ctx, m)
	found := ownerStatus{over: err == nil && over, why: why, at: k.now()}
	if err != nil {
		found.why = problem.Of(err)[0].Message
	}
	k.asked[m.Nonce] = found
	return found
}

// ask asks the system that runs us about the run or job that a mark names.
func (k *locks) ask(ctx context.Context, m kamal.Mark) (over bool, why string, err error) {
	if k.jobOver != nil {
		return k.jobOver(ctx, jobs.Job{Server: m.Server, Repository: m.Repository, Run: m.Run, ID: m.JobID, UUID: m.UUID})
	}
	is, why, err := k.over(ctx, github.Run{ID: m.Run, Attempt: m.Attempt, Job: m.Job, JobID: m.JobID, Runner: m.Runner})
	return is == github.Ended, why, err
}

// setEnv sets what the next command has in its environment beside what all have.
func (k *locks) setEnv(env []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.env = env
}

// drop takes a place off those that may hold a lock of ours. k.mu is held.
func (k *locks) drop(place kamal.LockPlace) {
	for i, p := range k.held {
		if p == place {
			k.held = append(k.held[:i:i], k.held[i+1:]...)
			return
		}
	}
}

// possiblyHeld lists the places where a lock of ours may still be.
func (k *locks) possiblyHeld() []kamal.LockPlace {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]kamal.LockPlace(nil), k.held...)
}

// eventLog lists what happened to the locks, in order.
func (k *locks) eventLog() []string {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.events...)
}

// LockState names the state that the post step reads the locks from.
const LockState = "lock"

// SavedLocks is what a run saves for its post step. There is no secret in it.
type SavedLocks struct {
	Nonce  string            `json:"nonce"`
	Places []kamal.LockPlace `json:"places"`
	// Env is what deploy.yml reads of a command's own environment: Call.Env.
	Env []string `json:"env,omitempty"`
}

// save tells the post step of the locks. k.mu is held.
func (k *locks) save() {
	text, err := json.Marshal(SavedLocks{k.mark.Nonce, k.held, k.env})
	if err == nil {
		err = k.system.State(LockState, string(text))
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		k.system.Warning(problem.New("the post step will not know of the deploy lock: "+err.Error(), ""))
	}
}
