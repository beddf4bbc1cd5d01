//go:build linux

package program

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/standin"
)

// On a terminal a status line says what is going on; --plain keeps to lines.
func TestTerminal_StatusLineAndPlain(t *testing.T) {
	for flag, live := range map[string]bool{"": true, "--plain": false} {
		s := newStage(t, "echo 'Start container with version v1 (or reboot if already running)...'\nsleep 0.1\n", "TERM=xterm")
		args := []string{"deploy", "--", "-P"}
		if flag != "" {
			args = append([]string{"deploy", flag}, args[1:]...)
		}
		keys, err := pty.Start(s.command(args...))
		if err != nil {
			t.Fatalf("no pty here: %v", err)
		}
		timer := time.AfterFunc(time.Minute, func() { _ = keys.Close() })
		out, _ := io.ReadAll(keys) // EIO is the end of a terminal
		timer.Stop()
		_ = keys.Close()
		text := string(out)
		if !strings.Contains(text, "Start container with version v1") || !strings.Contains(text, "✓ boot, ") {
			t.Errorf("%q: %q", flag, text)
		}
		if got := strings.Contains(text, "✓ deploy of myapp succeeded in "); got != live {
			t.Errorf("%q: told what has changed %v, want %v\n%q", flag, got, live, text)
		}
		if got := strings.Contains(text, "… boot ("); got != live {
			t.Errorf("%q: a status line %v, want %v\n%q", flag, got, live, text)
		}
		if got := strings.Contains(text, "\x1b["); got != live {
			t.Errorf("%q: colours %v, want %v\n%q", flag, got, live, text)
		}
	}
}

// What a command waits for is on the screen before anything is answered, and nothing of
// it is left beneath a report.
func TestTerminal_SaysAtOnceThatItIsGoingOn(t *testing.T) {
	for _, test := range []struct {
		args  []string
		first string // what is waited for
		last  string // what ends the report
	}{
		{[]string{"check"}, "getting ready", "named in all its places"},
		{[]string{"run", "--", "echo", "ran"}, "getting ready", "ran"},
		{[]string{"deploy", "--", "-P"}, "asking 1Password, and loading Kamal", ""},
	} {
		s := newStage(t, "", "TERM=xterm")
		keys, err := pty.Start(s.command(test.args...))
		if err != nil {
			t.Fatalf("no pty here: %v", err)
		}
		out, _ := io.ReadAll(keys) // EIO is the end of a terminal
		_ = keys.Close()
		text := string(out)
		at, end := strings.Index(text, "… "+test.first+" ("), strings.LastIndex(text, test.last)
		if at < 0 || end < at {
			t.Errorf("%q: %q", test.args, text)
			continue
		}
		// Each time that it is drawn it is taken away again.
		if drawn, gone := strings.Count(text, "\x1b[2m… "), strings.Count(text, "\r\x1b[K"); drawn != gone {
			t.Errorf("%q: drawn %d times, taken away %d times: %q", test.args, drawn, gone, text)
		}
	}
}

// Who begins a project at a terminal is asked for the names that nothing says; Enter
// takes the one that is shown.
func TestTerminal_InitAsks(t *testing.T) {
	s := newStage(t, "", "TERM=xterm")
	if err := os.Remove(filepath.Join(s.dir, ".kamal", "secrets")); err != nil {
		t.Fatal(err)
	}
	s.env = slices.DeleteFunc(s.env, func(entry string) bool { return strings.HasPrefix(entry, "KAMAL_OP_SECRET=") })
	init := func(answers string, args ...string) (text string, status int) {
		t.Helper()
		cmd := s.command(append([]string{"init", "--offline"}, args...)...)
		keys, err := pty.Start(cmd)
		if err != nil {
			t.Fatalf("no pty here: %v", err)
		}
		defer func() { _ = keys.Close() }()
		if _, err := io.WriteString(keys, answers); err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(keys) // EIO is the end of a terminal
		_ = cmd.Wait()             // its status is looked at
		return string(out), cmd.ProcessState.ExitCode()
	}
	if text, status := init("\x04", "--dry-run"); status != 2 || !strings.Contains(text, "the questions have no answer") {
		t.Errorf("status %d: %q", status, text)
	}
	text, status := init("Shop\n\nKeys\n")
	for _, want := range []string{"vault in 1Password [Myapp]: ", "item with the app's secrets in 1Password [Production]: ", "item with the SSH key in 1Password [Server]: ", "op://Shop/Keys"} {
		if status != 0 || !strings.Contains(text, want) {
			t.Errorf("status %d, no %q: %q", status, want, text)
		}
	}
	if secrets, err := os.ReadFile(filepath.Join(s.dir, ".kamal", "secrets")); err != nil || !strings.Contains(string(secrets), "Shop/Production") {
		t.Errorf("%v: %s", err, secrets)
	}
	// A second time all is known.
	if text, status := init(""); status != 0 || strings.Contains(text, "]: ") {
		t.Errorf("status %d: %q", status, text)
	}
}

// A person who begins a project is shown the servers' host keys, and those that they take
// are written into the project file; without a terminal --pin-hosts takes them.
func TestTerminal_InitPinsTheHosts(t *testing.T) {
	_, public := newKey(t)
	authorized, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	host, err := standin.StartSSHHost(t.Context(), standin.SSHHostOptions{AuthorizedKey: authorized, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	s := newStage(t, "", "TERM=xterm")
	_, port, err := net.SplitHostPort(host.Address())
	if err != nil {
		t.Fatal(err)
	}
	deploy := "service: myapp\nimage: example/myapp\nservers: [127.0.0.1]\nregistry: {username: example, password: [A]}\nbuilder: {arch: amd64}\nssh: {port: " + port + "}\n"
	if err := os.WriteFile(filepath.Join(s.dir, "config/deploy.yml"), []byte(deploy), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, ".kamal/kamal-op.yml")
	args := []string{"init", "--vault", "MyApp", "--item", "Production", "--key-item", "Server"}
	inTerminal := func(answer string) string {
		t.Helper()
		keys, err := pty.Start(s.command(args...))
		if err != nil {
			t.Fatalf("no pty here: %v", err)
		}
		defer func() { _ = keys.Close() }()
		if _, err := io.WriteString(keys, answer); err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(keys) // EIO is the end of a terminal
		return string(out)
	}
	pinned := func() string {
		text, _ := os.ReadFile(file) // "" where there is none
		return string(text)
	}
	shown := ssh.FingerprintSHA256(host.HostKey())
	if text := inTerminal("\n"); !strings.Contains(text, "  127.0.0.1  ssh-ed25519  "+shown) || !strings.Contains(text, "no host key is written") || strings.Contains(pinned(), "host-keys") {
		t.Errorf("%q\n%s", text, pinned())
	}
	line := "[127.0.0.1]:" + port + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(host.HostKey())))
	want := "# yaml-language-server: $schema=https://raw.githubusercontent.com/kamal-op/kamal-op/main/docs/schema/kamal-op.json\nssh-key: op://MyApp/Server\nhost-keys: |\n  " + line + "\n"
	if text := inTerminal("y\n"); pinned() != want {
		t.Errorf("%q\n%s", text, pinned())
	}
	// What is pinned stays, and is not asked for again.
	if text := inTerminal(""); strings.Contains(text, "[y/N]") || pinned() != want {
		t.Errorf("%q\n%s", text, pinned())
	}

	// Without a terminal: not by itself, and beside what the file has.
	const before = "timeout: 15m # of all"
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.command(args...).CombinedOutput(); err != nil || pinned() != before {
		t.Errorf("%v: %s\n%s", err, out, pinned())
	}
	args = append(args, "--pin-hosts")
	if out, err := s.command(args...).CombinedOutput(); err != nil || pinned() != before+"\nhost-keys: |\n  "+line+"\n" {
		t.Errorf("%v: %s\n%s", err, out, pinned())
	}
	if out, err := s.command(args...).CombinedOutput(); err != nil || !strings.Contains(string(out), "has host-keys already, and they stay") {
		t.Errorf("%v: %s", err, out)
	}
	// A server that is not there yet keeps nobody from beginning.
	if err := errors.Join(host.Close(), os.Remove(file)); err != nil {
		t.Fatal(err)
	}
	if out, err := s.command(args...).CombinedOutput(); err != nil || !strings.Contains(string(out), "refuses connections") || pinned() != "" {
		t.Errorf("%v: %s\n%s", err, out, pinned())
	}
}

// A narrow terminal breaks no table, and lines between words where it can be.
func TestTerminal_Narrow(t *testing.T) {
	s := newStage(t, "", "TERM=xterm", "NO_COLOR=1")
	if err := os.WriteFile(filepath.Join(s.dir, ".kamal/kamal-op.yml"), []byte("timeout: 15m\nhost-keys: 203.0.113.10 SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deploy := "service: myapp\nimage: example/myapp\nservers: [203.0.113.10]\nregistry: {username: example, password: [A]}\nbuilder: {arch: amd64}\nenv: {secret: [A_LONG_NAME]}\n"
	if err := os.WriteFile(filepath.Join(s.dir, "config/deploy.yml"), []byte(deploy), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		cols uint16
		want []string
	}{
		{[]string{"check"}, 40, []string{"  A_LONG_NAME\r\n    vault ? fetch – file ✗ deploy.yml ✓\r\n"}},
		{[]string{"check"}, 80, []string{"  secret       vault  fetch  file  deploy.yml"}},
		{[]string{"config"}, 40, []string{"secret  A=op://MyApp/Production/A\r\n  KAMAL_OP_SECRET, line 1\r\n", "timeout  15m  .kamal/kamal-op.yml:1\r\n"}},
		{[]string{"config"}, 200, []string{"timeout    15m", ".kamal/kamal-op.yml:1\r\n"}},
		{[]string{"deploy", "--no-such-option-as-this-one"}, 40, []string{"✗ unknown flag                          \x20\x20--no-such-option-as-this-one"}},
	} {
		keys, err := pty.StartWithSize(s.command(test.args...), &pty.Winsize{Rows: 50, Cols: test.cols})
		if err != nil {
			t.Fatalf("no pty here: %v", err)
		}
		out, _ := io.ReadAll(keys) // EIO is the end of a terminal
		_ = keys.Close()
		for _, want := range test.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%q in %d columns: no %q in\n%q", test.args, test.cols, want, out)
			}
		}
	}
	// Where there is no option to list, that is said there too.
	if err := os.Remove(filepath.Join(s.dir, ".kamal/kamal-op.yml")); err != nil {
		t.Fatal(err)
	}
	config := s.command("config")
	config.Env = slices.DeleteFunc(config.Env, func(e string) bool { return strings.HasPrefix(e, "KAMAL_OP_") })
	keys, err := pty.StartWithSize(config, &pty.Winsize{Rows: 50, Cols: 40})
	if err != nil {
		t.Fatalf("no pty here: %v", err)
	}
	out, _ := io.ReadAll(keys)
	_ = keys.Close()
	if !strings.HasPrefix(string(out), "no option is given") {
		t.Errorf("config without options: %q", out)
	}
}
