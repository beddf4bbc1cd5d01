package deploy

import (
	"net/url"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// loginUsers are the users that Kamal logs in as with this project: ssh.user, the
// jump host's, the remote builder's. extra are those that the run was told of.
// Empty means any: where ERB, a proxy command or an ssh configuration decide, the
// users are not known here, and a wrong guess would stop a deploy.
func loginUsers(p *kamal.Project, extra []string) []string {
	if p == nil || p.Config == nil || len(p.Config.Unknown) > 0 {
		return nil
	}
	ssh := p.Config.SSH
	if ssh.ProxyCommand.Known || ssh.ConfigFile.Known || ssh.ProxyCommand.ERB || ssh.ConfigFile.ERB {
		return nil
	}
	users := []string{ssh.User.Or("root")}
	for _, host := range p.Config.Hosts {
		if user, _, named := strings.Cut(host.Name, "@"); named {
			users = append(users, user)
		}
	}
	if ssh.Proxy.Known {
		user, _, _ := strings.Cut(atRoot(ssh.Proxy.Text), "@")
		users = append(users, user)
	}
	if remote := p.Config.Builder.Remote; remote.Known && strings.HasPrefix(remote.Text, "ssh://") {
		u, err := url.Parse(remote.Text)
		if err != nil || u.User == nil || u.User.Username() == "" {
			return nil // ssh decides: its configuration, or the local user's name
		}
		users = append(users, u.User.Username())
	} else if p.Config.Builder.Remote.Place.Line > 0 && !remote.Known {
		return nil // several remotes by architecture
	}
	for _, u := range extra {
		if !slices.Contains(users, u) {
			users = append(users, u)
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// atRoot is a jump host as Kamal takes it: root logs in where no user is given
// (configuration/ssh.rb, proxy).
func atRoot(jump string) string {
	if strings.Contains(jump, "@") {
		return jump
	}
	return "root@" + jump
}
