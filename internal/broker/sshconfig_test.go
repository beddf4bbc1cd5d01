package broker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/sshagent"
)

// An ssh configuration that leads past the run's agent, as 1Password's own set-up
// does, does not keep Kamal from it; where Kamal goes is told as it goes, whoever
// decides it: deploy.yml, the user's file, or the one that ssh.config names.
func TestKamal_LogsInWithTheRunsAgentAndReportsItsWay(t *testing.T) {
	needKamal(t)
	server := startSSH(t)
	text, err := os.ReadFile(server.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sshagent.ParseKey(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := sshagent.Start(t.Context(), sshagent.Options{Keys: []*sshagent.Key{key}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Close() })
	plain := broker.Host{Host: "127.0.0.1", Port: server.port, User: "root"}
	with := func(change func(*broker.Host)) broker.Host {
		h := plain
		change(&h)
		return h
	}
	for name, test := range map[string]struct {
		host, ssh string            // of deploy.yml; ssh without the port
		files     map[string]string // below HOME
		told      broker.Host
		stays     bool // out: the way is told, and not gone
	}{
		"IdentityAgent, and a port in the host's name, which Kamal does not go to": {
			host: "127.0.0.1:1", told: plain,
			files: map[string]string{".ssh/config": "Host *\n  IdentityAgent /nowhere\n"},
		},
		"IdentitiesOnly": {files: map[string]string{".ssh/config": "Host *\n  IdentitiesOnly yes\n  IdentityFile ~/.ssh/none\n"}, told: plain},
		"the file of ssh.config, Include and Match": {
			host: "web", ssh: ", config: HOME/config",
			files: map[string]string{
				"config": "Include more\n", "more": "Host web\n  HostName 127.0.0.1\nMatch host web\n  IdentityAgent none\n  IdentitiesOnly yes\n  CertificateFile /nowhere-cert.pub\n",
			},
			told: with(func(h *broker.Host) { h.Config, h.Certificates = "HOME/config", []string{"/nowhere-cert.pub"} }),
		},
		"ProxyJump by an alias": {
			files: map[string]string{".ssh/config": "Host 127.*\n  ProxyJump hop,me@last:2222\n"}, stays: true,
			told: with(func(h *broker.Host) {
				h.Jump, h.Command = "hop,me@last:2222", "ssh -J me@last:2222 -W %h:%p hop"
			}),
		},
		"ssh.proxy": {ssh: ", proxy: hop", stays: true, told: with(func(h *broker.Host) {
			h.Jump, h.Command = "root@hop", "ssh -l root -W %h:%p hop"
		})},
		"ProxyCommand and user@host": {
			host: "somebody@127.0.0.1", files: map[string]string{".ssh/config": "Host *\n  ProxyCommand exit 1 %h %p\n"}, stays: true,
			told: with(func(h *broker.Host) { h.User, h.Command = "somebody", "exit 1 %h %p" }),
		},
		"ssh.keys_only and PubkeyAuthentication": {
			ssh: ", keys_only: true", files: map[string]string{".ssh/config": "Host *\n  PubkeyAuthentication no\n"}, stays: true,
			told: with(func(h *broker.Host) { h.KeysOnly, h.NoPublicKey = true, true }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			in := func(s string) string { return strings.ReplaceAll(s, "HOME", home) }
			for file, text := range test.files {
				path := filepath.Join(home, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			var told []broker.Host
			host := "127.0.0.1"
			if test.host != "" {
				host = test.host
			}
			r := start(t, map[string]string{
				"config/deploy.yml": strings.Replace(deployYML("A"), "192.0.2.1", fmt.Sprintf("%q", host), 1) +
					fmt.Sprintf("ssh: {port: %d%s}\n", server.port, in(test.ssh)),
				".kamal/secrets": "A=value-a\n",
			}, nil, func(o *broker.Options) {
				o.Hosts = &broker.Hosts{Agent: agent.Socket(), LogIn: true, Check: func(_ context.Context, asked []broker.Host, _ bool) problem.List {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, asked...)
					return nil
				}}
			})
			r.env = append(r.env, "HOME="+home, "SSH_AUTH_SOCK="+agent.Socket(), "VERSION=v1")
			stdout, stderr, status := r.command("", "kamal", "server", "exec", "echo hello from $LOGNAME")
			if in := status == 0 && strings.Contains(stdout, "hello from root"); in == test.stays {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
			mu.Lock()
			defer mu.Unlock()
			want := test.told
			want.Config = in(want.Config)
			// One telling for the command, and none for what it has told of.
			if d := cmp.Diff([]broker.Host{want}, told, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(broker.Host{}, "Keys")); d != "" {
				t.Errorf("%s\n%s%s", d, stdout, stderr)
			}
		})
	}
}

// With host keys given, an alias of the ssh configuration does not bring in the key
// of another name.
func TestKamal_TakesTheHostKeyOfTheNameAndNotOfItsAlias(t *testing.T) {
	needKamal(t)
	server, other := startSSH(t), startSSH(t)
	for name, test := range map[string]struct {
		own, alias ssh.PublicKey
		in         bool
	}{
		"the name's key is right": {server.hostKey, other.hostKey, true},
		"its alias's key is":      {other.hostKey, server.hostKey, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, map[string]string{
				"config/deploy.yml": strings.Replace(deployYML("A"), "192.0.2.1", "127.0.0.1", 1) +
					fmt.Sprintf("ssh: {port: %d, keys: [%q], keys_only: true}\n", server.port, server.keyFile),
				".kamal/secrets": "A=value-a\n",
			}, nil, func(o *broker.Options) {
				lines := fmt.Sprintf("[127.0.0.1]:%d %salias %s", server.port, ssh.MarshalAuthorizedKey(test.own), ssh.MarshalAuthorizedKey(test.alias))
				if err := sshname.Update(o.Dir, sshname.Settings{Pinned: true, KnownHosts: []byte(lines)}); err != nil {
					t.Fatal(err)
				}
				o.Hosts = &broker.Hosts{KnownHosts: filepath.Join(o.Dir, sshname.KnownHosts)}
			})
			home := t.TempDir()
			if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, ".ssh/config"), []byte("Host *\n  HostKeyAlias alias\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.env = append(r.env, "HOME="+home, "VERSION=v1")
			stdout, stderr, status := r.command("", "kamal", "server", "exec", "echo hello from $LOGNAME")
			if in := status == 0 && strings.Contains(stdout, "hello from root"); in != test.in || !in && !strings.Contains(stdout+stderr, "does not match") {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
		})
	}
}
