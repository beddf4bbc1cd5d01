package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// An sshServer is a server whose connections are counted, also those on which
// nobody logs in.
type sshServer struct {
	port      int
	hostKey   ssh.PublicKey
	keyFile   string // that may log in as root
	connected atomic.Int32
}

// startSSH starts a server on loopback.
func startSSH(t *testing.T) *sshServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &sshServer{keyFile: filepath.Join(t.TempDir(), "key")}
	if err := os.WriteFile(s.keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	host, err := standin.StartSSHHost(context.Background(), standin.SSHHostOptions{
		AuthorizedKey: signer.PublicKey(), Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	s.hostKey = host.HostKey()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = front.Close() })
	s.port = front.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			conn, err := front.Accept()
			if err != nil {
				return
			}
			s.connected.Add(1)
			go s.pass(conn, host.Address())
		}
	}()
	return s
}

// pass joins a connection with one to address, until either ends.
func (s *sshServer) pass(conn net.Conn, address string) {
	defer conn.Close()
	behind, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer behind.Close()
	go func() {
		_, _ = io.Copy(behind, conn)
		_ = behind.Close()
	}()
	_, _ = io.Copy(conn, behind)
}

// names are those of the server: several, since Kamal connects to all at once.
func (*sshServer) names() []string { return []string{"127.0.0.1", "localhost", "127.1", "127.0.1"} }

// knownHosts are the server's lines.
func (s *sshServer) knownHosts() string {
	var lines strings.Builder
	for _, name := range s.names() {
		fmt.Fprintf(&lines, "[%s]:%d,[127.0.0.1]:%d %s", name, s.port, s.port, ssh.MarshalAuthorizedKey(s.hostKey))
	}
	return lines.String()
}

// otherwise has Ruby compile Kamal's main.rb under another file name, as a cache of
// compiled files may, so that the preload never sees it.
const otherwise = `class << RubyVM::InstructionSequence
  def load_iseq(path)
    RubyVM::InstructionSequence.compile(File.read(path), "/cache/0f3a.rb") if path.end_with?("/kamal/cli/main.rb")
  end
end
`

// asItself runs Kamal as its gem's own bin/kamal does.
const asItself = `load Gem.activate_bin_path("kamal", "kamal")
`

// pastStart is a Kamal that opens a connection in a way of its own.
const pastStart = `gem "kamal"
require "kamal"
KAMAL.configure(config_file: Pathname.new("config/deploy.yml"))
KAMAL.config
session = Net::SSH::Transport::Session.new("127.0.0.1", port: Integer(ENV["PORT"]), verify_host_key: :never)
puts "hello from root" if session.server_version
`

// Where host keys are given, no connection is opened that is not held to them,
// however Kamal is loaded. Where none are, everything is as without us.
func TestKamal_ConnectsOnlyWithTheHostKeys(t *testing.T) {
	needKamal(t)
	const ruby = "#!/usr/bin/env ruby\n"
	for name, test := range map[string]struct {
		program string
		env     func(env []string) []string
		holds   bool   // it is known, so that it connects with the host keys in force
		host    string // that it is stopped before; "" is the server
	}{
		"as it is known": {program: ruby + asItself, holds: true},
		"Net::SSH from before the preload": {
			program: ruby + asItself, holds: true,
			env: func(env []string) []string { return prefixed(env, "RUBYOPT=", "-rnet/ssh ") },
		},
		"its commands under another file name": {program: ruby + otherwise + asItself},
		"its commands under another file name, Net::SSH from before the preload": {
			program: ruby + otherwise + asItself,
			env:     func(env []string) []string { return prefixed(env, "RUBYOPT=", "-rnet/ssh ") },
		},
		"without the socket's name": {
			program: ruby + asItself,
			env: func(env []string) []string {
				return slices.DeleteFunc(slices.Clone(env), func(entry string) bool { return strings.HasPrefix(entry, "KAMAL_OP_BROKER=") })
			},
		},
		"a commander that is another": {program: ruby + `class << RubyVM::InstructionSequence
  def load_iseq(path)
    RubyVM::InstructionSequence.compile(File.read(path).sub("def config\n", "def config(_ = nil)\n"), path) if path.end_with?("/kamal/commander.rb")
  end
end
` + asItself, host: "any host"},
		"a program of another kind": {program: ruby + `require "net/ssh"
Net::SSH.start("127.0.0.1", "root", port: Integer(ENV["PORT"]), keys: [ENV["KEY"]]) { |ssh| puts ssh.exec!("echo hello from root") }
`},
		"a connection that goes past Net::SSH.start": {program: ruby + pastStart},
		"a connection that goes past Net::SSH.start, Net::SSH from before the preload": {
			program: ruby + pastStart,
			env:     func(env []string) []string { return prefixed(env, "RUBYOPT=", "-rnet/ssh ") },
		},
		"a Net::SSH that connects otherwise": {program: ruby + `require "socket"
module Net
  module SSH
    def self.start(host, user, options = {}) = TCPSocket.new(host, options[:port]).close
  end
end
Net::SSH.start("127.0.0.1", "root", port: Integer(ENV["PORT"]))
puts "hello from root"
`},
		"a Net::SSH in a namespace": {program: ruby + `require "socket"
module Vendored
  module Net
    module SSH
      module Transport
        class Session
          def initialize(host, options = {}) = TCPSocket.new(host, options[:port]).close
        end
      end
    end
  end
end
Vendored::Net::SSH::Transport::Session.new("127.0.0.1", port: Integer(ENV["PORT"]))
puts "hello from root"
`},
	} {
		for _, given := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, host keys %v", name, given), func(t *testing.T) {
				server := startSSH(t)
				r := start(t, map[string]string{
					"config/deploy.yml": strings.Replace(deployYML("A"), "192.0.2.1", strings.Join(server.names(), ", "), 1) +
						fmt.Sprintf("ssh: {port: %d, keys: [%q], keys_only: true}\n", server.port, server.keyFile),
					".kamal/secrets": "A=value-a\n",
					"bin/kamal":      test.program,
				}, nil, func(o *broker.Options) {
					if !given {
						return
					}
					if err := sshname.Update(o.Dir, sshname.Settings{Pinned: true, KnownHosts: []byte(server.knownHosts())}); err != nil {
						t.Fatal(err)
					}
					o.Hosts = &broker.Hosts{KnownHosts: filepath.Join(o.Dir, sshname.KnownHosts)}
				})
				if test.env != nil {
					r.env = test.env(r.env)
				}
				r.env = append(r.env, "PORT="+strconv.Itoa(server.port), "KEY="+server.keyFile, "VERSION=v1")
				stdout, stderr, status := r.command("", filepath.Join(r.project, "bin/kamal"), "server", "exec", "echo hello from $LOGNAME")
				connected := server.connected.Load()
				if given && !test.holds {
					const line = "the host keys of --host-keys do not hold"
					if connected != 0 || status != 1 || strings.Count(stdout+stderr, line) != 1 || strings.Contains(stdout, "hello from root") {
						t.Errorf("%d connections, status %d\n%s%s", connected, status, stdout, stderr)
					}
					names := []string{test.host}
					if test.host == "" {
						names = server.names()
					}
					said, _, _ := strings.Cut(lastLine(stderr), ": the host keys")
					if name, ok := strings.CutPrefix(said, "kamal-op: "+r.project+"/bin/kamal is stopped before it connects to "); !ok || !slices.Contains(names, name) {
						t.Errorf("the last line is %q", lastLine(stderr))
					}
					return
				}
				if connected == 0 || status != 0 || !strings.Contains(stdout, "hello from root") {
					t.Errorf("%d connections, status %d\n%s%s", connected, status, stdout, stderr)
				}
			})
		}
	}
}

// prefixed puts text before the value of a variable, given as NAME=.
func prefixed(env []string, name, text string) []string {
	env = slices.Clone(env)
	for i, entry := range env {
		if value, ok := strings.CutPrefix(entry, name); ok {
			env[i] = name + text + value
		}
	}
	return env
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
