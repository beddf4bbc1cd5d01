//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
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
			t.Skipf("no pty here: %v", err)
		}
		timer := time.AfterFunc(20*time.Second, func() { _ = keys.Close() })
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
			t.Skipf("no pty here: %v", err)
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
			t.Skipf("no pty here: %v", err)
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
