// Package hosts makes host keys hold for every client of a run, and finds out
// before Kamal starts whether every host can be logged in to.
//
// The keys that a team gives with --host-keys become one known_hosts file, in the
// only shape that OpenSSH, Net::SSH and SSHKit all enforce: unhashed, a line a
// key, the name and the addresses that it resolves to together. OpenSSH, and what
// starts it, gets the file through names that stand first on PATH (sshname),
// Net::SSH through Kamal's preload; neither HOME nor /etc is touched.
package hosts

import (
	"net"
	"strconv"
)

// DefaultPort is SSH's.
const DefaultPort = 22

// A Target is a host that a run logs in to.
type Target struct {
	Host string  // name or address, as deploy.yml has it
	Port int     // 0 is 22
	User string  // empty is root, as in Kamal
	Jump *Target // the host to go through (ssh.proxy); nil: none

	// Command is a shell's line whose input and output are the connection
	// (ProxyCommand); "" for none. Where there is one, Jump does not count.
	Command string

	Certificates []string // files of certificates to log in with, beside the plain keys
	NoPublicKey  bool     // the ssh configuration does not let keys be tried
}

// String is user@host, with the port where it is not 22.
func (t Target) String() string { return t.user() + "@" + display(t.Host, t.port()) }

func (t Target) port() int {
	if t.Port == 0 {
		return DefaultPort
	}
	return t.Port
}

func (t Target) user() string {
	if t.User == "" {
		return "root"
	}
	return t.User
}

func (t Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.port())) }

// display is a host as people write it.
func display(host string, port int) string {
	if port == DefaultPort {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// knownName is a host as known_hosts has it.
func knownName(host string, port int) string {
	if port == DefaultPort {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}
