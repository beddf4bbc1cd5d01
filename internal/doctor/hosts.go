package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/hosts"
)

// Servers are the hosts that a run logs in to.
type Servers struct {
	Targets []hosts.Target
	Partly  bool // ERB, or a way that only Kamal's SSH library goes, decides some of it
	OwnKeys bool // Kamal logs in with keys that deploy.yml names, and not with the run's
}

// A HostLook is what the look at the hosts needs.
type HostLook struct {
	Servers  func(ctx context.Context) (Servers, error)
	Login    func(ctx context.Context) (Login, error)
	Observed func(ctx context.Context) (Observed, error)
	Wait     time.Duration // for Observed, from the beginning of the look; 0 is kamalTime
	Env      []string      // what a proxy command runs in
	Dir      string
}

// kamalTime is how long the look at the hosts waits for Kamal: what the hosts have said
// is to be told in the check's own time, also of a Kamal that hangs.
const kamalTime = usualLimit * 2 / 3

// question is what a host is asked, in one command that changes nothing. It is one line
// without what a login shell that is no sh reads something into.
const question = `sh -c 'echo "arch $(uname -m)"; echo "clock $(date +%s)"; r=/; ` +
	`if command -v docker >/dev/null 2>&1; then ` +
	`if d=$(docker version --format "{{.Server.Version}}" 2>&1); then echo "docker $d"; r=$(docker info --format "{{.DockerRootDir}}" 2>/dev/null); ` +
	`else echo "refused $(echo "$d" | tr "\n" " ")"; fi; else echo absent; fi; ` +
	`(df -Pk "${r:-/}" 2>/dev/null || df -Pk / 2>/dev/null) | tail -n 1 | while read -r a b c free e; do echo "disk $free"; done; true'`

// What is told of a host's disk, in KiB, and of its clock.
const (
	noSpace    = 256 << 10 // an image hardly fits
	littleRoom = 2 << 20   // some versions of an image fit
	farOff     = time.Minute
)

// answerTime is how long a host may take for a login and the answer: a busy engine takes
// seconds to say what it is.
const answerTime = 15 * time.Second

// patience is how long after the first attempt the last one may begin to log in to a
// host that does not answer: a person waits.
const patience = 2 * time.Second

// CheckHosts looks whether each host can be logged in to with the key, shows a host
// key that was given, and has what a deploy needs: Docker for that user, room on its
// disk, an architecture that images are built for, and a clock that is right.
func CheckHosts(l HostLook) Check {
	c := Check{Area: areaHosts, Name: "hosts"}
	c.Look = func(ctx context.Context) []Finding {
		patient, cancel := context.WithTimeout(ctx, cmp.Or(l.Wait, kamalTime))
		defer cancel()
		servers, err := l.Servers(ctx)
		if err != nil {
			return problems(Finding{Area: areaHosts, Check: "hosts", State: Wrong}, err)
		}
		var found []Finding
		if servers.Partly {
			found = append(found, unseen(areaHosts, "hosts", "some hosts of deploy.yml", "ERB decides them, or how they are reached: Kamal alone knows"))
		}
		if len(servers.Targets) == 0 {
			return append(found, unseen(areaHosts, "hosts", "the hosts: deploy.yml has none that is known here", ""))
		}
		login, err := l.Login(ctx)
		if err != nil || len(login.Keys) > 0 {
			found = append(found, barred(servers.Targets)...)
		}
		o := hosts.Options{Keys: login.Keys, Pins: login.Pins, Patience: patience, Env: l.Env, Dir: l.Dir}
		why := ""
		switch {
		case err != nil:
			why = "what the run logs in with could not be read"
		case servers.OwnKeys:
			why = "Kamal logs in with the keys that deploy.yml names (ssh.keys_only), and not with the run's"
		case len(login.Keys) == 0:
			why = "no SSH key is named"
		}
		if why != "" {
			found = append(found, unseen(areaHosts, "login", "the login to the hosts, and what is there", why))
			return append(found, scanned(ctx, servers.Targets, o, login.PinsUnread)...)
		}
		o.Ask, o.Time = question, answerTime
		results := hosts.Login(ctx, servers.Targets, o)
		found = append(found, keysOf(results, o, servers.Targets)...)
		for _, r := range results {
			if r.Outcome == hosts.LoggedIn {
				named := slices.ContainsFunc(servers.Targets, func(t hosts.Target) bool { return t.String() == r.Target.String() })
				found = append(found, l.host(patient, r, named)...)
			}
		}
		return found
	}
	return c
}

// barred are the hosts that the ssh configuration keeps Kamal's key from. The login here
// does not go by it.
func barred(targets []hosts.Target) (found []Finding) {
	for _, t := range targets {
		if t.NoPublicKey {
			found = append(found, problems(Finding{Area: areaHosts, Check: "ssh-config", State: Wrong}, hosts.NoPublicKeyProblem(t.Host))...)
		}
	}
	return found
}

// scanned is what is seen of the hosts without a login: their keys. A host behind others
// is not reached so, and the first on its way stands for it.
func scanned(ctx context.Context, targets []hosts.Target, o hosts.Options, pinsUnread bool) []Finding {
	var direct []hosts.Target
	for _, t := range targets {
		for t.Jump != nil {
			t = *t.Jump
		}
		direct = append(direct, t)
	}
	if !pinsUnread {
		return keysOf(hosts.Scan(ctx, direct, o), o, targets)
	}
	o.Pins = nil
	results := hosts.Scan(ctx, direct, o)
	found := problems(Finding{Area: areaHosts, Check: "login", State: Wrong}, hosts.Problems(results, o).Err())
	keys := unseen(areaHosts, "host-keys", "whether the hosts show the host keys that are given", "those could not be read; shown are these lines")
	p := hosts.FirstSightNotice(results)
	if p == nil {
		return found
	}
	keys.Details = p.Details
	return append(found, keys)
}

// keysOf are what the hosts' keys are, and what stood in the way of the hosts.
func keysOf(results []hosts.Result, o hosts.Options, targets []hosts.Target) []Finding {
	wrong := Finding{Area: areaHosts, Check: "login", State: Wrong}
	failed := hosts.Problems(results, o)
	found := problems(wrong, failed.Err())
	keys := Finding{Area: areaHosts, Check: "host-keys"}
	if o.Pins == nil {
		p := hosts.FirstSightNotice(results)
		if p == nil {
			return found
		}
		keys.State, keys.Text, keys.Details = Notice, "no host keys are given: whatever key a host shows is accepted", p.Details
		keys.Hint = "hold these lines against what the servers' owner knows, and give them as --host-keys"
		return append(found, keys)
	}
	missing := o.Pins.Missing(targets)
	keys.State = Wrong
	found = append(found, problems(keys, missing.Err())...)
	differs := slices.ContainsFunc(results, func(r hosts.Result) bool { return r.Outcome == hosts.HostDiffers })
	seen := slices.ContainsFunc(results, func(r hosts.Result) bool { return r.HostKey != nil })
	if len(missing) == 0 && !differs && seen {
		n := 0
		for _, r := range results {
			if r.HostKey != nil && o.Pins.Accepts(r.Target, r.HostKey) {
				n++
			}
		}
		keys.State, keys.Text = Well, fmt.Sprintf("%d of %d hosts show a key of --host-keys", n, len(results))
		found = append(found, keys)
	}
	return found
}

// host is what one host has said. One that is only gone through needs nothing but the
// login.
func (l HostLook) host(ctx context.Context, r hosts.Result, named bool) []Finding {
	f := func(check string, state State, text string) Finding {
		return Finding{Area: areaHosts, Check: check, About: r.Target.String(), State: state, Text: text}
	}
	found := []Finding{f("login", Well, "logs in with "+r.Key)}
	if !named {
		return found
	}
	said := map[string]string{}
	for line := range strings.Lines(r.Answer) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		said[word] = strings.TrimSpace(rest)
	}
	found = append(found, dockerThere(said, r.Target, f))
	found = append(found, diskThere(said, f))
	found = append(found, clockThere(said, r.Answered, f))
	return append(found, l.architecture(ctx, said, f))
}

// dockerThere is whether the user may use Docker on a host.
func dockerThere(said map[string]string, t hosts.Target, f func(string, State, string) Finding) Finding {
	version, usable := said["docker"]
	why, refused := said["refused"]
	_, absent := said["absent"]
	switch {
	case usable && version != "":
		return f("docker", Well, "docker "+version)
	case absent:
		g := f("docker", Wrong, "docker is not installed")
		g.Hint = "kamal-op setup installs it where the user is root; elsewhere install it by hand"
		return g
	case refused && strings.Contains(why, "permission denied"):
		g := f("docker", Wrong, "the user may not use docker")
		g.Hint = "add the user to the group docker on the host: usermod -aG docker " + user(t)
		return g
	case refused:
		g := f("docker", Wrong, "docker does not answer")
		g.Details, g.Hint = []string{why}, "start it on the host: systemctl start docker"
		return g
	}
	return f("docker", Unseen, "whether docker is there: the host does not say")
}

// user is who logs in, as Kamal does.
func user(t hosts.Target) string {
	name, _, _ := strings.Cut(t.String(), "@")
	return name
}

// diskThere is how much room a host has for images.
func diskThere(said map[string]string, f func(string, State, string) Finding) Finding {
	free, err := strconv.ParseInt(said["disk"], 10, 64)
	if err != nil {
		return f("disk", Unseen, "how much room its disk has: the host does not say")
	}
	text := fmt.Sprintf("%.1f GiB free", float64(free)/(1<<20))
	g := f("disk", Well, text)
	switch {
	case free < noSpace:
		g.State = Wrong
	case free < littleRoom:
		g.State = Notice
	}
	if g.State != Well {
		g.Text, g.Hint = "only "+text+" where docker keeps images", "make room: kamal-op kamal -- prune all removes old images and containers of the app"
	}
	return g
}

// clockThere is how far a host's clock is from ours. A second passes on the way.
func clockThere(said map[string]string, at time.Time, f func(string, State, string) Finding) Finding {
	seconds, err := strconv.ParseInt(said["clock"], 10, 64)
	if err != nil {
		return f("clock", Unseen, "what its clock says: the host does not say")
	}
	off := time.Unix(seconds, 0).Sub(at).Round(time.Second)
	if off.Abs() < farOff {
		return f("clock", Well, "the same time")
	}
	ahead := "ahead of"
	if off < 0 {
		ahead = "behind"
	}
	g := f("clock", Notice, fmt.Sprintf("its clock is %s %s this machine's", off.Abs(), ahead))
	g.Hint = "have both keep time with NTP: certificates and one-time passwords depend on it"
	return g
}

// architecture is whether images are built for a host.
func (l HostLook) architecture(ctx context.Context, said map[string]string, f func(string, State, string) Finding) Finding {
	machine := said["arch"]
	if machine == "" {
		return f("architecture", Unseen, "its architecture: the host does not say")
	}
	o, err := l.Observed(ctx)
	if err != nil {
		g := f("architecture", Unseen, "whether images are built for "+machine)
		g.Hint = "Kamal could not be asked"
		if errors.Is(err, context.DeadlineExceeded) {
			g.Hint = "Kamal has not answered yet"
		}
		return g
	}
	name, ok := o.builtFor(machine)
	if !ok {
		g := f("architecture", Wrong, fmt.Sprintf("it is %s, and images are built for %s", name, strings.Join(o.Architectures, ", ")))
		g.Hint = "set builder.arch in deploy.yml to " + name
		return g
	}
	return f("architecture", Well, name)
}
