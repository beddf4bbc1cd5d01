//go:build linux

package main

import (
	"io"
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
