//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A signal ends doctor while it waits for a Kamal and for a host, both of which say
// nothing for longer than a person would wait.
func TestSignals_EndDoctor(t *testing.T) {
	s := newStage(t, "mkfifo -m 600 never; echo up >pipe; exec cat never\n")
	pipe := filepath.Join(s.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("doctor")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if up, err := os.ReadFile(pipe); err != nil || string(up) != "up\n" {
		t.Fatalf("%q, %v", up, err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if state := s.ended(cmd, 30*time.Second); state.ExitCode() != 130 {
		t.Errorf("%v", state)
	}
	t.Logf("it took %v", time.Since(begun))
}

// A signal ends a command whose reader takes nothing any more, such as a pager that was
// stopped.
func TestSignals_EndACommandThatNobodyReads(t *testing.T) {
	s := newStage(t, "")
	var names strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&names, "N%d=$N%d\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(s.dir, ".kamal", "secrets"), []byte(names.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "--offline"}, {"check", "--offline", "--format", "json"}} {
		cmd := s.command(args...)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		// It has begun to write; what a pipe does not hold, waits.
		if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if state := s.ended(cmd, 30*time.Second); state.ExitCode() != 143 {
			t.Errorf("%v: %v", args, state)
		}
		_ = r.Close()
	}
}

// A signal ends every command that waits for 1Password, with the signal's status. Each
// is named here, so that a new one is thought of.
func TestSignals_EndEveryCommand(t *testing.T) {
	key := "--ssh-key=op://MyApp/Production/A"
	waits := map[string][]string{ // for 1Password
		"deploy": {key, "--", "-P"}, "setup": {key}, "redeploy": {key}, "rollback": {key, "v1"}, "kamal": {key, "--", "app", "logs"},
		"run": {"--", "true"}, "check": nil, "verify": {key}, "plan": {key}, "doctor": {key}, "rotate": {key}, "promote": {key, "--from", "staging"}, "freeze": {key, "-m", "x"}, "thaw": {key}, "watch": {key}, "history": {key}, "host-keys": {key},
		"add": {"B", "--item", "op://MyApp/Production"}, "init": {"--vault", "MyApp", "--item", "Production"},
	}
	byItself := map[string]bool{ // it asks nobody who would keep it waiting
		"remove": true, "rename": true, "migrate": true, "version": true, "cache": true, "action": true, "plugin": true,
		"help": true, "man": true, "completion": true, "config": true,
		"rehearse": true, "review": true, // tests of their own: TestRun_RemovesWhatAKilledOneLeft, TestReviewApps
	}
	for name := range commands {
		name, _, _ = strings.Cut(name, " ")
		if _, ok := waits[name]; !ok && !byItself[name] {
			t.Errorf("%s is not thought of", name)
		}
	}
	for name, args := range waits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "")
			if err := os.WriteFile(filepath.Join(s.dir, "config", "deploy.staging.yml"), []byte("{}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			asked, over := make(chan struct{}, 100), make(chan struct{})
			server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				select {
				case <-r.Context().Done():
				case <-over:
				}
			})}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = server.Serve(listener) }()
			t.Cleanup(func() { close(over); _ = server.Close() })
			for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
				cmd := s.command(append([]string{name}, args...)...)
				cmd.Env = append(cmd.Env, "OP_CONNECT_HOST=http://"+listener.Addr().String())
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				select {
				case <-asked:
				case err := <-ended:
					t.Fatalf("it ended before it asked: %v", err)
				}
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				select {
				case err := <-ended:
					var exit *exec.ExitError
					if !errors.As(err, &exit) || exit.ExitCode() != 128+int(signal) {
						t.Errorf("%v: %v", signal, err)
					}
				case <-time.After(time.Minute):
					_ = cmd.Process.Kill()
					t.Fatalf("%v does not end it", signal)
				}
				for len(asked) > 0 {
					<-asked
				}
			}
		})
	}
}
