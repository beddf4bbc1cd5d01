package hosts

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/sshagent"
)

// A login goes through the command that Net::SSH would start, and tells what the
// command says where it fails.
func TestLogin_GoesThroughAProxyCommand(t *testing.T) {
	key := makeKey(t)
	s := startServer(t, "127.0.0.2", ed, []*sshagent.Key{key})
	a := startAgent(t, key)
	o := Options{Keys: []*sshagent.Key{key}, Time: ample, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SSH_AUTH_SOCK=" + a.Socket()}}
	through := func(command string) Target {
		t := s.target()
		t.Host, t.Command = "nobody.invalid", command
		return t
	}
	jump := fmt.Sprintf("ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p %d -W 127.0.0.2:%d 127.0.0.2", s.port, s.port)
	for name, c := range map[string]struct {
		command, says string
		want          Outcome
	}{
		"an ssh":              {jump, "", LoggedIn},
		"no such program":     {"exec no-such-program", "no-such-program", ProxyFailed},
		"nothing but an end":  {"true", "", ProxyFailed},
		"an ssh that may not": {"echo a warning >&2; " + strings.Replace(jump, "ssh ", "ssh -o IdentityAgent=none -o BatchMode=yes ", 1) + " 2>/dev/null; echo the reason >&2", "the reason", ProxyFailed},
	} {
		t.Run(name, func(t *testing.T) {
			r := Login(t.Context(), []Target{through(c.command)}, o)[0]
			if r.Outcome != c.want || !strings.Contains(r.Detail, c.says) {
				t.Errorf("%+v", r)
			}
		})
	}
	if r := Login(t.Context(), []Target{through("sleep 600")}, Options{Keys: o.Keys, Time: 200 * time.Millisecond, Env: o.Env})[0]; r.Outcome != ProxyFailed && r.Outcome != NoAnswer {
		t.Errorf("%+v", r)
	}
}

// What ssh_config's CertificateFile names is tried as well.
func TestLogin_UsesACertificateInAFile(t *testing.T) {
	key := makeKey(t)
	private, public := hostKey(t, "ed25519")
	authority, err := ssh.NewSignerFromKey(private)
	check(t, err)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "ca"), ssh.MarshalAuthorizedKey(public), 0o644))
	s := startServer(t, "127.0.0.1", ed, nil, "TrustedUserCAKeys "+filepath.Join(dir, "ca"))
	certificate := &ssh.Certificate{Key: key.Public(), CertType: ssh.UserCert, ValidPrincipals: []string{s.user}, ValidBefore: ssh.CertTimeInfinity}
	check(t, certificate.SignCert(rand.Reader, authority))
	file := filepath.Join(dir, "id-cert.pub")
	check(t, os.WriteFile(file, ssh.MarshalAuthorizedKey(certificate), 0o644))
	for want, files := range map[Outcome][]string{LoggedIn: {"/nowhere", file}, NotAllowed: nil} {
		to := s.target()
		to.Certificates = files
		if r := Login(t.Context(), []Target{to}, Options{Keys: []*sshagent.Key{key}, Time: ample})[0]; r.Outcome != want {
			t.Errorf("%+v", r)
		}
	}
}

// A server that is busy or coming up is tried again; one that refuses the key, or
// has another one, is not.
func TestLogin_TriesAgainWhereTheConnectionFails(t *testing.T) {
	key := makeKey(t)
	s := startServer(t, "127.0.0.1", ed, []*sshagent.Key{key})
	var connections atomic.Int32
	busy := startPlain(t, func(c net.Conn) {
		if connections.Add(1) < 3 {
			return // as sshd does beyond MaxStartups
		}
		behind, err := net.Dial("tcp", s.target().address())
		if err != nil {
			return
		}
		join(c, behind)
	})
	busy.User = s.user
	o := Options{Keys: []*sshagent.Key{key}, Time: ample, Patience: time.Minute}
	if r := Login(t.Context(), []Target{busy}, o)[0]; r.Outcome != LoggedIn || r.Tries != 3 {
		t.Errorf("%+v", r)
	}
	stranger := Options{Keys: []*sshagent.Key{makeKey(t)}, Time: ample, Patience: time.Minute}
	if r := Login(t.Context(), []Target{s.target()}, stranger)[0]; r.Outcome != NotAllowed || r.Tries != 1 {
		t.Errorf("a key that is refused: %+v", r)
	}
	pins, err := ParsePins("127.0.0.1 "+keyLine(makeKey(t).Public()), "--host-keys")
	check(t, err)
	o.Pins = pins
	if r := Login(t.Context(), []Target{s.target()}, o)[0]; r.Outcome != HostDiffers || r.Tries != 1 {
		t.Errorf("another host key: %+v", r)
	}
	closed := Target{Host: "127.0.0.1", Port: closedPort(t)}
	o.Patience = firstPause
	r := Login(t.Context(), []Target{closed}, o)[0]
	if r.Outcome != PortClosed || r.Tries < 1 || r.Tries > 2 {
		t.Errorf("a closed port: %+v", r)
	}
	r.Tries = 4
	if p := Problems([]Result{r}, o)[0]; !strings.Contains(strings.Join(p.Details, "\n"), "tried 4 times in ") {
		t.Errorf("%+v", p)
	}
}

// join joins two connections, until either ends.
func join(a, b net.Conn) {
	defer func() { _ = b.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(a, b)
		_ = a.Close()
	}()
	_, _ = io.Copy(b, a)
	_ = b.Close()
	<-done
}

// Hosts and hops are what the ssh configuration makes of their names.
func TestResolve(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not installed (Debian: openssh-client)")
	}
	file := filepath.Join(t.TempDir(), "config")
	check(t, os.WriteFile(file, []byte("Match host alias\n HostName 192.0.2.1\n Port 2222\n User app\n ProxyCommand nc %h %p\nHost through\n ProxyJump a,b\n"), 0o600))
	for host, want := range map[string]Resolved{
		"alias":             {Target: Target{Host: "192.0.2.1", Port: 2222, User: "app"}, ProxyCommand: "nc %h %p"},
		"root@alias:22":     {Target: Target{Host: "192.0.2.1", Port: 22, User: "root"}, ProxyCommand: "nc %h %p"},
		"x@through":         {Target: Target{Host: "through", Port: 22, User: "x"}, ProxyJump: "a,b"},
		"x@[2001:db8::1]:9": {Target: Target{Host: "2001:db8::1", Port: 9, User: "x"}},
		"x@2001:db8::1":     {Target: Target{Host: "2001:db8::1", Port: 22, User: "x"}},
	} {
		got := Resolve(t.Context(), host, file, os.Environ())
		if got.String() != want.String() || got.ProxyJump != want.ProxyJump || got.ProxyCommand != want.ProxyCommand {
			t.Errorf("%s: %+v, want %+v", host, got, want)
		}
	}
	check(t, os.WriteFile(file, []byte("Host no\n PubkeyAuthentication no\nHost others\n PreferredAuthentications password,keyboard-interactive\nHost keys\n PreferredAuthentications password,publickey\n"), 0o600))
	for host, want := range map[string]bool{"no": true, "others": true, "keys": false, "any": false} {
		if got := Resolve(t.Context(), host, file, os.Environ()); got.NoPublicKey != want {
			t.Errorf("%s: %+v", host, got)
		}
	}
	if got := Resolve(t.Context(), "x@web:9", file+"-nowhere", os.Environ()); got.String() != "x@web:9" {
		t.Errorf("without a configuration: %v", got)
	}
}
