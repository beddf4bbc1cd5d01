//go:build linux

package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

func TestRun_PassesEveryExitCodeOn(t *testing.T) {
	for code := range 256 {
		exit := run(t, shell(fmt.Sprintf("exit %d", code)))
		if want := (supervise.Exit{Code: code}); exit != want {
			t.Fatalf("got %+v, want %+v", exit, want)
		}
		if exit.Status() != code {
			t.Fatalf("status %d of code %d", exit.Status(), code)
		}
	}
}

// inheritedIgnored are the signals that this process was started to ignore, as
// under nohup. What signal.Ignored says later is what tests have made of it: after a
// Notify it is false for good, though the system ignores the signal again.
var inheritedIgnored = slices.DeleteFunc([]syscall.Signal{syscall.SIGHUP, syscall.SIGINT}, func(sig syscall.Signal) bool {
	return !signal.Ignored(sig)
})

func TestRun_ReportsTheSignalThatEndedTheChild(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGKILL, syscall.SIGUSR1, syscall.SIGPIPE, syscall.SIGTERM} {
		if slices.Contains(inheritedIgnored, sig) {
			continue // a child ignores it too
		}
		exit := run(t, shell(fmt.Sprintf("kill -%d $$; sleep 10", sig)))
		if want := (supervise.Exit{Code: -1, Signal: sig}); exit != want {
			t.Errorf("got %+v, want %+v", exit, want)
		}
		if exit.Status() != 128+int(sig) {
			t.Errorf("status %d for %v", exit.Status(), sig)
		}
	}
}

func TestRun_GivesTheEnvironmentAndNothingElse(t *testing.T) {
	t.Setenv("OF_OURS", "1")
	var out bytes.Buffer
	c := self(t, "environment")
	c.Env = append(c.Env, "EMPTY=", "TWICE=first", "TWICE=second", "LINES=a\nb")
	c.Stdout = &out
	run(t, c)
	for _, line := range []string{"EMPTY=\n", "TWICE=second\n", "LINES=a\nb\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in the child's environment", line)
		}
	}
	for _, line := range []string{"OF_OURS", "TWICE=first", "HOME="} {
		if strings.Contains(out.String(), line) {
			t.Errorf("%q in the child's environment", line)
		}
	}
	out.Reset()
	run(t, &supervise.Command{Path: "/usr/bin/env", Stdout: &out})
	if out.String() != "" {
		t.Errorf("no environment became %q", out.String())
	}
}

func TestRun_KeepsTheOrderOfBothStreamsInOneWriter(t *testing.T) {
	const lines = 2000
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "out %d\nerr %d\n", i, i)
	}
	var out bytes.Buffer
	c := self(t, "alternate", strconv.Itoa(lines))
	c.Stdout, c.Stderr = &out, &out
	run(t, c)
	if diff := cmp.Diff(want.String(), out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestRun_KeepsTwoWritersApart(t *testing.T) {
	var out, err bytes.Buffer
	c := self(t, "alternate", "3")
	c.Stdout, c.Stderr = &out, &err
	run(t, c)
	if got, want := out.String(), "out 0\nout 1\nout 2\n"; got != want {
		t.Errorf("standard output %q, want %q", got, want)
	}
	if got, want := err.String(), "err 0\nerr 1\nerr 2\n"; got != want {
		t.Errorf("standard error %q, want %q", got, want)
	}
}

// uncomparable is a writer that == panics on.
type uncomparable struct {
	io.Writer
	_ []int
}

func TestRun_TakesWritersThatCannotBeCompared(t *testing.T) {
	var out, err bytes.Buffer
	c := self(t, "alternate", "1")
	c.Stdout, c.Stderr = uncomparable{Writer: &out}, uncomparable{Writer: &err}
	run(t, c)
	if out.String() != "out 0\n" || err.String() != "err 0\n" {
		t.Errorf("got %q and %q", out.String(), err.String())
	}
}

func TestRun_HandsFilesOverAsTheyAre(t *testing.T) {
	in, err := os.Open(file(t, "in", "a line\n", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := shell("cat; pwd; echo bad >&2")
	c.Dir = t.TempDir()
	c.Stdin, c.Stdout = in, out
	run(t, c)
	got, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if want := "a line\n" + c.Dir + "\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRun_HasNoInputUnlessGiven(t *testing.T) {
	var out bytes.Buffer
	c := shell("cat; echo end")
	c.Stdout = &out
	run(t, c)
	if out.String() != "end\n" {
		t.Errorf("got %q", out.String())
	}
}

func TestRun_PutsTheChildInASessionOfItsOwn(t *testing.T) {
	var out bytes.Buffer
	c := shell("cat /proc/self/stat; echo $$")
	c.Stdout = &out
	run(t, c)
	var pid, parent, group, session, own int
	var name, state string
	first, last, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
	if _, err := fmt.Sscan(first, &pid, &name, &state, &parent, &group, &session); err != nil {
		t.Fatal(err)
	}
	own = pidIn(t, last)
	if group != own || session != own {
		t.Errorf("group %d and session %d of child %d", group, session, own)
	}
}

func TestRun_SaysWhyACommandCannotBeStarted(t *testing.T) {
	dir := t.TempDir()
	nowhere := filepath.Join(dir, "nowhere")
	for name, test := range map[string]struct {
		path   string
		status int
		is     error
		text   string
	}{
		"not on PATH":            {"no-such-command", 127, environ.ErrNotFound, "no-such-command: command not found"},
		"no such file":           {"./nowhere", 127, environ.ErrNotFound, "./nowhere: command not found"},
		"beneath a file":         {file(t, "plain", "", 0o644) + "/x", 127, environ.ErrNotFound, "command not found"},
		"no name":                {"", 127, environ.ErrNotFound, `"": command not found`},
		"not executable":         {file(t, "text", "#!/bin/sh\n", 0o644), 126, environ.ErrNotExecutable, "cannot be executed: permission denied"},
		"a folder":               {dir, 126, environ.ErrNotExecutable, "it is a directory"},
		"interpreter missing":    {file(t, "script", "#!"+nowhere+"\n", 0o755), 126, environ.ErrNotExecutable, "#! line"},
		"no #! line":             {file(t, "bare", "echo hi\n", 0o755), 126, environ.ErrNotExecutable, "no program for this machine"},
		"for some other machine": {file(t, "elf", "\x7fELF\x02\x01\x01junk", 0o755), 126, environ.ErrNotExecutable, "no program for this machine"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := (&supervise.Command{Path: test.path, Env: []string{"PATH=/usr/bin:/bin"}, Dir: dir}).Run(t.Context())
			var start *supervise.StartError
			if !errors.As(err, &start) {
				t.Fatalf("got %v", err)
			}
			if start.Status() != test.status || !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got status %d: %v", start.Status(), err)
			}
		})
	}
}

func TestRun_DistinguishesAMissingFolderFromAMissingCommand(t *testing.T) {
	c := shell("true")
	c.Dir = filepath.Join(t.TempDir(), "nowhere")
	_, err := c.Run(t.Context())
	var start *supervise.StartError
	if err == nil || errors.As(err, &start) || !strings.Contains(err.Error(), "working directory") {
		t.Errorf("got %v", err)
	}
	c.Dir = file(t, "plain", "", 0o644)
	if _, err := c.Run(t.Context()); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("got %v", err)
	}
}

func TestRun_StartsNothingAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(supervise.Signalled{Signal: syscall.SIGTERM})
	mark := filepath.Join(t.TempDir(), "mark")
	_, err := shell("touch " + mark).Run(ctx)
	var got supervise.Signalled
	if !errors.As(err, &got) || got.Status() != 143 {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("it was started")
	}
}

func TestRun_LeavesNoFileOpen(t *testing.T) {
	before := openFiles(t)
	for range 5 {
		var out, errs bytes.Buffer
		c := shell("echo out; echo err >&2; exit 3")
		c.Stdout, c.Stderr = &out, &errs
		run(t, c)
		c.Path = file(t, "bare", "", 0o755)
		if _, err := c.Run(t.Context()); err == nil {
			t.Fatal("an empty file was started")
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}

// file makes a file and gives its path.
func file(t testing.TB, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// openFiles is how many files this process has open.
func openFiles(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
