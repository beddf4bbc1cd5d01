package hosts

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Resolved is a host as ssh's configuration has it.
type Resolved struct {
	Target                  // without its way
	ProxyJump, ProxyCommand string
}

// Direct says that ssh itself would go there without a proxy.
func (r Resolved) Direct() bool { return r.ProxyJump == "" && r.ProxyCommand == "" }

// Resolve asks ssh for a host: its name may be an alias, and its user and port may
// stand in the configuration. host is [user@]host[:port]; config is the file to
// read, "" for the usual ones. Without an ssh the host is what it is called.
func Resolve(ctx context.Context, host, config string, env []string) Resolved {
	t := Resolved{Target: ParseHop(host)}
	args := []string{"-G"}
	if config != "" {
		args = append(args, "-F", config)
	}
	if t.User != "" {
		args = append(args, "-l", t.User)
	}
	if t.Port != 0 {
		args = append(args, "-p", strconv.Itoa(t.Port))
	}
	cmd := exec.CommandContext(ctx, "ssh", append(args, "--", t.Host)...)
	cmd.Env = env
	out, err := cmd.Output()
	if err != nil {
		return t
	}
	home, _ := os.UserHomeDir() // without one there is none to look into
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "hostname":
			t.Host = value
		case "user":
			t.User = value
		case "port":
			t.Port, _ = strconv.Atoi(value) // ssh's own number
		case "certificatefile":
			if rest, ok := strings.CutPrefix(value, "~/"); ok {
				value = filepath.Join(home, rest)
			}
			t.Certificates = append(t.Certificates, value)
		case "pubkeyauthentication":
			t.NoPublicKey = t.NoPublicKey || value == "false" || value == "no"
		case "preferredauthentications":
			t.NoPublicKey = t.NoPublicKey || !slices.Contains(strings.Split(value, ","), "publickey")
		case "proxycommand":
			t.ProxyCommand = value
		case "proxyjump":
			t.ProxyJump = value
		}
	}
	return t
}

// ParseHop reads [user@]host[:port].
func ParseHop(hop string) Target {
	var t Target
	address := hop
	if i := strings.LastIndexByte(hop, '@'); i >= 0 {
		t.User, address = hop[:i], hop[i+1:]
	}
	t.Host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if i := strings.LastIndexByte(address, ':'); i > strings.LastIndexByte(address, ']') && strings.Count(address, ":") == 1 || strings.Contains(address, "]:") {
		if port, err := strconv.Atoi(address[i+1:]); err == nil { // a wrong one ssh tells of
			t.Host, t.Port = strings.Trim(address[:i], "[]"), port
		}
	}
	return t
}
