package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/jobs"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

var lockPlace = kamal.LockPlace{Host: "192.0.2.1", Dir: ".kamal/lock-app", Project: "/p", ConfigFile: "/p/config/deploy.yml", Destination: "production"}

// lockWorld is a locks with a clock and a GitHub of the test's.
type lockWorld struct {
	*locks
	clock time.Time
	asked int
	over  github.Over
	err   error
	log   *bytes.Buffer
	state string // the file of the runner
}

func newLockWorld(t *testing.T, o LockOptions) *lockWorld {
	t.Helper()
	o.GitHubToken = mask.NewSecret("GITHUB_TOKEN", "x")
	w := &lockWorld{clock: time.Date(2026, 11, 22, 2, 10, 0, 0, time.UTC), log: new(bytes.Buffer), state: filepath.Join(t.TempDir(), "state")}
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "example/myapp", "GITHUB_RUN_ID": "20",
		"GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "deploy", "RUNNER_NAME": "r", "GITHUB_ACTOR": "someone", "GITHUB_STATE": w.state,
	}
	way := gate.New(gate.Options{Env: env, Stdout: w.log})
	w.locks = newLocks(o, ci.Detect(env, way, way.Stdout(), ci.Options{}), way, env)
	w.now = func() time.Time { return w.clock }
	w.locks.over = func(_ context.Context, run github.Run) (github.Over, string, error) {
		w.asked++
		if want := (github.Run{ID: 12, Attempt: 3, Job: "deploy", JobID: 77, Runner: "q"}); run != want {
			t.Errorf("GitHub is asked about %+v", run)
		}
		return w.over, "GitHub's word", w.err
	}
	return w
}

// theirs is the lock of another run, taken ten minutes ago.
func theirs(change func(*kamal.Lock)) kamal.Lock {
	l := kamal.Lock{Owner: kamal.LockMarked, By: "x", Since: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC), Mark: kamal.Mark{
		Nonce: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Server: "https://github.com", Repository: "example/myapp", Run: 12, Attempt: 3, Job: "deploy", JobID: 77, Runner: "q", Actor: "another",
	}}
	if change != nil {
		change(&l)
	}
	return l
}

// frozen is a freeze that has so much time left, taken ten minutes ago.
func frozen(left time.Duration) kamal.Lock {
	l := theirs(nil)
	l.Owner, l.By = kamal.LockFrozen, "Jane"
	l.Mark.Freeze = &kamal.Freeze{Why: "the database moves", Until: l.Since.Add(10*time.Minute + left)}
	return l
}

func TestLocks_JudgeAnothersLock(t *testing.T) {
	byHand := theirs(func(l *kamal.Lock) { *l = kamal.Lock{Owner: kamal.LockByHand, By: "Jane", Message: "Maintenance"} })
	plain := theirs(func(l *kamal.Lock) { *l = kamal.Lock{Owner: kamal.LockOfKamal, By: "Jane"} })
	for name, test := range map[string]struct {
		lock  kamal.Lock
		over  github.Over
		err   error
		o     LockOptions
		want  string // "release", "wait", or what the refusal says
		asked int
	}{
		"over":                         {theirs(nil), github.Ended, nil, LockOptions{}, "release", 1},
		"over, and waiting":            {theirs(nil), github.Ended, nil, LockOptions{Wait: time.Hour}, "release", 1},
		"over, but to be kept":         {theirs(nil), github.Ended, nil, LockOptions{KeepStale: true, Wait: time.Hour}, "GitHub's word", 1},
		"alive":                        {theirs(nil), github.Alive, nil, LockOptions{}, "GitHub's word", 1},
		"alive, and waiting":           {theirs(nil), github.Alive, nil, LockOptions{Wait: time.Hour}, "wait", 1},
		"not known":                    {theirs(nil), github.Unknown, nil, LockOptions{}, "GitHub's word", 1},
		"ended, with an error":         {theirs(nil), github.Ended, errors.New("the API is down"), LockOptions{}, "the API is down", 1},
		"another repository's":         {theirs(func(l *kamal.Lock) { l.Mark.Repository = "example/other" }), github.Ended, nil, LockOptions{}, "not known here", 0},
		"another GitHub's":             {theirs(func(l *kamal.Lock) { l.Mark.Server = "https://ghes" }), github.Ended, nil, LockOptions{}, "not known here", 0},
		"a terminal's":                 {theirs(func(l *kamal.Lock) { l.Mark = kamal.Mark{Nonce: l.Mark.Nonce} }), github.Ended, nil, LockOptions{}, "x holds it", 0},
		"of no run":                    {theirs(func(l *kamal.Lock) { l.Mark.Run, l.Mark.JobID = 0, 0 }), github.Ended, nil, LockOptions{}, "another", 0},
		"the repository in capitals":   {theirs(func(l *kamal.Lock) { l.Mark.Repository = "Example/MyApp" }), github.Ended, nil, LockOptions{}, "release", 1},
		"by hand":                      {byHand, github.Ended, nil, LockOptions{}, "Jane took it by hand (Maintenance)", 0},
		"by hand, and waiting":         {byHand, github.Ended, nil, LockOptions{Wait: time.Second}, "wait", 0},
		"a plain Kamal's":              {plain, github.Ended, nil, LockOptions{}, "a deploy by Jane", 0},
		"a plain Kamal's, and waiting": {plain, github.Ended, nil, LockOptions{Wait: time.Second}, "wait", 0},
		"a freeze":                     {frozen(time.Hour), github.Ended, nil, LockOptions{}, "deploys of app (production) are frozen by Jane since 2026-11-22 02:00:00 UTC, 10m0s ago: the database moves, until 2026-11-22 03:10:00 UTC", 0},
		"a freeze, and waiting":        {frozen(time.Hour), github.Ended, nil, LockOptions{Wait: time.Second}, "wait", 0},
		"a freeze that is over":        {frozen(-time.Second), github.Ended, nil, LockOptions{KeepStale: true}, "release", 0},
		"unreadable":                   {kamal.Lock{}, github.Ended, nil, LockOptions{}, "cannot be read", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLockWorld(t, test.o)
			w.over, w.err = test.over, test.err
			w.Taking(lockPlace)
			v := w.Held(t.Context(), lockPlace, test.lock, 0)
			got := "try"
			switch {
			case v.Stop != nil:
				got = v.Stop.Message + "\n" + strings.Join(v.Stop.Details, "\n")
				if v.Stop.Hint == "" || v.Stop.Status != problem.Found {
					t.Errorf("the refusal is %+v", v.Stop)
				}
			case v.Release != "":
				got = "release"
				if v.Release != test.lock.Mark.Nonce {
					t.Errorf("the nonce is %q", v.Release)
				}
			case v.Wait > 0:
				got = "wait"
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
			if w.asked != test.asked {
				t.Errorf("GitHub was asked %d times, want %d", w.asked, test.asked)
			}
			if len(w.possiblyHeld()) != 0 {
				t.Error("the lock of another is taken for ours")
			}
		})
	}
}

func TestLocks_KeepOwnLockWithinACommand(t *testing.T) {
	w := newLockWorld(t, LockOptions{})
	w.over = github.Ended
	v := w.Held(t.Context(), lockPlace, theirs(func(l *kamal.Lock) { l.Mark.Nonce = w.mark.Nonce }), 0)
	if v.Stop == nil || w.asked != 0 {
		t.Errorf("the verdict is %+v", v)
	}
}

func TestLocks_Wait(t *testing.T) {
	w := newLockWorld(t, LockOptions{Wait: 2 * time.Minute})
	w.over = github.Alive
	looks := 0
	for ; ; looks++ {
		v := w.Held(t.Context(), lockPlace, theirs(nil), 0)
		if v.Stop != nil {
			if v.Stop.Status != problem.TimedOut || !strings.Contains(v.Stop.Message, "did not become free in 2m0s: another (example/myapp, run 12, attempt 3, job deploy)") {
				t.Errorf("the refusal is %+v", v.Stop)
			}
			break
		}
		if v.Wait <= 0 || v.Wait > lockLook || looks > 100 {
			t.Fatalf("look %d: %+v", looks, v)
		}
		w.clock = w.clock.Add(v.Wait)
	}
	if looks != int(2*time.Minute/lockLook) {
		t.Errorf("looked %d times", looks)
	}
	if w.asked != 5 { // once, and every half minute
		t.Errorf("GitHub was asked %d times", w.asked)
	}
	if n := strings.Count(w.log.String(), "waiting for the deploy lock on 192.0.2.1: another ("); n != 2 {
		t.Errorf("said %d times whose it is\n%s", n, w.log)
	}

	// Kamal's own --lock-wait counts too, and a run that ends meanwhile is noticed.
	w = newLockWorld(t, LockOptions{})
	w.over = github.Alive
	if v := w.Held(t.Context(), lockPlace, theirs(nil), time.Minute); v.Wait == 0 {
		t.Errorf("the verdict is %+v", v)
	}
	w.over, w.clock = github.Ended, w.clock.Add(lockAsk)
	if v := w.Held(t.Context(), lockPlace, theirs(nil), time.Minute); v.Release == "" {
		t.Errorf("the verdict is %+v", v)
	}
	w.Taking(lockPlace)
	w.Taken(lockPlace)
	w.Released(lockPlace)
	if got := strings.Join(w.eventLog(), "\n"); !strings.Contains(got, "taken on 192.0.2.1, after 30s\nreleased on 192.0.2.1") {
		t.Errorf("the summary has\n%s", got)
	}
}

// A wait that was in vain is over: another Kamal of the run has its own time.
func TestLocks_EachWaitHasItsTime(t *testing.T) {
	w := newLockWorld(t, LockOptions{Wait: time.Minute})
	w.over = github.Alive
	for range 2 {
		if v := w.Held(t.Context(), lockPlace, theirs(nil), 0); v.Wait <= 0 {
			t.Fatalf("the verdict is %+v", v)
		}
		w.clock = w.clock.Add(time.Minute)
		if v := w.Held(t.Context(), lockPlace, theirs(nil), 0); v.Stop == nil {
			t.Fatalf("the verdict is %+v", v)
		}
	}
}

// A freeze is waited for until it is thawed, its time is over, or that of the wait; and one
// that cannot be removed is no reason to try for ever.
func TestLocks_Freeze(t *testing.T) {
	w := newLockWorld(t, LockOptions{Wait: time.Minute})
	if v := w.Held(t.Context(), lockPlace, frozen(30*time.Second), 0); v.Wait == 0 || !strings.Contains(w.log.String(), "waiting for the deploy lock on 192.0.2.1: deploys of app (production) are frozen by Jane") {
		t.Errorf("the verdict is %+v\n%s", v, w.log)
	}
	w.clock = w.clock.Add(30 * time.Second)
	if v := w.Held(t.Context(), lockPlace, frozen(30*time.Second), 0); v.Release == "" {
		t.Errorf("the verdict is %+v", v)
	}
	w.Ran(lockPlace, kamal.ReleaseFails)
	w.clock = w.clock.Add(time.Minute)
	v := w.Held(t.Context(), lockPlace, frozen(30*time.Second), 0)
	if v.Stop == nil || v.Stop.Status != problem.TimedOut || !strings.Contains(v.Stop.Message, "are frozen by Jane") || !strings.HasSuffix(v.Stop.Message, "; waited 1m0s for it") || !strings.Contains(v.Stop.Hint, "kamal-op thaw --destination production") {
		t.Errorf("the verdict is %+v", v.Stop)
	}
}

// A lock that is released in vain, since its details are not as we write them, is one that
// is held: refused, or waited for. Another one at its place is released as ever.
func TestLocks_StopAfterAReleaseInVain(t *testing.T) {
	// The server looks for the nonce without a blank before it.
	details := func(message, rest string) kamal.Lock {
		return kamal.ParseLock("Locked by: x at 2026-11-22T02:00:00Z\nVersion: v\nMessage: " + message + "\nkamal-op: {\"nonce\": \"ABCDEFGHIJKLMNOPQRSTUVWXYZ\"," + rest + "}\n")
	}
	const (
		run    = `"server":"https://github.com","repository":"example/myapp","run":12,"attempt":3,"job":"deploy","job_id":77,"runner":"q"`
		freeze = `"freeze":{"why":"y","until":"2020-01-01T00:00:00Z"}`
	)
	for name, lock := range map[string]kamal.Lock{
		"a freeze that is over":  details("Deploys are frozen: y", freeze),
		"of a run that is over":  details("Automatic deploy lock", run),
		"of a run, and a freeze": details("Deploys are frozen: y", run+","+freeze),
		"a nonce that none has":  theirs(func(l *kamal.Lock) { l.Mark.Nonce = "short" }),
	} {
		t.Run(name, func(t *testing.T) {
			for _, wait := range []time.Duration{0, time.Minute} {
				w := newLockWorld(t, LockOptions{Wait: wait})
				w.over = github.Ended
				if v := w.Held(t.Context(), lockPlace, lock, 0); v.Release != lock.Mark.Nonce {
					t.Fatalf("the verdict is %+v", v)
				}
				w.Ran(lockPlace, kamal.ReleasedNot)
				v := w.Held(t.Context(), lockPlace, lock, 0)
				if wait > 0 {
					if v.Wait <= 0 || v.Release != "" {
						t.Errorf("the verdict is %+v", v)
					}
					w.clock = w.clock.Add(wait)
					v = w.Held(t.Context(), lockPlace, lock, 0)
				}
				if v.Stop == nil || !strings.Contains(strings.Join(v.Stop.Details, "\n"), "not as kamal-op writes them") {
					t.Errorf("the verdict is %+v", v)
				}
				if v.Stop != nil && strings.HasPrefix(name, "a freeze") && !strings.Contains(v.Stop.Hint, " would not end it either: log in as who took it; by hand: kamal-op kamal -- lock release") {
					t.Errorf("hint: %s", v.Stop.Hint)
				}
				next := theirs(func(l *kamal.Lock) { l.Mark.Nonce = strings.Repeat("N", 26) })
				if v := w.Held(t.Context(), lockPlace, next, 0); v.Release != next.Mark.Nonce {
					t.Errorf("the next one: %+v", v)
				}
			}
		})
	}
}

// What a run takes to stay is none of its locks any more.
func TestLocks_Kept(t *testing.T) {
	w := newLockWorld(t, LockOptions{Freeze: &kamal.Freeze{Why: "x"}})
	if got := w.Mark().Freeze; got == nil || got.Why != "x" {
		t.Errorf("the mark is %+v", w.Mark())
	}
	w.Taking(lockPlace)
	w.Taken(lockPlace)
	w.Kept(lockPlace)
	if left := w.possiblyHeld(); len(left) > 0 {
		t.Errorf("it would release %v", left)
	}
}

// What the post step finds is true at every moment.
func TestLocks_State(t *testing.T) {
	w := newLockWorld(t, LockOptions{})
	w.setEnv([]string{"REVIEW_APP=pr-1"})
	other := lockPlace
	other.Dir += "-other"
	for _, step := range []struct {
		do   func()
		want []kamal.LockPlace
	}{
		{func() { w.Taking(lockPlace) }, []kamal.LockPlace{lockPlace}},
		{func() { w.Taken(lockPlace) }, []kamal.LockPlace{lockPlace}},
		{func() { w.Taking(other) }, []kamal.LockPlace{lockPlace, other}},
		{func() { w.Taking(lockPlace) }, []kamal.LockPlace{other, lockPlace}},
		{func() { w.Held(t.Context(), other, kamal.Lock{}, 0) }, []kamal.LockPlace{lockPlace}},
		{func() { w.Released(lockPlace) }, nil},
	} {
		step.do()
		var left SavedLocks
		if err := json.Unmarshal([]byte(lastState(t, w.state)), &left); err != nil {
			t.Fatal(err)
		}
		if left.Nonce != w.mark.Nonce || len(left.Nonce) < 26 {
			t.Errorf("the nonce is %q", left.Nonce)
		}
		if len(left.Env) != 1 || left.Env[0] != "REVIEW_APP=pr-1" {
			t.Errorf("the environment is %q", left.Env)
		}
		if diff := cmp.Diff(step.want, append([]kamal.LockPlace(nil), left.Places...)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(step.want, w.possiblyHeld()); diff != "" {
			t.Error(diff)
		}
	}
}

// lastState is the last value in the runner's file, the one that counts.
func lastState(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) < 3 || !strings.HasPrefix(lines[len(lines)-3], LockState+"<<") {
		t.Fatalf("the state is\n%s", text)
	}
	return lines[len(lines)-2]
}

func TestNewMark(t *testing.T) {
	a, b := newMark("a terminal", nil, 0), newMark("a terminal", nil, 0)
	if a.Nonce == b.Nonce || len(a.Nonce) < 26 || a.By() != "" {
		t.Errorf("marks %+v and %+v", a, b)
	}
	m := newMark("GitLab", gitlabJob, 0)
	if m.Link != "https://gitlab.com/example/myapp/-/jobs/50" || m.By() != "someone (example/myapp, run 1000, job deploy)" || m.JobID != 50 {
		t.Errorf("mark %+v, %s", m, m.By())
	}
}

// gitlabJob is the environment of a job of GitLab's.
var gitlabJob = map[string]string{
	"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.com", "CI_API_V4_URL": "https://gitlab.com/api/v4", "CI_PROJECT_PATH": "example/myapp",
	"CI_PIPELINE_ID": "1000", "CI_JOB_ID": "50", "CI_JOB_NAME": "deploy", "GITLAB_USER_LOGIN": "someone", "CI_JOB_URL": "https://gitlab.com/example/myapp/-/jobs/50",
}

// The owner of a lock is asked for where a token is given, and of this project alone;
// otherwise it counts as alive, and the reason is told.
func TestLocks_AskTheSystemThatRunsUs(t *testing.T) {
	way := gate.New(gate.Options{Env: gitlabJob, Stdout: io.Discard})
	system := ci.Detect(gitlabJob, way, way.Stdout(), ci.Options{})
	token := LockOptions{CIToken: mask.NewSecret("a token", "glpat-"+strings.Repeat("x", 20))}
	theirs := newMark("GitLab", maps.Clone(gitlabJob), 0)
	theirs.JobID = 49
	other := theirs
	other.Repository, other.Nonce = "example/other", strings.Repeat("b", 26)
	for name, test := range map[string]struct {
		o     LockOptions
		env   map[string]string
		mark  kamal.Mark
		asked bool
		want  ownerStatus
	}{
		"with a token":      {token, nil, theirs, true, ownerStatus{over: true, why: "GitLab's word"}},
		"another project":   {token, nil, other, false, ownerStatus{why: "whether that run is over is not known here"}},
		"without a token":   {LockOptions{}, nil, theirs, false, ownerStatus{why: "without KAMAL_OP_CI_TOKEN GitLab cannot be asked whether that job is over"}},
		"an address to see": {token, map[string]string{"CI_API_V4_URL": "http://gitlab.com/api/v4"}, theirs, false, ownerStatus{why: "GitLab is not asked whether another job is over: its API's address is not https://"}},
	} {
		env := maps.Clone(gitlabJob)
		maps.Copy(env, test.env)
		k := newLocks(test.o, system, way, env)
		asked := false
		if k.jobOver != nil {
			k.jobOver = func(_ context.Context, job jobs.Job) (bool, string, error) {
				asked = true
				if job.ID != 49 || job.Repository != "example/myapp" {
					t.Errorf("%s: asked about %+v", name, job)
				}
				return true, "GitLab's word", nil
			}
		}
		got := k.askOwner(t.Context(), kamal.Lock{Owner: kamal.LockMarked, Mark: test.mark})
		if got.over != test.want.over || got.why != test.want.why || asked != test.asked {
			t.Errorf("%s: %+v, asked %v", name, got, asked)
		}
	}
}
