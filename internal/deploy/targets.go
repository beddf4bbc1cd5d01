package deploy

import (
	"context"
	"errors"
	"strconv"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/mask"
	"github.com/kamal-op/kamal-op/sshagent"
)

// Targets are the hosts that deploy.yml names, as Kamal logs in to them. whole is
// false where ERB, or a proxy command, decides some of it.
func Targets(c *kamal.Config) (targets []hosts.Target, whole bool) {
	whole = len(c.Unknown) == 0 && !c.SSH.ProxyCommand.Known
	port, err := strconv.Atoi(c.SSH.Port.Or("22"))
	if err != nil {
		port = hosts.DefaultPort // Kamal will say what it thinks of it
	}
	jump := ""
	if c.SSH.Proxy.Known {
		jump = atRoot(c.SSH.Proxy.Text)
	}
	for _, h := range c.Hosts {
		t, _ := target(broker.Host{Host: h.Name, Port: port, User: c.SSH.User.Or("root"), Jump: jump})
		targets = append(targets, t)
	}
	return targets, whole
}

// ReadKeys gets the SSH keys that are wanted, for a command that has no child.
func ReadKeys(ctx context.Context, p Process, v Vault, w Wanted) (keys []*sshagent.Key, err error) {
	s := &session{Process: p, masker: mask.New()}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.mask(v.Credentials...); err != nil {
		return nil, err
	}
	w.Secrets, w.PinRefs = nil, nil
	if err := s.resolve(ctx, v, w); err != nil {
		return nil, err
	}
	return s.keys, nil
}
