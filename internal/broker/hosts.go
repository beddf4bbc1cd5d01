package broker

import (
	"context"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// pinningPart is what the preload calls the part that makes Net::SSH take the
// given host keys alone.
const pinningPart = "checking host keys"

// Hosts is what Kamal's connections wait for.
type Hosts struct {
	// KnownHosts is the file whose keys Net::SSH takes, and no others; "" leaves
	// that to Net::SSH. It is there before Check returns.
	KnownHosts string

	// Agent is the socket of the run's agent, which Net::SSH logs in with, also
	// where an ssh configuration names another; "" leaves that to Net::SSH.
	Agent string

	// LogIn has Kamal report all hosts of a command before it connects to the first.
	LogIn bool

	// Check is called before Kamal connects: with all hosts of a command (logIn), or
	// with one that was not among them. It may be called from several goroutines.
	// Problems stop Kamal.
	Check func(ctx context.Context, hosts []Host, logIn bool) problem.List
}

// A Host is one that Kamal is about to connect to, as Net::SSH resolved it.
type Host struct {
	Host    string `json:"host"`
	Port    int    `json:"port"`
	User    string `json:"user"`
	Jump    string `json:"jump"`    // [user@]host[:port], separated by commas; "" for none
	Command string `json:"command"` // that connects to it, with %h and %p; "" where none is needed
	Config  string `json:"config"`  // the ssh configuration that deploy.yml names; "" for the usual ones

	Certificates []string `json:"certificates"`  // files of certificates
	NoPublicKey  bool     `json:"no_public_key"` // the ssh configuration does not let keys be tried
	KeysOnly     bool     `json:"keys_only"`     // deploy.yml says ssh.keys_only
	Keys         int      `json:"keys"`          // how many keys Net::SSH has of its own
	OtherWay     bool     `json:"other_way"`     // it is reached in a way that is not known here
}

type hostsRequest struct {
	Hosts []Host `json:"hosts"`
	LogIn bool   `json:"log_in"`
}

// hosts answers what the preload asks before Kamal connects.
func (b *Broker) hosts(ctx context.Context, r *hostsRequest) *checkReply {
	if b.o.Hosts == nil || b.o.Hosts.Check == nil {
		return &checkReply{}
	}
	if problems := b.o.Hosts.Check(ctx, r.Hosts, r.LogIn); len(problems) > 0 {
		return &checkReply{Stop: b.stopFor(problems)}
	}
	return &checkReply{}
}
