package deploy

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// targetOf is a host that Kamal connects to, with the way there: through hosts that
// we can log in to one by one, as ssh's configuration has them, or else through the
// very command that Net::SSH starts.
func targetOf(ctx context.Context, asked broker.Host, env []string) hosts.Target {
	t := hosts.Target{Host: asked.Host, Port: asked.Port, User: asked.User, Certificates: asked.Certificates, NoPublicKey: asked.NoPublicKey}
	if asked.Jump == "" {
		t.Command = proxyCommand(asked)
		return t
	}
	for _, hop := range hops(asked.Jump) {
		next := hosts.Resolve(ctx, hop, asked.Config, env)
		if !next.Direct() {
			t.Jump, t.Command = nil, proxyCommand(asked)
			return t
		}
		next.Jump = t.Jump
		t.Jump = &next.Target
	}
	return t
}

// hops are the hosts of a jump in the order in which they are gone through.
// Net::SSH goes through the first last: `ssh -J rest -W host:port first`.
func hops(jump string) []string {
	first, rest, _ := strings.Cut(jump, ",")
	if rest == "" {
		return []string{first}
	}
	return append(strings.Split(rest, ","), first)
}

// proxyCommand is the command that Net::SSH starts to reach a host, "" for none.
func proxyCommand(asked broker.Host) string {
	return strings.NewReplacer("%%", "%", "%h", asked.Host, "%p", strconv.Itoa(asked.Port), "%r", asked.User).Replace(asked.Command)
}

// obstacles are what keeps Kamal from the run's key or from the given host keys on
// its way to a host, each by the option that does it.
func (h *hostCheck) obstacles(asked broker.Host, t hosts.Target) problem.List {
	var list problem.List
	if path := sshname.ByPath(asked.Command); path != "" && h.pins != nil {
		list = append(list, problem.New(
			fmt.Sprintf("the proxy command of %s starts %s by its path, and so not with the host keys of --host-keys", t.Host, path),
			"write ssh in its place, in ssh.proxy_command of deploy.yml or in ProxyCommand of the ssh configuration").About(problem.HostKeys))
	}
	if len(h.keys) == 0 {
		return list
	}
	if asked.NoPublicKey {
		list = append(list, hosts.NoPublicKeyProblem(t.Host))
	}
	if asked.KeysOnly && asked.Keys == 0 {
		list = append(list, problem.New(
			"ssh.keys_only in deploy.yml keeps Kamal from the SSH key of this run, and it names no other that is there",
			"take ssh.keys_only out of deploy.yml").About(problem.LoginRefused))
	}
	if ownKeys(asked) {
		return list
	}
	for hop := &t; hop != nil; hop = hop.Jump {
		if hop.User != "" && len(h.users) > 0 && !slices.Contains(h.users, hop.User) {
			list = append(list, problem.New(
				"the agent does not sign for "+hop.String()+": deploy.yml does not name the user, the ssh configuration does",
				"allow the user with --ssh-user "+kamal.ShellWord(hop.User)).About(problem.LoginRefused))
		}
	}
	return list
}

// ownKeys says that Kamal logs in with keys of its own, and perhaps not with the
// run's: what we find out with ours is not what Kamal will find.
func ownKeys(asked broker.Host) bool { return asked.KeysOnly && asked.Keys > 0 }

// hostNames are what the hosts of a run are called, for the name ssh: they are
// logged in to with the run's agent. The remote builder is one of them.
func hostNames(targets []hosts.Target, asked []broker.Host, p *kamal.Project) []string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Host)
		for j := t.Jump; j != nil; j = j.Jump {
			names = append(names, j.Host)
		}
	}
	for _, a := range asked {
		if a.Jump == "" {
			continue
		}
		for _, hop := range hops(a.Jump) {
			names = append(names, hosts.ParseHop(hop).Host)
		}
	}
	if p != nil {
		if u, err := url.Parse(p.Config.Builder.Remote.Text); err == nil && u.Scheme == "ssh" {
			names = append(names, u.Hostname())
		}
	}
	return names
}
