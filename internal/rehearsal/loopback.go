package rehearsal

import (
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// loopbackOnly is every address in a resolved configuration that is not on
// loopback, and everything else by which a run could reach beyond this machine
// or into files that are not the rehearsal's. The rehearsal moved them; this is
// the proof, from Kamal's own mouth, before anything runs.
func (s *session) loopbackOnly(r *resolved.Configuration) error {
	var problems problem.List
	var found findFunc = func(format string, args ...any) {
		p := problem.Newf(format, args...)
		p.Hint = "the rehearsal stops before anything is touched: this is a gap in kamal-op, please report the lines of deploy.yml"
		problems = append(problems, p)
	}
	if len(r.Hosts) == 0 {
		found("the rehearsal's configuration has no hosts")
	}
	for _, h := range r.Hosts {
		found.host("a host", h)
	}
	if r.SSH.Proxy {
		found("the rehearsal's configuration goes through an SSH proxy")
	}
	if r.SSH.Port != strconv.Itoa(s.host.Port()) || r.SSH.User != hostUser {
		found("the rehearsal's SSH host is not the one that is asked: user %s, port %s", r.SSH.User, r.SSH.Port)
	}
	if r.SSH.Keys {
		found("the rehearsal's configuration has SSH keys of its own")
	}
	if r.Registry != s.registry.Address() {
		found("the registry of the rehearsal's configuration is %q", r.Registry)
	}
	if r.Builder.Driver != "docker" || r.Builder.Remote != "" || r.Builder.Cached {
		found("the builder of the rehearsal's configuration is not this machine's engine")
	}
	if r.Output {
		found("the rehearsal's configuration copies its log elsewhere")
	}
	if !s.opts.WithHooks && r.HooksPath != s.path("hooks") {
		found("the hooks of the rehearsal's configuration are on: %s", r.HooksPath)
	}
	if r.Service != s.made.service {
		found("the service of the rehearsal's configuration is %q", r.Service)
	}
	proxied, runs := s.containersOnLoopback(r, found)
	if proxied && !runs {
		found("kamal-proxy is run on every address of this machine")
	}
	return problems.Err()
}

// A findFunc notes a way by which a configuration leads beyond loopback.
type findFunc func(format string, args ...any)

func (found findFunc) host(what, address string) {
	if !isLoopback(address) {
		found("%s of the rehearsal's configuration is %s, which is not this machine", what, address)
	}
}

// containersOnLoopback looks at the containers of every role and accessory. proxied
// says whether kamal-proxy leads to one, runs whether the configuration says how it is
// run.
func (s *session) containersOnLoopback(r *resolved.Configuration, found findFunc) (proxied, runs bool) {
	container := func(what string, c resolved.Container, hosts []string, proxy *resolved.Proxy) {
		for _, h := range hosts {
			found.host("the host of "+what, h)
		}
		for _, fault := range s.beyond(c.Args) {
			found("%s is run with %s", what, fault)
		}
		if proxy == nil {
			return
		}
		proxied = true
		if proxy.TLS {
			found("%s has a certificate asked for by kamal-proxy", what)
		}
		if proxy.Run != nil {
			runs = true
			if proxy.Run.Registry != "" {
				found.host("the registry of kamal-proxy", proxy.Run.Registry)
			}
			for _, fault := range s.beyond(proxy.Run.Args) {
				found("kamal-proxy for %s is run with %s", what, fault)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Roles)) {
		role := r.Roles[name]
		container("the role "+name, role.Container, role.Hosts, role.Proxy)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Accessories)) {
		accessory := r.Accessories[name]
		if accessory.Registry != "" {
			found.host("the registry of the accessory "+name, accessory.Registry)
		}
		container("the accessory "+name, accessory.Container, accessory.Hosts, accessory.Proxy)
	}
	return proxied, runs
}

// beyond is what among the arguments of docker run reaches beyond loopback and
// the rehearsal's own folders and volumes.
func (s *session) beyond(args []string) (faults []string) {
	for i := range args {
		option, value, joined := strings.Cut(args[i], "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		// One argument can be a whole list of them: kamal-proxy's publish is.
		if strings.Contains(args[i], " --") || strings.HasPrefix(args[i], "--publish ") {
			faults = append(faults, s.beyond(strings.Fields(args[i]))...)
			continue
		}
		value = strings.Trim(value, `"`)
		switch option {
		case "--publish", "-p":
			if address, _ := splitPublish(value); !isLoopback(address) {
				faults = append(faults, option+" "+value)
			}
		case "--volume", "-v":
			source, _, _ := strings.Cut(value, ":")
			if !s.ownSource(source) {
				faults = append(faults, option+" "+value)
			}
		case "--network", "--net":
			if value != kamalNetwork {
				faults = append(faults, option+" "+value)
			}
		case "--log-driver", "--mount", "--privileged", "--pid", "--ipc", "--volumes-from", "--publish-all", "-P", "--device":
			faults = append(faults, option)
		}
	}
	return faults
}

// ownSource reports whether what a volume mounts is the rehearsal's: a folder in
// its SSH host's home, or a volume with its name. Those of reading clocks and
// certificates may be the machine's.
func (s *session) ownSource(source string) bool {
	switch {
	case strings.HasPrefix(source, "$PWD/"), strings.HasPrefix(source, "$(pwd)/"):
		return !strings.Contains(source, "..")
	case harmless(source):
		return true
	case filepath.IsAbs(source):
		return strings.HasPrefix(filepath.Clean(source), s.path("home")+"/")
	}
	return strings.HasPrefix(source, s.made.service)
}

func isLoopback(address string) bool {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	ip := net.ParseIP(strings.Trim(address, "[]"))
	return ip != nil && ip.IsLoopback()
}

// splitPublish splits docker's [ADDRESS:][PORT]:CONTAINERPORT. Without an address
// a port is published on every one.
func splitPublish(text string) (address, container string) {
	last := strings.LastIndexByte(text, ':')
	if last < 0 {
		return "", text
	}
	rest, container := text[:last], text[last+1:]
	last = strings.LastIndexByte(rest, ':')
	if last < 0 {
		return "", container
	}
	return strings.Trim(rest[:last], "[]"), container
}
