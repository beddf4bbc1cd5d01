package deploy

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A hostCheck stands before Kamal's connections: it logs in to the hosts of a
// command before anything is changed on them, and has every client take the given
// host keys and no others.
type hostCheck struct {
	*resources
	dir      string // first on Kamal's PATH; the ssh name and the host keys lie there
	logIn    bool
	project  *kamal.Project
	childEnv []string // what ssh and proxy commands run in: Kamal's, as far as they see it

	mu      sync.Mutex
	targets []hosts.Target // that were checked
	asked   []broker.Host  // likewise, as Kamal has them
	warned  bool           // that host keys are accepted on first sight
	own     bool           // noticed that Kamal logs in with keys of its own
}

// checkHosts makes the check and, where host keys or an agent are given, the names
// in dir that hold ssh to them.
func (s *resources) checkHosts(ctx context.Context, j Job, dir string, project *kamal.Project) (*broker.Hosts, error) {
	h := s.hostCheck(j, dir, project)
	b := &broker.Hosts{LogIn: h.logIn, Check: h.check}
	if s.pins == nil && !h.logIn && !j.Lenient {
		s.System.Notice(problem.New("host keys are accepted on first sight",
			"kamal-op host-keys prints them, for --host-keys"))
	}
	if s.pins == nil && s.agent == nil {
		return b, nil
	}
	settings := h.settings(ctx)
	settings.Path = s.sshEnv().Get("PATH")
	if err := sshname.Install(dir, j.Executable, settings); err != nil {
		return nil, err
	}
	if s.pins != nil {
		b.KnownHosts = filepath.Join(dir, sshname.KnownHosts)
	}
	if s.agent != nil {
		b.Agent = s.agent.Socket()
	}
	return b, nil
}

// hostCheck is the check of a job's hosts, which has seen none yet.
func (s *resources) hostCheck(j Job, dir string, project *kamal.Project) *hostCheck {
	env := s.sshEnv()
	env.prependPath(dir)
	return &hostCheck{
		resources: s, dir: dir, logIn: j.CheckHosts && !j.Lenient && len(s.keys) > 0,
		project: project, childEnv: env.List,
	}
}

// sshEnv is what ssh and proxy commands run in.
func (s *resources) sshEnv() *childEnv {
	env := newChildEnv(s.Env)
	s.addAgent(env)
	return env
}

// settings are what the names in dir do with the hosts that are known so far.
func (h *hostCheck) settings(ctx context.Context) sshname.Settings {
	var s sshname.Settings
	if h.pins != nil {
		s.Pinned, s.KnownHosts = true, h.pins.KnownHosts(ctx, h.targets, lookup)
	}
	if h.agent != nil {
		s.AgentHosts = hostNames(h.targets, h.asked, h.project)
	}
	return s
}

// check is called before Kamal connects.
func (h *hostCheck) check(ctx context.Context, asked []broker.Host, logIn bool) problem.List {
	h.mu.Lock()
	defer h.mu.Unlock()
	var fresh, reached []hosts.Target // reached: those that we can log in to as Kamal does
	var problems problem.List
	for _, a := range asked {
		t := targetOf(ctx, a, h.childEnv)
		if slices.ContainsFunc(h.targets, func(known hosts.Target) bool { return known.String() == t.String() }) {
			continue
		}
		problems = append(problems, h.obstacles(a, t)...)
		fresh = append(fresh, t)
		h.asked = append(h.asked, a)
		switch {
		case ownKeys(a):
			h.noticeOwnKeys()
		case !a.OtherWay:
			reached = append(reached, t)
		}
	}
	if h.pins != nil {
		problems = append(problems, h.pins.Missing(fresh)...)
	}
	if len(problems) > 0 {
		return problems
	}
	h.targets = append(h.targets, fresh...)
	// Before the login: a proxy command starts our ssh.
	if problems := h.update(ctx); len(problems) > 0 {
		return problems
	}
	results, problems := h.logInOrScan(ctx, reached, logIn && h.logIn)
	if len(problems) > 0 {
		return problems
	}
	if h.pins == nil {
		if p := hosts.FirstSightNotice(results); p != nil && !h.warned {
			h.warned = true
			h.System.Notice(p)
		}
		return nil
	}
	return h.update(ctx) // with the keys that were seen
}

// logInOrScan logs in to hosts, or only asks for the host keys of which no more than a
// fingerprint was given.
func (h *hostCheck) logInOrScan(ctx context.Context, reached []hosts.Target, logIn bool) ([]hosts.Result, problem.List) {
	o := hosts.Options{Keys: h.keys, Pins: h.pins, Patience: hosts.Patience, Env: h.childEnv, Dir: h.projectDir()}
	if logIn {
		began := time.Now()
		results := hosts.Login(ctx, reached, o)
		if problems := hosts.Problems(results, o); len(problems) > 0 {
			return nil, problems
		}
		if len(results) > 0 {
			h.System.Info(fmt.Sprintf("logged in to %s in %.1f s", count(len(results), "host"), time.Since(began).Seconds()))
		}
		return results, nil
	}
	if h.pins == nil {
		return nil, nil
	}
	unlearnt := h.pins.WithoutKey(reached)
	if len(unlearnt) == 0 {
		return nil, nil
	}
	results := hosts.Scan(ctx, unlearnt, o)
	return results, hosts.Problems(results, o)
}

// update tells the names in dir of the hosts.
func (h *hostCheck) update(ctx context.Context) problem.List {
	if h.pins == nil && h.agent == nil {
		return nil
	}
	if err := sshname.Update(h.dir, h.settings(ctx)); err != nil {
		return problem.Of(err)
	}
	return nil
}

// noticeOwnKeys says once that the login check would find out nothing.
func (h *hostCheck) noticeOwnKeys() {
	if h.own {
		return
	}
	h.own = true
	h.System.Notice(problem.New("Kamal logs in with the keys that deploy.yml names (ssh.keys_only), and not with the run's: the login is not checked",
		"take ssh.keys_only out of deploy.yml to log in with the key of --ssh-key"))
}

func (h *hostCheck) projectDir() string {
	if h.project == nil {
		return ""
	}
	return h.project.Dir
}

// pin reads the host keys that lie in the vault: no secret, and not masked.
func (s *resources) pin(ctx context.Context, w Wanted) problem.List {
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

// count is a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
