package deploy

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A hostCheck stands before Kamal's connections: it logs in to the hosts of a
// command before anything is changed on them, and has every client take the given
// host keys and no others.
type hostCheck struct {
	*session
	dir   string // first on Kamal's PATH; the ssh name and the host keys lie there
	logIn bool

	mu      sync.Mutex
	targets []hosts.Target // that were told
	warned  bool           // that host keys are accepted on first sight
}

// checkHosts makes the check and, where host keys are given, the name ssh in dir.
func (s *session) checkHosts(ctx context.Context, j Job, dir string) (*broker.Hosts, error) {
	h := &hostCheck{session: s, dir: dir, logIn: j.CheckHosts && !j.Lenient && len(s.keys) > 0}
	b := &broker.Hosts{LogIn: h.logIn, Check: h.check}
	if s.pins == nil {
		if !h.logIn && !j.Lenient {
			s.System.Notice(problem.New("host keys are accepted on first sight",
				"kamal-op host-keys prints them, for --host-keys"))
		}
		return b, nil
	}
	if err := sshname.Install(dir, j.Executable, sshname.Settings{Pinned: true, KnownHosts: s.pins.KnownHosts(ctx, nil, lookup)}); err != nil {
		return nil, err
	}
	b.KnownHosts = filepath.Join(dir, sshname.KnownHosts)
	return b, nil
}

// check is asked before Kamal connects.
func (h *hostCheck) check(ctx context.Context, asked []broker.Host, logIn bool) problem.List {
	h.mu.Lock()
	defer h.mu.Unlock()
	var fresh, reached []hosts.Target // reached: those that we can log in to as Kamal does
	for _, a := range asked {
		t, direct := target(a)
		if slices.ContainsFunc(h.targets, func(known hosts.Target) bool { return known.String() == t.String() }) {
			continue
		}
		fresh = append(fresh, t)
		if direct {
			reached = append(reached, t)
		}
	}
	if h.pins != nil {
		if missing := h.pins.Missing(fresh); len(missing) > 0 {
			return missing
		}
	}
	o := hosts.Options{Keys: h.keys, Pins: h.pins}
	var results []hosts.Result
	switch {
	case logIn && h.logIn:
		began := time.Now()
		results = hosts.Login(ctx, reached, o)
		if problems := hosts.Problems(results, o); len(problems) > 0 {
			return problems
		}
		h.System.Info(fmt.Sprintf("logged in to %s in %.1f s", count(len(results), "host"), time.Since(began).Seconds()))
	case h.pins != nil:
		if unlearnt := h.pins.Unlearnt(reached); len(unlearnt) > 0 {
			results = hosts.Scan(ctx, unlearnt, o)
			if problems := hosts.Problems(results, o); len(problems) > 0 {
				return problems
			}
		}
	}
	h.targets = append(h.targets, fresh...)
	if h.pins == nil {
		if p := hosts.FirstSight(results); p != nil && !h.warned {
			h.warned = true
			h.System.Notice(p)
		}
		return nil
	}
	if err := sshname.Update(h.dir, sshname.Settings{Pinned: true, KnownHosts: h.pins.KnownHosts(ctx, h.targets, lookup)}); err != nil {
		return problem.Of(err)
	}
	return nil
}

// pin reads the host keys that lie in the vault: no secret, and not masked.
func (s *session) pin(ctx context.Context, w Wanted) problem.List {
	var problems problem.List
	for _, ref := range w.PinRefs {
		text, err := s.resolver.Read(ctx, ref)
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		pins, err := hosts.ParsePins(text.Reveal(), ref.String())
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		if s.pins == nil {
			s.pins = &hosts.Pins{}
		}
		s.pins.Add(pins)
	}
	return problems
}

// fingerprints are those that the agent holds a client to that shows its host.
func fingerprints(pins *hosts.Pins) []string {
	if pins == nil {
		return nil
	}
	return pins.Fingerprints()
}

// lookup is the system's resolver.
func lookup(ctx context.Context, host string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, host)
}

// target is a host that Kamal connects to, with those that it goes through, and
// whether we can go the same way: not through a proxy command, nor through a host
// whose user ssh's own configuration decides.
func target(h broker.Host) (t hosts.Target, direct bool) {
	t = hosts.Target{Host: h.Host, Port: h.Port, User: h.User}
	if h.Jump == "" {
		return t, !h.Command
	}
	// Net::SSH goes through the first last: `ssh -J rest -W host:port first`.
	first, rest, _ := strings.Cut(h.Jump, ",")
	hops := []string{first}
	if rest != "" {
		hops = strings.Split(rest, ",")
		hops = append(hops, first)
	}
	var through *hosts.Target
	direct = true
	for _, hop := range hops {
		user, address, named := strings.Cut(hop, "@")
		if !named {
			user, address = "", hop
			direct = false
		}
		next := hosts.Target{Host: address, User: user, Jump: through}
		if host, port, err := net.SplitHostPort(address); err == nil {
			next.Host = host
			next.Port, _ = strconv.Atoi(port) // 0 is the usual one; a wrong one ssh tells of
		}
		through = &next
	}
	t.Jump = through
	return t, direct
}

// count is a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
