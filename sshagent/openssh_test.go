package sshagent

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// An sshd is a real OpenSSH server on loopback that takes the given keys.
type sshd struct {
	port string
	key  ssh.Signer
	user string
	log  string
	dir  string
}

// startSSHD needs Debian's openssh-server. ca may be nil.
func startSSHD(t testing.TB, ca ssh.PublicKey, keys ...*Key) *sshd {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/sshd"); err != nil {
			t.Skip("sshd is not installed (Debian: openssh-server)")
		}
	}
	if os.Getuid() == 0 {
		check(t, os.MkdirAll("/run/sshd", 0o755)) // where sshd gives up its rights
	}
	me, err := user.Current()
	check(t, err)
	s := &sshd{dir: t.TempDir(), user: me.Username}
	s.log = filepath.Join(s.dir, "log")
	hostKey := privateKey(t, ed)
	s.key, err = ssh.NewSignerFromKey(hostKey)
	check(t, err)
	write := func(name string, b []byte) string {
		path := filepath.Join(s.dir, name)
		check(t, os.WriteFile(path, b, 0o600))
		return path
	}
	var authorized bytes.Buffer
	for _, k := range keys {
		authorized.Write(ssh.MarshalAuthorizedKey(k.Public()))
	}
	config := fmt.Sprintf("HostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel VERBOSE\nAllowAgentForwarding yes\nAllowTcpForwarding yes\nMaxStartups 100\nKexAlgorithms curve25519-sha256\n",
		write("host", openssh(t, hostKey)), write("authorized", authorized.Bytes()))
	if ca != nil {
		config += "TrustedUserCAKeys " + write("ca", ssh.MarshalAuthorizedKey(ca)) + "\n"
	}
	file := write("config", []byte(config))
	for range 3 {
		if s.starts(t, program, file) {
			return s
		}
	}
	t.Fatal("sshd finds its port taken again and again")
	return nil
}

// starts says whether sshd got its port: since that was found free, another
// program may have taken it.
func (s *sshd) starts(t testing.TB, program, config string) bool {
	t.Helper()
	s.port = freePort(t)
	cmd := exec.Command(program, "-D", "-f", config, "-p", s.port, "-o", "ListenAddress=127.0.0.1", "-E", s.log)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	})
	const listens, taken = "Server listening on 127.0.0.1", "Address already in use"
	if strings.Contains(await(t, s.log, listens, taken), listens) {
		return true
	}
	check(t, os.Remove(s.log)) // the next one would add to it
	return false
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	check(t, err)
	check(t, l.Close())
	return port
}

// client runs a program of OpenSSH's with the agent, and returns its output.
// A client that hangs fails the test.
func client(t testing.TB, a *Agent, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed (Debian: openssh-client)", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"SSH_AUTH_SOCK=" + a.Socket(), "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s hangs: %s", name, out)
	}
	return string(out), err
}

// args are those of an ssh that trusts exactly this server.
func (s *sshd) args(t testing.TB, more ...string) []string {
	t.Helper()
	hosts := filepath.Join(s.dir, "known_hosts")
	check(t, os.WriteFile(hosts, fmt.Appendf(nil, "[127.0.0.1]:%s %s", s.port, ssh.MarshalAuthorizedKey(s.key.PublicKey())), 0o600))
	return append([]string{
		"-F", "none", "-o", "UserKnownHostsFile=" + hosts, "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-p", s.port,
	}, more...)
}

func TestOpenSSH_LogsIn(t *testing.T) {
	for _, kind := range []string{ed, ec, rsa2k, rsa4k} {
		t.Run(kind, func(t *testing.T) {
			k := makeKey(t, kind)
			s := startSSHD(t, nil, k)
			a, _ := startAgent(t, Options{Keys: []*Key{k}, Users: []string{s.user}, HostKeys: []string{ssh.FingerprintSHA256(s.key.PublicKey())}})
			out, err := client(t, a, "ssh", s.args(t, "127.0.0.1", "echo logged in")...)
			if err != nil || out != "logged in\n" {
				t.Fatalf("%v: %s\n%+v", err, out, a.Events())
			}
			events := a.Events()
			if len(events) != 1 {
				t.Fatalf("%d events, want one signature", len(events))
			}
			e := events[0]
			if !e.Signed || e.User != s.user || e.HostKey != ssh.FingerprintSHA256(s.key.PublicKey()) || e.Forwarded || filepath.Base(e.Peer.Executable) != "ssh" {
				t.Errorf("the event is %+v", e)
			}
		})
	}
}

func TestOpenSSH_LogsInWithACertificate(t *testing.T) {
	k, ca := makeKey(t, ed), hostSigner(t)
	s := startSSHD(t, ca.PublicKey())
	cert := &ssh.Certificate{Key: k.Public(), CertType: ssh.UserCert, ValidPrincipals: []string{s.user}, ValidBefore: ssh.CertTimeInfinity}
	check(t, cert.SignCert(rand.Reader, ca))
	check(t, k.Certify(ssh.MarshalAuthorizedKey(cert)))
	a, _ := startAgent(t, Options{Keys: []*Key{k}})
	out, err := client(t, a, "ssh", s.args(t, "127.0.0.1", "echo logged in")...)
	if err != nil || out != "logged in\n" {
		t.Fatalf("%v: %s\n%+v", err, out, a.Events())
	}
}

func TestOpenSSH_TriesTheNextKey(t *testing.T) {
	stranger, k := makeKey(t, ed), makeKey(t, ec)
	s := startSSHD(t, nil, k)
	a, _ := startAgent(t, Options{Keys: []*Key{stranger, k}})
	out, err := client(t, a, "ssh", s.args(t, "127.0.0.1", "echo logged in")...)
	if err != nil || out != "logged in\n" {
		t.Fatalf("%v: %s", err, out)
	}
	if c := a.Counts(); c.Signed != 1 || c.Refused != 0 {
		t.Errorf("%v", c)
	}
}

func TestOpenSSH_RefusedUser(t *testing.T) {
	k := makeKey(t, ed)
	s := startSSHD(t, nil, k)
	a, _ := startAgent(t, Options{Keys: []*Key{k}, Users: []string{"somebody-else"}})
	out, err := client(t, a, "ssh", s.args(t, "127.0.0.1", "true")...)
	if err == nil || !strings.Contains(out, "agent refused operation") {
		t.Errorf("%v: %s", err, out)
	}
	if got := lastReason(t, a); got != ReasonUser {
		t.Errorf("refused because %q", got)
	}
}

func TestOpenSSH_RefusedHost(t *testing.T) {
	k := makeKey(t, ed)
	s := startSSHD(t, nil, k)
	a, _ := startAgent(t, Options{Keys: []*Key{k}, HostKeys: []string{ssh.FingerprintSHA256(hostSigner(t).PublicKey())}})
	out, err := client(t, a, "ssh", "-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-p", s.port, "127.0.0.1", "true")
	if err == nil || !strings.Contains(out, "agent refused operation") {
		t.Errorf("%v: %s", err, out)
	}
	if got := lastReason(t, a); got != ReasonHostKey {
		t.Errorf("refused because %q", got)
	}
}

// A server that was logged in to uses the forwarded agent to log in further.
func TestOpenSSH_Forwarded(t *testing.T) {
	k := makeKey(t, ed)
	s := startSSHD(t, nil, k)
	hop := "ssh -F none -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o BatchMode=yes -p " + s.port + " 127.0.0.1 echo logged in"
	for _, allowed := range []bool{false, true} {
		a, _ := startAgent(t, Options{Keys: []*Key{k}, AllowForwarding: allowed})
		out, err := client(t, a, "ssh", s.args(t, "-A", "127.0.0.1", hop)...)
		if in := strings.Contains(out, "logged in"); in != allowed {
			t.Errorf("with forwarding allowed %v: %v: %s", allowed, err, out)
		}
		if !allowed && lastReason(t, a) != ReasonForwarded {
			t.Errorf("refused because %q", lastReason(t, a))
		}
		if !a.Events()[len(a.Events())-1].Forwarded {
			t.Error("the event is not marked as forwarded")
		}
	}
}

func TestOpenSSH_JumpHost(t *testing.T) {
	k := makeKey(t, ed)
	s, jump := startSSHD(t, nil, k), startSSHD(t, nil, k)
	a, _ := startAgent(t, Options{Keys: []*Key{k}, HostKeys: []string{ssh.FingerprintSHA256(s.key.PublicKey()), ssh.FingerprintSHA256(jump.key.PublicKey())}})
	proxy := "ssh " + strings.Join(jump.args(t, "-W", "%h:%p", "127.0.0.1"), " ")
	out, err := client(t, a, "ssh", s.args(t, "-o", "ProxyCommand="+proxy, "127.0.0.1", "echo logged in")...)
	if err != nil || out != "logged in\n" {
		t.Fatalf("%v: %s\n%+v", err, out, a.Events())
	}
	if c := a.Counts(); c.Signed != 2 {
		t.Errorf("%v", c)
	}
}

func TestOpenSSH_ListsAndIsRefusedTheRest(t *testing.T) {
	k := makeKey(t, ed)
	a, _ := startAgent(t, Options{Keys: []*Key{k, makeKey(t, rsa2k)}})
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	check(t, os.WriteFile(file, keyText(t, ed), 0o600))
	public := filepath.Join(dir, "key.pub")
	check(t, os.WriteFile(public, ssh.MarshalAuthorizedKey(k.Public()), 0o600))
	for name, c := range map[string]struct {
		args []string
		ok   bool
		says string
	}{
		"list":       {[]string{"ssh-add", "-l"}, true, k.Fingerprint() + " test key (ED25519)"},
		"list keys":  {[]string{"ssh-add", "-L"}, true, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.Public())))},
		"test":       {[]string{"ssh-add", "-T", public}, false, "agent refused operation"},
		"remove all": {[]string{"ssh-add", "-D"}, false, "Failed to remove all identities"},
		"remove":     {[]string{"ssh-add", "-d", public}, false, "agent refused operation"},
		"add":        {[]string{"ssh-add", file}, false, "agent refused operation"},
		"add a life": {[]string{"ssh-add", "-t", "60", file}, false, "agent refused operation"},
		"sign":       {[]string{"ssh-keygen", "-Y", "sign", "-n", "git", "-f", public, file}, false, "agent refused operation"},
		"a card":     {[]string{"ssh-add", "-e", "/usr/lib/none.so"}, false, "agent refused operation"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := client(t, a, c.args[0], c.args[1:]...)
			if (err == nil) != c.ok || !strings.Contains(out, c.says) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	if c := a.Counts(); c.Signed != 0 || c.Refused == 0 {
		t.Errorf("%v", c)
	}
}

// The agent's own client, as another program of Go's would use it.
func TestOpenSSH_GoClient(t *testing.T) {
	k := makeKey(t, ed)
	s := startSSHD(t, nil, k)
	c, err := ssh.Dial("tcp", "127.0.0.1:"+s.port, &ssh.ClientConfig{
		User: s.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(k.Signer())},
		HostKeyCallback: ssh.FixedHostKey(s.key.PublicKey()), Timeout: 10 * time.Second,
	})
	check(t, err)
	check(t, c.Close())
}
