//go:build linux

package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit"
	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

// A stage is a project whose Kamal is a shell script, a vault with one secret, and
// what it takes to run the program on them.
type stage struct {
	t     *testing.T
	dir   string
	env   []string
	vault *standin.Vault
}

// newStage sets a stage. The script stands in for Kamal: what is looked at here is
// what becomes of its streams.
func newStage(t *testing.T, script string, env ...string) *stage {
	t.Helper()
	vault, err := standin.StartVault(t.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{{
		Name: "MyApp", Items: []standin.ItemSpec{{Title: "Production", Fields: []standin.FieldSpec{{Label: "A", Value: newValue(), Type: "CONCEALED"}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = vault.Close() })
	s := &stage{t: t, dir: t.TempDir(), vault: vault}
	for name, text := range map[string]string{
		"config/deploy.yml": "service: myapp\nimage: example/myapp\nservers: [203.0.113.10]\nregistry: {username: example, password: [A]}\nbuilder: {arch: amd64}\n",
		".kamal/secrets":    "A=$A\n",
		"bin/kamal":         "#!/bin/sh\n[ \"$1\" = version ] && { echo 2.12.0; echo \"$KAMAL_OP_PROBE\"; exit 0; }\necho $$ >pid\n" + script,
	} {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + t.TempDir(),
		"OP_CONNECT_HOST=" + vault.URL(), "OP_CONNECT_TOKEN=" + vault.Token(), "KAMAL_OP_SECRET=A=op://MyApp/Production/A",
	}, env...)
	return s
}

// command is the program with these arguments; it is killed after a minute.
func (s *stage) command(args ...string) *exec.Cmd {
	s.t.Helper()
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), program, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// ended waits for a command's end, and fails where that takes longer, or where
// something of the run is left.
func (s *stage) ended(cmd *exec.Cmd, within time.Duration) *os.ProcessState {
	s.t.Helper()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = cmd.Wait()
	}()
	select {
	case <-over:
	case <-time.After(within):
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		time.Sleep(200 * time.Millisecond)
		_ = cmd.Process.Kill()
		<-over
		s.t.Fatalf("it did not end within %s", within)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "pid"))
	if err != nil {
		return cmd.ProcessState // the script was not run
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		s.t.Errorf("the child lives on: %v", err)
	}
	return cmd.ProcessState
}

// systems are the logs that a child's output passes through.
var systems = map[string]struct{ env, args []string }{
	"plain":  {},
	"GitHub": {env: []string{"GITHUB_ACTIONS=true", "CI=true"}},
	"GitLab": {env: []string{"GITLAB_CI=true", "CI=true"}},
	"events": {args: []string{"--json"}},
}

// Who reads us goes away: the run ends, whether the child writes on or not.
func TestStreams_BrokenPipe(t *testing.T) {
	for name, script := range map[string]string{
		"a child that writes on": "while :; do echo line; done\n",
		"one that heeds nothing": "trap '' PIPE TERM INT\nwhile :; do echo line 2>/dev/null; done\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, script)
			cmd := s.command("deploy", "--", "-P")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			_ = out.Close()
			if name == "one that heeds nothing" {
				time.Sleep(100 * time.Millisecond)
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
			if state := s.ended(cmd, time.Minute); state.ExitCode() < 0 {
				t.Errorf("%s: we did not end by ourselves\n%s", state, &errs)
			}
		})
	}
}

// A full disk under our output: Kamal is ended in its own way, and it is told.
func TestStreams_DiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = full.Close() }()
	s := newStage(t, "trap 'exit 9' TERM\necho line\nwhile :; do sleep 0.01; done\n")
	for _, test := range []struct {
		args   []string
		status int
	}{
		{[]string{"deploy", "--", "-P"}, 9},
		{[]string{"run", "--", "sh", "-c", "echo line; exit 9"}, 9},
		{[]string{"run", "--", "echo", "line"}, 125},
		{[]string{"help"}, 3},
		{[]string{"deploy", "--help"}, 3},
	} {
		cmd := s.command(test.args...)
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		state := s.ended(cmd, time.Minute)
		if state.ExitCode() != test.status || strings.Count(errs.String(), "no space left on device") != 1 {
			t.Errorf("%s: %s, want %d, and told once:\n%s", test.args, state, test.status, &errs)
		}
	}
}

// Output without end and without lines takes no memory.
func TestStreams_FlatMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory, and a minute, of its own; the tests run without it too")
	}
	size := longrun.Times(64<<20, 1<<30)
	for name, system := range systems {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x\n", size), system.env...)
			cmd := s.command(append(append([]string{"deploy"}, system.args...), "--", "-P")...)
			var got counter
			cmd.Stdout = &got
			// Until it is another program a child counts with what its parent takes.
			var own syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			state := s.ended(cmd, time.Duration(longrun.Times(1, 10))*time.Minute)
			if !state.Success() || int(got) < size {
				t.Errorf("%s, %d bytes", state, got)
			}
			// The Go runtime, the program and the tests that are built into it take
			// about 50 MB.
			if peak := state.SysUsage().(*syscall.Rusage).Maxrss; peak > max(110<<10, own.Maxrss+1<<10) {
				t.Errorf("it took %d MB of memory, and the test %d", peak>>10, own.Maxrss>>10)
			}
		})
	}
}

// A counter counts what is written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Bytes that are no text pass as they are, and as events they are still JSON.
func TestStreams_BytesThatAreNoText(t *testing.T) {
	const script = `printf 'a\000b\377\376c\303(\n\000\000\n\033[31mred\033[0m\r\n\302'` + "\n"
	const want = "a\x00b\xff\xfec\xc3(\n\x00\x00\n\x1b[31mred\x1b[0m\r\n\xc2"
	s := newStage(t, script)
	out, err := s.command("deploy", "--", "-P").Output()
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
	out, err = s.command("deploy", "--json", "--", "-P").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range bytes.Lines(out) {
		var event struct{ Event string }
		if err := json.Unmarshal(line, &event); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if event.Event == "line" {
			lines++
		}
	}
	if lines != 4 {
		t.Errorf("%d lines, want 4\n%s", lines, out)
	}
}

// A line is in the log as soon as Kamal has printed it, whether it comes at once
// or byte by byte, and whether anything comes after it. The delay that counts is
// the least of each kind, and there are lines until both are small, for the machine
// may be busy: what holds lines, until the next or the end, holds all of them, and
// longer than that.
func TestStreams_LiveWithin100Milliseconds(t *testing.T) {
	const script = `i=0
while [ $((i += 1)) -le 60 ] && ! [ -e enough ]; do
  sleep 0.15
  now=$(date +%s%N)
  if [ $((i % 2)) = 0 ]; then
    printf 't'; printf 'i'; printf 'm'; printf 'e'; printf ' '; printf "$now"; printf '\n'
  else
    echo "time $now"
  fi
done
sleep 0.3
`
	for name, system := range systems {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, script, system.env...)
			cmd := s.command(append(append([]string{"deploy"}, system.args...), "--", "-P")...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			const most = 100 * time.Millisecond
			least := []time.Duration{time.Hour, time.Hour} // byte by byte, at once
			count := 0
			for lines := bufio.NewScanner(out); lines.Scan(); {
				_, text, found := strings.Cut(lines.Text(), "time 1") // behind which 18 digits follow
				if !found || len(text) < 18 {
					continue
				}
				at, err := strconv.ParseInt("1"+text[:18], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				count++
				least[count%2] = min(least[count%2], time.Since(time.Unix(0, at)))
				if slices.Max(least) <= most {
					if err := os.WriteFile(filepath.Join(s.dir, "enough"), nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			s.ended(cmd, time.Minute)
			t.Logf("%d lines, the least delays are %v", count, least)
			if slices.Max(least) > most {
				t.Errorf("of %d lines those that come byte by byte are late by %s or more, those at once by %s", count, least[0], least[1])
			}
		})
	}
}

// Who reads us stalls, and the run is cancelled: it ends in time all the same. The best
// of three counts: the machine may be busy.
func TestStreams_StalledReader(t *testing.T) {
	for name, script := range map[string]string{
		"deploy": "trap 'echo released >released; exit 1' TERM\nwhile :; do echo a line that nobody reads; done\n",
		"quiet":  "head -c 100000 /dev/zero\nexec sleep 60\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for tries := 1; ; tries++ {
				s := newStage(t, script)
				took := s.stalls()
				if _, err := os.Stat(filepath.Join(s.dir, "released")); name == "deploy" && err != nil {
					t.Error("Kamal did not come to release its lock")
				}
				if took <= 7*time.Second || t.Failed() {
					break
				}
				if tries == 3 {
					t.Fatalf("it took %s", took)
				}
			}
		})
	}
}

// stalls cancels a deploy whose output nobody reads, and says how long it took to end.
func (s *stage) stalls() time.Duration {
	s.t.Helper()
	cmd := s.command("deploy", "--", "-P")
	reader, writer, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	cmd.Stdout, cmd.Stderr = writer, writer // nobody reads it
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	_ = writer.Close()
	testkit.WaitFor(s.t, "Kamal", func() bool {
		text, err := os.ReadFile(filepath.Join(s.dir, "pid"))
		return err == nil && len(text) > 0
	})
	time.Sleep(300 * time.Millisecond) // for the pipes to fill
	begun := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	state := s.ended(cmd, time.Minute)
	if state.ExitCode() != 143 {
		s.t.Errorf("it ended with %s", state)
	}
	return time.Since(begun)
}
