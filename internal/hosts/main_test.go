package hosts

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/sshagent"
)

// TestMain makes this program the `ssh` of a run, or another of its names, where it
// is called by it.
func TestMain(m *testing.M) {
	if sshname.IsName(os.Args[0]) {
		os.Exit(sshname.Main(os.Args[0], os.Args[1:], os.Environ(), os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pemOf(t testing.TB, k any) []byte {
	t.Helper()
	b, err := ssh.MarshalPrivateKey(k, "")
	check(t, err)
	return pem.EncodeToMemory(b)
}

func makeKey(t testing.TB) *sshagent.Key {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	key, err := sshagent.ParseKey(pemOf(t, k), nil)
	check(t, err)
	return key
}

// hostKey makes one of a kind: ed25519, ecdsa or rsa.
func hostKey(t testing.TB, kind string) (private any, public ssh.PublicKey) {
	t.Helper()
	var err error
	switch kind {
	case "ecdsa":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	check(t, err)
	s, err := ssh.NewSignerFromKey(private)
	check(t, err)
	return private, s.PublicKey()
}

// A server is a real OpenSSH server on loopback.
type server struct {
	host string
	port int
	keys map[string]ssh.PublicKey // host keys by kind
	log  string
	user string

	authorized string // the file of keys that may log in
}

// authorize makes a key that may log in as well, besides those given at the start.
func (s *server) authorize(t testing.TB) any {
	t.Helper()
	private, public := hostKey(t, "ed25519")
	f, err := os.OpenFile(s.authorized, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.Write(ssh.MarshalAuthorizedKey(public))
	check(t, err)
	check(t, f.Close())
	return private
}

func (s *server) target() Target { return Target{Host: s.host, Port: s.port, User: s.user} }

// startServer needs Debian's openssh-server. more are lines of its configuration.
func startServer(t testing.TB, address string, kinds []string, authorized []*sshagent.Key, more ...string) *server {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/sshd"); err != nil {
			t.Skip("sshd is not installed (Debian: openssh-server)")
		}
	}
	if os.Getuid() == 0 {
		check(t, os.MkdirAll("/run/sshd", 0o755))
	}
	me, err := user.Current()
	check(t, err)
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o755))
	s := &server{host: address, keys: map[string]ssh.PublicKey{}, log: filepath.Join(dir, "log"), user: me.Username, authorized: filepath.Join(dir, "authorized")}
	var config strings.Builder
	for _, kind := range kinds {
		private, public := hostKey(t, kind)
		s.keys[kind] = public
		path := filepath.Join(dir, kind)
		check(t, os.WriteFile(path, pemOf(t, private), 0o600))
		fmt.Fprintf(&config, "HostKey %s\n", path)
	}
	var keys bytes.Buffer
	for _, k := range authorized {
		keys.Write(ssh.MarshalAuthorizedKey(k.Public()))
	}
	check(t, os.WriteFile(s.authorized, keys.Bytes(), 0o644))
	for _, line := range more { // of each option sshd takes the first it sees
		config.WriteString(line + "\n")
	}
	fmt.Fprintf(&config, "AuthorizedKeysFile %s/authorized\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel VERBOSE\nKexAlgorithms curve25519-sha256\n", dir)
	file := filepath.Join(dir, "config")
	check(t, os.WriteFile(file, []byte(config.String()), 0o600))
	for range 3 {
		if s.starts(t, program, file) {
			return s
		}
	}
	t.Fatal("sshd finds its port taken again and again")
	return nil
}

// starts reports whether sshd got its port: since that was found free, another
// program may have taken it.
func (s *server) starts(t testing.TB, program, config string) bool {
	t.Helper()
	s.port = freePort(t, s.host)
	cmd := exec.Command(program, "-D", "-f", config, "-p", strconv.Itoa(s.port), "-o", "ListenAddress="+s.host, "-E", s.log)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		b, _ := os.ReadFile(s.log)
		if bytes.Contains(b, []byte("Server listening on")) {
			return true
		}
		if bytes.Contains(b, []byte("Address already in use")) {
			check(t, os.Remove(s.log)) // the next one would add to it
			return false
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not start: %s", b)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func freePort(t testing.TB, address string) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	check(t, err)
	defer func() { check(t, l.Close()) }()
	return l.Addr().(*net.TCPAddr).Port
}

// closedPort is a port of loopback that refuses connections: it is held by a socket that
// does not listen, so that nobody else has it meanwhile.
func closedPort(t testing.TB) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { check(t, syscall.Close(fd)) })
	check(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	address, err := syscall.Getsockname(fd)
	check(t, err)
	return address.(*syscall.SockaddrInet4).Port
}

// startPlain is a TCP server that is no SSH server.
func startPlain(t testing.TB, serve func(net.Conn)) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		check(t, l.Close())
		<-done
	})
	return Target{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}

// names is a Lookup of a table.
func names(table map[string][]string) Lookup {
	return func(_ context.Context, host string) ([]string, error) {
		if a, ok := table[host]; ok {
			return a, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
}
