//go:build linux

package program

import (
	"bytes"
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

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
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
	if state := s.ended(cmd, time.Minute); state.ExitCode() != 130 {
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
		if state := s.ended(cmd, time.Minute); state.ExitCode() != 143 {
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
		"comment":  true,                 // it asks GitHub first, below; then it is plan or deploy
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
			url, asked := silence(t)
			for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
				s.endedBy(signal, asked, []string{"OP_CONNECT_HOST=" + url}, append([]string{name}, args...)...)
			}
		})
	}
}

// A signal ends every command that waits for GitHub, with the signal's status, and what
// nobody waits for is no problem that is told.
func TestSignals_EndWhatWaitsForGitHub(t *testing.T) {
	const event = `{"action": "created", "repository": {"full_name": "acme/shop", "default_branch": "main"}, "issue": {"number": 5, "pull_request": {}},
		"comment": {"id": 1, "body": "/plan production", "user": {"login": "alice", "id": 7, "type": "User"}}}`
	pull := `{"pull_request": {"number": 5, "state": "open", "head": {"sha": "` + githubtest.SHA(5) + `", "repo": {"full_name": "acme/shop"}},
		"base": {"sha": "` + githubtest.SHA(1) + `", "repo": {"full_name": "acme/shop"}}}}`
	for name, tc := range map[string]struct {
		event, payload string
		args           []string
	}{
		"who comments":          {"issue_comment", event, []string{"comment", "--deploy-by-comment", "production="}},
		"the project file":      {"pull_request", pull, []string{"plan", "--comment"}},
		"a pull request's head": {"workflow_dispatch", "{}", []string{"review", "deploy", "5", "--review-host", "review.example.com"}},
		"an issue":              {"schedule", "{}", []string{"watch", "--issue"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "")
			for file, text := range map[string]string{
				// No host answers to this name, and none is waited for.
				"config/deploy.yml": "service: myapp\nimage: example/myapp\nservers: [name.invalid]\nregistry: {username: example, password: [A]}\nbuilder: {arch: amd64}\n",
				"event.json":        tc.payload,
			} {
				if err := os.WriteFile(filepath.Join(s.dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			url, asked := silence(t)
			env := []string{
				"GITHUB_API_URL=" + url, "GITHUB_REPOSITORY=acme/shop", "KAMAL_OP_GITHUB_TOKEN=token", "GITHUB_EVENT_NAME=" + tc.event, "GITHUB_EVENT_PATH=event.json",
			}
			for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
				said := s.endedBy(signal, asked, env, tc.args...)
				if strings.Contains(said, "context canceled") || strings.Contains(said, "got signal") {
					t.Errorf("%v is told as a problem:\n%s", signal, said)
				}
			}
		})
	}
}

// silence is a server that answers nothing, and says when it is asked.
func silence(t *testing.T) (url string, asked <-chan struct{}) {
	t.Helper()
	requests, over := make(chan struct{}, 100), make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests <- struct{}{}
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
	return "http://" + listener.Addr().String(), requests
}

// endedBy starts a command, sends it a signal once somebody was asked, and fails where it
// does not end with the signal's status. It gives what the command has said.
func (s *stage) endedBy(signal syscall.Signal, asked <-chan struct{}, env []string, args ...string) (said string) {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Env = append(cmd.Env, env...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-asked:
	case err := <-ended:
		s.t.Fatalf("it ended before it asked: %v\n%s", err, log.String())
	}
	if err := cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 128+int(signal) {
			s.t.Errorf("%v: %v\n%s", signal, err, log.String())
		}
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		<-ended
		s.t.Fatalf("%v does not end it\n%s", signal, log.String())
	}
	for len(asked) > 0 {
		<-asked
	}
	return log.String()
}
