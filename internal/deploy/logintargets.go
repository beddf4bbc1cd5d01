package deploy

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/sshagent"
)

// Targets are the hosts that deploy.yml names, as Kamal logs in to them. whole is
// false where ERB decides some of it, or a way that only Kamal's SSH library goes.
func Targets(ctx context.Context, c *kamal.Config, env []string) (targets []hosts.Target, whole bool) {
	whole = len(c.Unknown) == 0
	for _, h := range c.Hosts {
		asked := askedOf(ctx, c, h, env)
		t := targetOf(ctx, asked, env)
		whole = whole && (asked.Jump == "" || t.Jump != nil)
		targets = append(targets, t)
	}
	return targets, whole
}

// askedOf is a host of deploy.yml as Kamal will ask for it, so far as the file says.
func askedOf(ctx context.Context, c *kamal.Config, h kamal.Host, env []string) broker.Host {
	port, err := strconv.Atoi(c.SSH.Port.Or("22"))
	if err != nil {
		port = hosts.DefaultPort // Kamal will say what it thinks of it
	}
	asked := broker.Host{Host: h.Name, Port: port, User: c.SSH.User.Or("root"), Command: c.SSH.ProxyCommand.Or("")}
	if user, host, named := strings.Cut(h.Name, "@"); named {
		asked.User, asked.Host = user, host
	}
	config := c.SSH.ConfigFile.Or("")
	proxied := c.SSH.Proxy.Known || c.SSH.ProxyCommand.Known
	switch config {
	case "false": // no configuration counts for the host itself
	case "true":
		config = ""
		fallthrough
	default:
		asked.Config = config
		found := hosts.Resolve(ctx, asked.Host, config, env)
		asked.Host, asked.NoPublicKey = found.Host, found.NoPublicKey
		if !proxied {
			asked.Jump, asked.Command = found.ProxyJump, found.ProxyCommand
		}
	}
	if c.SSH.Proxy.Known {
		asked.Jump = atRoot(c.SSH.Proxy.Text)
	}
	return asked
}

// ReadKeys gets the SSH keys that are wanted, for a command that has no child.
func ReadKeys(ctx context.Context, p Process, v Vault, w Wanted) (keys []*sshagent.Key, err error) {
	w.PinRefs = nil
	keys, _, err = ReadLogin(ctx, p, v, w)
	return keys, err
}

// ReadLogin gets what a run would log in to its hosts with: the SSH keys, and the host
// keys that it would accept, nil for any.
func ReadLogin(ctx context.Context, p Process, v Vault, w Wanted) (keys []*sshagent.Key, pins *hosts.Pins, err error) {
	s := &resources{Process: p}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.mask(v.Credentials...); err != nil {
		return nil, nil, err
	}
	w.Secrets = nil
	if err := s.resolve(ctx, v, w); err != nil {
		return nil, nil, err
	}
	return s.keys, s.pins, nil
}
