package sshname

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// options are the arguments that make ssh take the keys in a file, and no others.
// They stand first: of each option ssh takes the first it sees. Every ssh of the
// last ten years knows them; those that not every one knows are added by need, in
// strict.
func options(knownHosts string) []string {
	var args []string
	for _, option := range []string{
		`UserKnownHostsFile="` + strings.ReplaceAll(knownHosts, "%", "%%") + `"`,
		"GlobalKnownHostsFile=/dev/null",
		"StrictHostKeyChecking=yes",
		// Ways in which other keys would come in.
		"UpdateHostKeys=no",
		"VerifyHostKeyDNS=no",
		"CheckHostIP=no", // it adds the addresses of hosts to the file
		// Ways around the check: what forwards a port to this machine is any
		// server, and a connection that is there already was checked by others.
		"NoHostAuthenticationForLocalhost=no",
		"ControlMaster=no",
		"ControlPath=none",
		// What DNS says a name stands for is not what was given.
		"CanonicalizePermittedCNAMEs=none",
	} {
		args = append(args, "-o", option)
	}
	return args
}

// flags that take an argument, of ssh(1).
const sshFlags = "BbcDEeFIiJLlmOoPpQRSWw"

// ssh adds what makes a connection take the run's host keys, and its agent.
func (c *call) ssh() error {
	if !c.settings.Pinned && len(c.settings.AgentHosts) == 0 {
		return nil
	}
	line, dir := parseLine(c.args, sshFlags), filepath.Dir(c.names.ours)
	var first []string
	if c.settings.Pinned {
		more, err := optional(c.names.program, c.env)
		if err != nil {
			return err
		}
		first = append(options(filepath.Join(dir, KnownHosts)), more...)
	}
	config, err := effective(c.names.program, c.env, append(first[:len(first):len(first)], c.args...))
	if err != nil {
		return err
	}
	args := c.args
	// Behind the caller's own options, which come first, and before the configuration's.
	var behind []string
	if c.settings.Pinned {
		args = line.replace('S', func(path string) string { return config.controlPath(dir, path) })
		alias, way, err := config.fixed()
		if err != nil {
			return err
		}
		first, behind = append(first, alias...), way
	}
	if c.settings.forAgent(config["host"], config["hostname"]) {
		behind = append(behind, "-o", "IdentityAgent=SSH_AUTH_SOCK")
		if !line.has('i') {
			behind = append(behind, "-o", "IdentitiesOnly=no")
		}
	}
	c.args = slices.Concat(first, args[:line.end], behind, args[line.end:])
	return nil
}

// configuration is what ssh would do with its arguments, as `ssh -G` says it.
type configuration map[string]string

// An exitError is a real ssh that has ended with an error of its own.
type exitError struct {
	status int
	stderr []byte
}

func (e *exitError) Error() string { return fmt.Sprintf("ssh -G has ended with %d", e.status) }

// effective asks the real ssh what it makes of its arguments and the user's
// configuration. It opens no connection.
func effective(program string, env, args []string) (configuration, error) {
	cmd := exec.CommandContext(context.Background(), program, append([]string{"-G"}, args...)...)
	cmd.Env = env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return nil, &exitError{exit.ExitCode(), stderr.Bytes()}
	}
	if err != nil {
		return nil, fmt.Errorf("asking ssh for its configuration: %w", err)
	}
	config := configuration{}
	for line := range strings.Lines(stdout.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name = strings.ToLower(name) // one of them is not
		if _, ok := config[name]; !ok {
			config[name] = value
		}
	}
	return config, nil
}

// controlPath is where a connection is shared that the caller shares by a path of
// its own (-S): in the run's directory, so that it is one that was checked.
func (c configuration) controlPath(dir, path string) string {
	if path == "none" {
		return path
	}
	if strings.Contains(path, "%") { // a path for each host
		path += "\x00" + c["user"] + "@" + c["hostname"] + ":" + c["port"]
	}
	sum := sha256.Sum256([]byte(path))
	return strings.ReplaceAll(filepath.Join(dir, "c"+hex.EncodeToString(sum[:4])), "%", "%%")
}

// optional are the arguments like those of options that this ssh knows.
func optional(program string, env []string) ([]string, error) {
	all := []string{
		"-o", "KnownHostsCommand=none", // since OpenSSH 8.5
		"-o", "GSSAPIKeyExchange=no", // Debian's: with it a server has no host key at all
	}
	unknown, err := refuses(program, env, all)
	if err != nil || unknown == "" {
		return all, err
	}
	var args []string
	for i := 0; i < len(all); i += 2 {
		option := all[i : i+2]
		if unknown, err = refuses(program, env, option); err != nil {
			return nil, err
		}
		if unknown == "" {
			args = append(args, option...)
		}
	}
	return args, nil
}

// An ssh names an option that it does not know, or was built without.
var unknownOption = lazy.Regexp(`(?i)(?:bad configuration option: |unsupported option ")([a-z0-9]+)`)

// refuses gives an option among arguments that this ssh does not know, "" for none.
// No configuration of the user's is read for it.
func refuses(program string, env, args []string) (option string, err error) {
	cmd := exec.CommandContext(context.Background(), program, slices.Concat([]string{"-G", "-F", "/dev/null"}, args, []string{"host"})...)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	if found := unknownOption().FindSubmatch(stderr.Bytes()); found != nil {
		return string(found[1]), nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return "", &exitError{exit.ExitCode(), stderr.Bytes()}
	}
	if err != nil {
		return "", fmt.Errorf("asking ssh for its options: %w", err)
	}
	return "", nil
}

// fixed are the arguments that hold ssh to what it has said that it will do. It
// reads the user's configuration again, and that may say something else then: a
// `Match exec` has any program decide. The way to the host stands behind the caller's
// own options: ssh takes no word on it before -J.
func (c configuration) fixed() (alias, way []string, err error) {
	if c["hostname"] == "" { // it connects to nothing: -V, -Q
		return nil, nil, nil
	}
	if path := ByPath(c["proxycommand"]); path != "" {
		return nil, nil, fmt.Errorf("the ProxyCommand of %s starts %s by its path, and so not with the host keys of this run: write ssh in its place", c.destination(), path)
	}
	// An alias takes the keys of another name. It is the name that ssh would look
	// up without one.
	name := strings.ToLower(c["hostname"])
	if port := c["port"]; port != "22" {
		name = "[" + name + "]:" + port
	}
	switch {
	case c["proxyjump"] != "":
		way = []string{"-o", "ProxyJump=" + c["proxyjump"]}
	case c["proxycommand"] != "":
		way = []string{"-o", "ProxyCommand=" + c["proxycommand"]}
	default:
		way = []string{"-o", "ProxyCommand=none"} // means no ProxyJump either
	}
	return []string{"-o", "HostKeyAlias=" + name}, way, nil
}

// destination is the host as a person knows it.
func (c configuration) destination() string {
	if host := c["host"]; host != "" {
		return host
	}
	return net.JoinHostPort(c["hostname"], c["port"])
}
