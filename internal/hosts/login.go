package hosts

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/sshagent"
)

const (
	// loginTime is how long a login may take.
	loginTime = 5 * time.Second
	// Patience is for how long a host that does not answer is tried again: its SSH
	// server may be busy, or the machine coming up.
	Patience = 12 * time.Second
	// atOnce is how many hosts are logged in to at the same time; Kamal's own
	// limit (sshkit.max_concurrent_starts) is the same.
	atOnce = 30
)

// Options is what logins are tried with.
type Options struct {
	Keys   []*sshagent.Key
	Pins   *Pins         // the host keys to accept; nil accepts any, and a notice says so
	Time   time.Duration // for each host; 0 is loginTime
	Lookup Lookup        // nil is the system's resolver

	// Patience is how long after the first attempt the last one may begin, where
	// the connection failed and not the login. 0: there is one attempt.
	Patience time.Duration

	// What a target's Command is run in.
	Env []string
	Dir string

	// Ask is a command that is run on each host in place of our own, to be told what it
	// says. It changes nothing there, and ends with 0.
	Ask string
}

// An Outcome is how a login ended. They are distinguished since each has another
// remedy, where Kamal says "Authentication failed" of all.
type Outcome string

// The outcomes of a login.
const (
	LoggedIn     Outcome = "logged in"
	NoSuchName   Outcome = "name does not resolve"
	PortClosed   Outcome = "port closed"
	NoAnswer     Outcome = "no answer"
	NotSSH       Outcome = "not an SSH server"
	HungUp       Outcome = "connection closed by the server"
	NoCommon     Outcome = "no algorithm in common"
	HostDiffers  Outcome = "host key differs"
	NoPublicKey  Outcome = "public keys are not taken"
	NotAllowed   Outcome = "key not in authorized_keys"
	WrongKey     Outcome = "wrong key"
	TooMany      Outcome = "too many keys"
	UserBarred   Outcome = "user may not log in"
	OtherShell   Outcome = "the login shell is no POSIX shell"
	JumpFailed   Outcome = "jump host failed"
	JumpRefuses  Outcome = "jump host does not forward"
	ProxyFailed  Outcome = "proxy command failed"
	OtherFailure Outcome = "login failed"
)

// A Result is what a login or a scan of one host found.
type Result struct {
	Target  Target
	Outcome Outcome
	HostKey ssh.PublicKey // as the host showed it; nil where it came not so far
	Key     string        // fingerprint of the key that logged in
	Detail  string        // what the other side said, in characters that can be shown
	Took    time.Duration
	Tries   int // how often it was tried

	Answer   string    // what Options.Ask wrote to its standard output, the first 4 KiB
	Answered time.Time // when it had ended
}

// Login logs in to every target, and to every host that they go through, each
// once, in parallel. Where Pins have only a fingerprint of a host, they learn its
// key. The results are in the order of the targets, jump hosts before those that
// need them.
func Login(ctx context.Context, targets []Target, o Options) []Result {
	return checkAll(ctx, targets, o, false)
}

// Scan asks every target for its host key and does not log in, but to the hosts
// that others are reached through.
func Scan(ctx context.Context, targets []Target, o Options) []Result {
	return checkAll(ctx, targets, o, true)
}

// A loginBatch is one check of all targets.
type loginBatch struct {
	o     Options
	scan  bool
	slots chan struct{}
	jumps map[string]*jump // by known name; those that others need
}

// A jump is a host that others are reached through. done closes when its client
// is there, or its login has failed.
type jump struct {
	done   chan struct{}
	client *ssh.Client
}

func checkAll(ctx context.Context, targets []Target, o Options, scan bool) []Result {
	if o.Time == 0 {
		o.Time = loginTime
	}
	if o.Lookup == nil {
		o.Lookup = net.DefaultResolver.LookupHost
	}
	r := loginBatch{o: o, scan: scan, slots: make(chan struct{}, atOnce), jumps: make(map[string]*jump)}
	for _, t := range targets {
		for j := t.Jump; j != nil; j = j.Jump {
			r.jumps[j.String()] = &jump{done: make(chan struct{})}
		}
	}
	all := everyLogin(targets)
	results := make([]Result, len(all))
	var wg sync.WaitGroup
	for i, t := range all {
		wg.Go(func() { results[i] = r.checkTarget(ctx, t) })
	}
	wg.Wait()
	for _, j := range r.jumps {
		if j.client != nil {
			_ = j.client.Close()
		}
	}
	if o.Pins != nil {
		for _, result := range results {
			if result.HostKey != nil {
				o.Pins.Learn(result.Target, result.HostKey)
			}
		}
	}
	return judgeKeys(results)
}

// everyLogin are the targets with the hosts they go through before them, each
// login once.
func everyLogin(targets []Target) []Target { return withJumps(targets, Target.String) }

// withJumps are the targets with the hosts they go through before them, of each name one.
func withJumps(targets []Target, name func(Target) string) []Target {
	var out []Target
	seen := make(map[string]bool)
	var add func(t Target)
	add = func(t Target) {
		if t.Jump != nil {
			add(*t.Jump)
		}
		if n := name(t); !seen[n] {
			seen[n] = true
			out = append(out, t)
		}
	}
	for _, t := range targets {
		add(t)
	}
	return out
}

// judgeKeys tells a key that one host lacks from a key that is the wrong one:
// that no host takes.
func judgeKeys(results []Result) []Result {
	in := slices.ContainsFunc(results, func(r Result) bool { return r.Outcome == LoggedIn || r.Outcome == UserBarred })
	refused := 0
	for _, r := range results {
		if r.Outcome == NotAllowed {
			refused++
		}
	}
	if in || refused < 2 {
		return results
	}
	for i := range results {
		if results[i].Outcome == NotAllowed {
			results[i].Outcome = WrongKey
		}
	}
	return results
}

// checkTarget logs in to one host, through its jump host if it has one.
func (r *loginBatch) checkTarget(ctx context.Context, t Target) (result Result) {
	began := time.Now()
	result.Target = t
	needed := r.jumps[t.String()]
	defer func() {
		if needed != nil {
			close(needed.done)
		}
		result.Took = time.Since(began)
	}()
	var through *ssh.Client
	if t.Jump != nil {
		j := r.jumps[t.Jump.String()]
		<-j.done // comes, since a chain of jumps has an end
		if j.client == nil {
			result.Outcome = JumpFailed
			return result
		}
		through = j.client
	}
	r.slots <- struct{}{}
	defer func() { <-r.slots }()
	for pause := firstPause; ; pause *= 2 {
		client := r.once(ctx, through, &result)
		if needed != nil {
			needed.client = client
		} else if client != nil {
			_ = client.Close()
		}
		if !result.Outcome.passing() || time.Since(began)+pause > r.o.Patience || !wait(ctx, pause) {
			return result
		}
	}
}

// firstPause is how long after a failed attempt the second one begins.
const firstPause = 500 * time.Millisecond

// wait reports whether the whole time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// passing says that the connection failed, not what came after it: another attempt
// may do better. Who is refused a login, or shows another key, is not tried again.
func (o Outcome) passing() bool {
	switch o {
	case PortClosed, NoAnswer, HungUp, ProxyFailed:
		return true
	}
	return false
}

// once tries once. The client is that of a login that was in order.
func (r *loginBatch) once(ctx context.Context, through *ssh.Client, result *Result) *ssh.Client {
	result.Tries++
	result.Outcome, result.Detail = "", ""
	ctx, cancel := context.WithTimeout(ctx, r.o.Time)
	defer cancel()
	client := r.try(ctx, through, result)
	if client == nil {
		return nil
	}
	if r.scan || r.in(ctx, client, result) {
		result.Outcome = LoggedIn
		return client
	}
	_ = client.Close()
	return nil
}

// in says whether what is to be run after a login runs. What others are reached through may
// have any shell.
func (r *loginBatch) in(ctx context.Context, client *ssh.Client, result *Result) bool {
	if r.o.Ask == "" && r.jumps[result.Target.String()] == nil {
		return works(ctx, client, result)
	}
	return runs(ctx, client, cmp.Or(r.o.Ask, "true"), result)
}

// try connects until the host shows a key that is accepted: where only a
// fingerprint is known, the host must be asked for each of its keys.
func (r *loginBatch) try(ctx context.Context, through *ssh.Client, result *Result) *ssh.Client {
	for _, algorithms := range r.algorithms(result.Target) {
		a := attempt{batch: r, target: result.Target, ctx: ctx, through: through, algorithms: algorithms}
		client, err := a.run()
		if a.hostKey != nil {
			result.HostKey = a.hostKey
		}
		if err == nil {
			result.Key = a.used
			return client
		}
		// A scan ends with the host's key, unless others need the host.
		if r.scan && a.hostKey != nil && errors.Is(err, errSeen) {
			result.Outcome = LoggedIn
			return nil
		}
		outcome, detail := a.explain(err)
		if outcome == NoCommon && result.HostKey != nil { // it has no key of this kind
			continue
		}
		result.Outcome, result.Detail = outcome, detail
		if outcome != HostDiffers && outcome != NoCommon {
			return nil
		}
	}
	if result.Outcome == "" {
		result.Outcome = HostDiffers
	}
	return nil
}

// algorithms are the kinds of host keys to ask for, in turn.
func (r *loginBatch) algorithms(t Target) [][]string {
	ed := []string{ssh.KeyAlgoED25519}
	ec := []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}
	rsa := []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	every := slices.Concat(ed, ec, rsa)
	if r.o.Pins == nil {
		return [][]string{every}
	}
	var known []string
	for _, pin := range r.o.Pins.of(t) {
		switch {
		case pin.key == nil:
			return [][]string{ed, ec, rsa}
		case pin.key.Type() == ssh.KeyAlgoRSA:
			known = append(known, rsa...)
		default:
			known = append(known, pin.key.Type())
		}
	}
	if len(known) == 0 {
		return [][]string{every}
	}
	// Last every one: a host that has none of the keys given is to show what it has.
	return [][]string{known, every}
}
