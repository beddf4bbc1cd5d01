package rehearsal

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/problem"
)

//go:embed readback.rb
var readbackRuby []byte

// resolved is what Kamal makes of a configuration, as far as a rehearsal has to
// know it: addresses, and where secrets go.
type resolved struct {
	Service    string     `json:"service"`
	Repository string     `json:"repository"`
	Hosts      []string   `json:"hosts"`
	SSH        sshSection `json:"ssh"`
	Registry   string     `json:"registry"`
	Builder    struct {
		Driver string `json:"driver"`
		Remote string `json:"remote"`
		Cached bool   `json:"cached"`
	} `json:"builder"`
	HooksPath   string              `json:"hooks_path"`
	Output      bool                `json:"output"`
	Roles       []resolvedContainer `json:"roles"`
	Accessories []resolvedContainer `json:"accessories"`
}

type sshSection struct {
	User  string `json:"user"`
	Port  string `json:"port"`
	Proxy bool   `json:"proxy"`
	Keys  bool   `json:"keys"`
}

// A resolvedContainer is what a role's or an accessory's containers are run with.
type resolvedContainer struct {
	Name     string            `json:"name"`
	Service  string            `json:"service"` // of an accessory
	Hosts    []string          `json:"hosts"`
	Registry string            `json:"registry"` // of an accessory
	Args     []string          `json:"args"`     // of docker run
	Secrets  map[string]string `json:"secrets"`  // variable to secret
	Proxy    *resolvedProxy    `json:"proxy"`
}

type resolvedProxy struct {
	Hosts []string `json:"hosts"`
	Paths []string `json:"paths"`
	SSL   bool     `json:"ssl"`
	Run   *struct {
		Args     []string `json:"args"` // of docker run
		Registry string   `json:"registry"`
	} `json:"run"`
}

// A readback is what Kamal says of a configuration: it, or why there is none.
type readback struct {
	Raw      map[string]any `json:"raw"`
	Resolved *resolved      `json:"resolved"`
	Error    string         `json:"error"`
	Class    string         `json:"class"`

	destination bool // one was named
}

// readback asks real Kamal for the configuration in file: raw, as the files have
// it after ERB and the merge of the destination's, or resolved.
func (s *stage) readback(ctx context.Context, file string, raw bool) (answer readback, err error) {
	answer.destination = s.opts.Destination != ""
	script := s.path("config", "readback.rb")
	if err := os.WriteFile(script, readbackRuby, 0o600); err != nil {
		return answer, fmt.Errorf("writing the readback: %w", err)
	}
	secret := make([]byte, 8)
	_, _ = rand.Read(secret) // never fails
	marker := "readback-" + hex.EncodeToString(secret) + ":"
	env := environ.List(s.env).With("RUBYOPT", strings.TrimSpace("-r"+script+" "+environ.List(s.env).Get("RUBYOPT")))
	env = append(env, "KAMAL_OP_READBACK="+marker, "KAMAL_OP_READBACK_CONFIG="+file,
		"KAMAL_OP_READBACK_DESTINATION="+s.opts.Destination)
	if raw {
		env = append(env, "KAMAL_OP_READBACK_RAW=1")
	}

	cmd := exec.CommandContext(ctx, s.kamal, "version")
	cmd.Dir = s.opts.Project
	cmd.Env = env
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if ctx.Err() != nil {
		return answer, context.Cause(ctx)
	}
	_, line, found := strings.Cut(out.String(), "\n"+marker)
	if !found {
		said := strings.TrimSpace(out.String())
		if err != nil {
			said += " (" + err.Error() + ")"
		}
		return answer, &problem.Problem{
			Message: "kamal at " + s.kamal + " does not tell its configuration",
			Details: strings.Split(said, "\n"),
			Hint:    "try `kamal config` in the project's directory",
			Status:  problem.Found,
		}
	}
	line, _, _ = strings.Cut(line, "\n")
	if err := json.Unmarshal([]byte(line), &answer); err != nil {
		return answer, fmt.Errorf("reading Kamal's configuration: %w", err)
	}
	return answer, nil
}

// loopbackOnly is every address in a resolved configuration that is not on
// loopback, and everything else by which a run could reach beyond this machine
// or into files that are not the rehearsal's. The rehearsal moved them; this is
// the proof, from Kamal's own mouth, before anything runs.
func (r *resolved) loopbackOnly(s *stage) error {
	var problems problem.List
	found := func(format string, args ...any) {
		p := problem.Newf(format, args...)
		p.Hint = "the rehearsal stops before anything is touched: this is a gap in kamal-op, please report the lines of deploy.yml"
		problems = append(problems, p)
	}
	host := func(what, address string) {
		if !isLoopback(address) {
			found("%s of the rehearsal's configuration is %s, which is not this machine", what, address)
		}
	}
	if len(r.Hosts) == 0 {
		found("the rehearsal's configuration has no hosts")
	}
	for _, h := range r.Hosts {
		host("a host", h)
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
	container := func(what string, c resolvedContainer) {
		for _, h := range c.Hosts {
			host("the host of "+what, h)
		}
		if c.Registry != "" {
			host("the registry of "+what, c.Registry)
		}
		for _, fault := range s.beyond(c.Args) {
			found("%s is run with %s", what, fault)
		}
		if c.Proxy == nil {
			return
		}
		if c.Proxy.SSL {
			found("%s has a certificate asked for by kamal-proxy", what)
		}
		if c.Proxy.Run != nil {
			if c.Proxy.Run.Registry != "" {
				host("the registry of kamal-proxy", c.Proxy.Run.Registry)
			}
			for _, fault := range s.beyond(c.Proxy.Run.Args) {
				found("kamal-proxy for %s is run with %s", what, fault)
			}
		}
	}
	proxied, runs := false, 0
	for _, c := range r.Roles {
		container("the role "+c.Name, c)
		proxied = proxied || c.Proxy != nil
		if c.Proxy != nil && c.Proxy.Run != nil {
			runs++
		}
	}
	for _, c := range r.Accessories {
		container("the accessory "+c.Name, c)
		proxied = proxied || c.Proxy != nil
		if c.Proxy != nil && c.Proxy.Run != nil {
			runs++
		}
	}
	if proxied && runs == 0 {
		found("kamal-proxy is run on every address of this machine")
	}
	return problems.Err()
}

// beyond is what among the arguments of docker run reaches beyond loopback and
// the rehearsal's own folders and volumes.
func (s *stage) beyond(args []string) (faults []string) {
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

// ownSource says whether what a volume mounts is the rehearsal's: a folder in
// its SSH host's home, or a volume with its name. Those of reading clocks and
// certificates may be the machine's.
func (s *stage) ownSource(source string) bool {
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
