//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// A scale makes the rehearsal's sample a larger project: more secrets, all of them in
// one item, and more hosts, each with a role of its own and an SSH server at an address
// of its own on this machine, whose engine they share.
type scale struct {
	secrets, hosts int

	vault   *standin.Vault
	servers []*standin.SSHHost
	homes   string
}

// The places in the sample's deploy.yml after which there is more.
const (
	lastHost   = "    - 127.0.0.1\n"
	lastSecret = "    - MAILGUN_INGRESS_SIGNING_KEY\n"
)

var sshLogin = regexp.MustCompile(`(?m)^ssh:\n  user: (\S+)\n  port: (\d+)$`)

// enlarge makes the project of a request larger, and gives its values to the vault that
// the request names from then on.
func (s *scale) enlarge(ctx context.Context, r *rehearsal.DeployRequest, values map[string]string, key string) error {
	path := filepath.Join(r.Dir, "config", "deploy.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	config := string(text)
	login := sshLogin.FindStringSubmatch(config)
	if login == nil || strings.Count(config, lastHost) < 1 || !strings.HasSuffix(config, lastSecret) {
		return errors.New("the rehearsal's deploy.yml is not what it was")
	}
	if err := s.serve(ctx, r, login[1], login[2], key); err != nil {
		return err
	}
	var roles, names, lines strings.Builder
	for n, server := range s.servers {
		host, _, _ := strings.Cut(server.Address(), ":")
		fmt.Fprintf(&roles, "  job%d:\n    - %s\n", n+1, host)
	}
	for n := len(values) + 1; n <= s.secrets; n++ {
		name := fmt.Sprintf("SECRET_%03d", n)
		values[name] = "a-value-of-" + name
		r.Secrets = append(r.Secrets, name+"=op://MyApp/Production/"+name)
		fmt.Fprintf(&names, "    - %s\n", name)
		fmt.Fprintf(&lines, "%s=$%s\n", name, name)
	}
	// A role without a proxy is looked at again after this many seconds, in place of 7.
	// The hosts share one engine: each would prune what another is just pruning.
	config = "readiness_delay: 1\nretain_containers: 1000\n" + strings.Replace(config, lastHost, lastHost+roles.String(), 1) + names.String()
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	secrets := filepath.Join(r.Dir, ".kamal", "secrets")
	if text, err = os.ReadFile(secrets); err != nil {
		return err
	}
	if err := os.WriteFile(secrets, append(text, lines.String()...), 0o600); err != nil {
		return err
	}
	if err := s.commit(ctx, r); err != nil {
		return err
	}
	item := standin.ItemSpec{Title: "Production"}
	for name, value := range values {
		item.Fields = append(item.Fields, standin.FieldSpec{Label: name, Value: value})
	}
	s.vault, err = standin.StartVault(ctx, standin.VaultOptions{Latency: latency, Vaults: []standin.VaultSpec{{
		Name: "MyApp", Items: []standin.ItemSpec{item, {Title: "Server", Fields: []standin.FieldSpec{{Label: "SSH_KEY", Value: key}}}},
	}}})
	if err != nil {
		return err
	}
	r.ConnectHost, r.ConnectToken = s.vault.URL(), s.vault.Token()
	return nil
}

// serve starts the SSH servers, all at the port of the rehearsal's own.
func (s *scale) serve(ctx context.Context, r *rehearsal.DeployRequest, user, port, key string) (err error) {
	signer, err := ssh.ParsePrivateKey([]byte(key))
	if err != nil {
		return err
	}
	if s.homes, err = os.MkdirTemp("", "hosts"); err != nil {
		return err
	}
	env := environ.List(r.Env).Without(func(name string) bool { return name != "PATH" && name != "TMPDIR" })
	if env, err = s.noPrune(env); err != nil {
		return err
	}
	for n := 2; n <= s.hosts; n++ {
		home := filepath.Join(s.homes, fmt.Sprint(n))
		if err := os.Mkdir(home, 0o700); err != nil {
			return err
		}
		server, err := standin.StartSSHHost(ctx, standin.SSHHostOptions{
			AuthorizedKey: signer.PublicKey(), User: user, Dir: home, Address: fmt.Sprintf("127.0.0.%d:%s", n, port),
			Env: env,
		})
		if err != nil {
			return err
		}
		s.servers = append(s.servers, server)
	}
	return nil
}

// noPrune is an environment in which docker prunes no images: the hosts share one engine,
// which refuses a second prune beside the first, and one host of each deploy prunes it.
func (s *scale) noPrune(env environ.List) (environ.List, error) {
	dir := filepath.Join(s.homes, "bin")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	docker, err := env.LookTool("docker")
	if err != nil {
		return nil, err
	}
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1 $2\" = 'image prune' ] || exec '%s' \"$@\"\n", docker)
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o700); err != nil { //nolint:gosec // it is to be run
		return nil, err
	}
	return env.With("PATH", dir+":"+env.Path()), nil
}

// commit has the project as it is now committed: Kamal builds what is.
func (s *scale) commit(ctx context.Context, r *rehearsal.DeployRequest) error {
	cmd := exec.CommandContext(ctx, "git", "commit", "--quiet", "--all", "--no-gpg-sign", "--message", "A larger sample")
	cmd.Dir = r.Dir
	cmd.Env = append(slices.Clone(r.Env), "GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@localhost", "GIT_COMMITTER_NAME=bench", "GIT_COMMITTER_EMAIL=bench@localhost")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git commit: %w: %s", err, out)
	}
	return nil
}

// close ends what serves.
func (s *scale) close() error {
	var errs []error
	if s.vault != nil {
		errs = append(errs, s.vault.Close())
	}
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	if s.homes != "" {
		errs = append(errs, os.RemoveAll(s.homes))
	}
	return errors.Join(errs...)
}
