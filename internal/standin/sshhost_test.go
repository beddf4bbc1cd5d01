package standin_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func startHost(t *testing.T, key ssh.PublicKey, change ...func(*standin.SSHHostOptions)) *standin.SSHHost {
	t.Helper()
	opts := standin.SSHHostOptions{
		AuthorizedKey: key,
		User:          "deployer",
		Dir:           t.TempDir(),
		Env:           []string{"PATH=/usr/bin:/bin"},
	}
	for _, c := range change {
		c(&opts)
	}
	host, err := standin.StartSSHHost(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return host
}

func dialAs(host *standin.SSHHost, user string, signer ssh.Signer) (*ssh.Client, error) {
	return ssh.Dial("tcp", host.Address(), &ssh.ClientConfig{
		User:            user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.FixedHostKey(host.HostKey()),
		Timeout:         10 * time.Second,
	})
}

func dial(t *testing.T, host *standin.SSHHost, signer ssh.Signer) *ssh.Client {
	t.Helper()
	client, err := dialAs(host, "deployer", signer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newSession(t *testing.T, client *ssh.Client) *ssh.Session {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func TestSSHHost_LetsInOneKeyOfOneUser(t *testing.T) {
	signer := newSigner(t)
	host := startHost(t, signer.PublicKey())

	if client, err := dialAs(host, "deployer", newSigner(t)); err == nil {
		_ = client.Close()
		t.Error("another key got in")
	}
	if client, err := dialAs(host, "root", signer); err == nil {
		_ = client.Close()
		t.Error("another user got in")
	}
	if got := host.Logins(); got != 0 {
		t.Errorf("refused logins are counted: %d", got)
	}
	dial(t, host, signer)
	testkit.WaitFor(t, "the one login", func() bool { return host.Logins() == 1 })
}

func TestSSHHost_ReportsHowACommandEnded(t *testing.T) {
	signer := newSigner(t)
	client := dial(t, startHost(t, signer.PublicKey()), signer)

	for _, c := range []struct {
		command string
		status  int
		signal  string
	}{
		{"true", 0, ""},
		{"exit 7", 7, ""},
		{"no-such-command-here", 127, ""},
		{"kill -TERM $$", 0, "TERM"},
		{"kill -KILL $$", 0, "KILL"},
	} {
		err := newSession(t, client).Run(c.command)
		var exit *ssh.ExitError
		switch {
		case c.status == 0 && c.signal == "":
			if err != nil {
				t.Errorf("%s: %v", c.command, err)
			}
		case !errors.As(err, &exit):
			t.Errorf("%s: %v, want an exit status", c.command, err)
		case exit.Signal() != c.signal || (c.signal == "" && exit.ExitStatus() != c.status):
			t.Errorf("%s: status %d, signal %q", c.command, exit.ExitStatus(), exit.Signal())
		}
	}
}

func TestSSHHost_KeepsStreamsApart(t *testing.T) {
	signer := newSigner(t)
	client := dial(t, startHost(t, signer.PublicKey()), signer)
	session := newSession(t, client)
	var out, errs bytes.Buffer
	session.Stdout, session.Stderr = &out, &errs
	if err := session.Run("echo to out; echo to err >&2"); err != nil {
		t.Fatal(err)
	}
	if out.String() != "to out\n" || errs.String() != "to err\n" {
		t.Errorf("out %q, err %q", out.String(), errs.String())
	}
}

func TestSSHHost_GivesStandardInput(t *testing.T) {
	signer := newSigner(t)
	client := dial(t, startHost(t, signer.PublicKey()), signer)
	content := make([]byte, 3<<20) // more than a channel's window
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]io.Reader{
		"whole":              bytes.NewReader(content),
		"one byte at a time": oneByte{bytes.NewReader(content[:2048])},
	} {
		session := newSession(t, client)
		session.Stdin = in
		out, err := session.Output("cat")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.HasPrefix(content, out) || len(out) < 2048 {
			t.Errorf("%s: %d bytes came back, not those that were sent", name, len(out))
		}
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func TestSSHHost_EndsWhileStandardInputStaysOpen(t *testing.T) {
	signer := newSigner(t)
	client := dial(t, startHost(t, signer.PublicKey()), signer)
	session := newSession(t, client)
	if _, err := session.StdinPipe(); err != nil { // never closed
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- session.Run("exit 3") }()
	select {
	case err := <-ended:
		var exit *ssh.ExitError
		if !errors.As(err, &exit) || exit.ExitStatus() != 3 {
			t.Errorf("%v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the command's end was not told")
	}
}

func TestSSHHost_RunsInItsHome(t *testing.T) {
	signer := newSigner(t)
	home := t.TempDir()
	host := startHost(t, signer.PublicKey(), func(o *standin.SSHHostOptions) {
		o.Dir = home
		o.Env = append(o.Env, "GIVEN=by the host")
	})
	client := dial(t, host, signer)

	session := newSession(t, client)
	if err := session.Setenv("ASKED", "by the client"); err != nil {
		t.Fatal(err)
	}
	out, err := session.Output(`mkdir -p .kamal && echo here > .kamal/file; printf '%s\n' "$HOME" "$USER" "$GIVEN" "$ASKED" "$PWD" "$KAMAL_OP_TEST"`)
	if err != nil {
		t.Fatal(err)
	}
	want := home + "\ndeployer\nby the host\nby the client\n" + home + "\n\n"
	if string(out) != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
	if _, err := os.Stat(filepath.Join(home, ".kamal", "file")); err != nil {
		t.Error(err)
	}
}

func TestSSHHost_GivesATerminal(t *testing.T) {
	signer := newSigner(t)
	client := dial(t, startHost(t, signer.PublicKey()), signer)
	session := newSession(t, client)
	if err := session.RequestPty("xterm", 31, 97, ssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	out, err := session.Output("test -t 0 && test -t 1 && stty size && echo $TERM; exit 5")
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 5 {
		t.Errorf("%v, want status 5", err)
	}
	if got := strings.Fields(string(out)); fmt.Sprint(got) != "[31 97 xterm]" {
		t.Errorf("%q", got)
	}
}

func TestSSHHost_ResizesATerminal(t *testing.T) {
	signer := newSigner(t)
	client := dial(t, startHost(t, signer.PublicKey()), signer)
	session := newSession(t, client)
	if err := session.RequestPty("xterm", 24, 80, ssh.TerminalModes{ssh.ECHO: 0}); err != nil {
		t.Fatal(err)
	}
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out testkit.Buffer
	session.Stdout = &out
	if err := session.Start("echo ready; read line; stty size"); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the command", func() bool { return strings.Contains(out.String(), "ready") })
	if err := session.WindowChange(41, 99); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "go on\n"); err != nil {
		t.Fatal(err)
	}
	if err := session.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "41 99") {
		t.Errorf("%q", out.String())
	}
}

func TestSSHHost_PassesSignalsToTheGroup(t *testing.T) {
	signer := newSigner(t)
	client := dial(t, startHost(t, signer.PublicKey()), signer)
	session := newSession(t, client)
	var out testkit.Buffer
	session.Stdout = &out
	if err := session.Start("trap 'echo caught; exit 9' TERM; echo ready; sleep 60 & wait"); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the command", func() bool { return strings.Contains(out.String(), "ready") })
	if err := session.Signal(ssh.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := session.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 9 {
		t.Errorf("%v, want status 9", err)
	}
	if !strings.Contains(out.String(), "caught") {
		t.Errorf("%q", out.String())
	}
}

// The three ways in which a client goes away; each time the command and its
// children go too, also one that ignores the hang-up.
func TestSSHHost_EndsWhatNobodyWaitsFor(t *testing.T) {
	for name, leave := range map[string]func(*standin.SSHHost, *ssh.Client, *ssh.Session) error{
		"channel closed":    func(_ *standin.SSHHost, _ *ssh.Client, s *ssh.Session) error { return s.Close() },
		"connection closed": func(_ *standin.SSHHost, c *ssh.Client, _ *ssh.Session) error { return c.Close() },
		"host closed":       func(h *standin.SSHHost, _ *ssh.Client, _ *ssh.Session) error { return h.Close() },
	} {
		for _, command := range []string{"sleep 300 & echo $! $$; wait", "trap '' HUP; sleep 300 & echo $! $$; wait"} {
			t.Run(name+"/"+strings.Fields(command)[0], func(t *testing.T) {
				signer := newSigner(t)
				host := startHost(t, signer.PublicKey())
				client := dial(t, host, signer)
				session := newSession(t, client)
				var out testkit.Buffer
				session.Stdout = &out
				if err := session.Start(command); err != nil {
					t.Fatal(err)
				}
				testkit.WaitFor(t, "the command", func() bool { return strings.HasSuffix(out.String(), "\n") })
				if err := leave(host, client, session); err != nil {
					t.Fatal(err)
				}
				for word := range strings.FieldsSeq(out.String()) {
					pid, err := strconv.Atoi(word)
					if err != nil {
						t.Fatal(err)
					}
					testkit.WaitFor(t, "the end of process "+word, func() bool {
						return gone(pid)
					})
				}
			})
		}
	}
}

// gone reports whether a process is no more, or is a zombie that init has yet to
// collect.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestSSHHost_ForwardsNothing(t *testing.T) {
	signer := newSigner(t)
	host := startHost(t, signer.PublicKey())
	client := dial(t, host, signer)
	if conn, err := client.Dial("tcp", host.Address()); err == nil {
		_ = conn.Close()
		t.Error("a connection was forwarded")
	}
	if listener, err := client.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = listener.Close()
		t.Error("a port was forwarded")
	}
	session := newSession(t, client)
	if ok, err := session.SendRequest("auth-agent-req@openssh.com", true, nil); err != nil || ok {
		t.Errorf("agent forwarding: %v, %v", ok, err)
	}
}

func TestSSHHost_LogsNoArguments(t *testing.T) {
	signer := newSigner(t)
	var log testkit.Buffer
	host := startHost(t, signer.PublicKey(), func(o *standin.SSHHostOptions) {
		o.Log = func(line string) { _, _ = fmt.Fprintln(&log, line) }
	})
	client := dial(t, host, signer)
	if err := newSession(t, client).Run("/usr/bin/env true --password guarded"); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the log", func() bool { return strings.Contains(log.String(), "took") })
	if strings.Contains(log.String(), "guarded") || !strings.Contains(log.String(), "true took") {
		t.Errorf("%s", log.String())
	}
}

func TestSSHHost_ListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "localhost:0", "192.0.2.1:22", "127.0.0.1"} {
		host, err := standin.StartSSHHost(t.Context(), standin.SSHHostOptions{
			AuthorizedKey: newSigner(t).PublicKey(), Dir: t.TempDir(), Address: address,
		})
		if err == nil {
			_ = host.Close()
			t.Errorf("it listens on %s", address)
		}
	}
	for _, address := range []string{"", "127.0.0.2:0"} {
		host, err := standin.StartSSHHost(t.Context(), standin.SSHHostOptions{
			AuthorizedKey: newSigner(t).PublicKey(), Dir: t.TempDir(), Address: address,
		})
		if err != nil {
			t.Fatal(err)
		}
		ip, _, err := net.SplitHostPort(host.Address())
		if err != nil || !net.ParseIP(ip).IsLoopback() {
			t.Errorf("it listens on %s", host.Address())
		}
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A client that connects and says nothing must not keep Close waiting.
func TestSSHHost_ClosesBesideASilentClient(t *testing.T) {
	host := startHost(t, newSigner(t).PublicKey())
	conn, err := net.Dial("tcp", host.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	closed := make(chan error, 1)
	go func() { closed <- host.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits for the client")
	}
}
