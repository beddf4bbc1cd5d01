//go:build linux

package supervise_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/supervise"
)

func TestRun_LeavesNoProcessOfItsSession(t *testing.T) {
	for name, line := range map[string]string{
		"in the group":            `sleep 60 & echo $! >PIDS; exit 3`,
		"that heeds nothing":      `sh -c 'trap "" TERM HUP; echo $$ >PIDS; while :; do sleep 0.01; done' & while ! test -s PIDS; do sleep 0.01; done; exit 3`,
		"in a group of its own":   `set -m; sleep 60 & echo $! >PIDS; exit 3`,
		"without its parent":      `(sleep 60 & echo $! >PIDS); exit 3`,
		"that is stopped":         `sleep 60 & echo $! >PIDS; kill -STOP $!; exit 3`,
		"that starts others":      `sh -c 'trap "" TERM; echo $$ >PIDS; while :; do sleep 60 & done' & while ! test -s PIDS; do sleep 0.01; done; sleep 0.02; exit 3`,
		"after a signal of death": `sleep 60 & echo $! >PIDS; sleep 60 & kill -KILL $$`,
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(line)
			var out bytes.Buffer
			c.Stdout = &out // they hold it open
			c.Dir = t.TempDir()
			var session int
			c.Started = func(child *supervise.Process) { session = child.Pid() }
			begun := time.Now()
			exit := run(t, c)
			if exit.Code != 3 && exit.Signal != syscall.SIGKILL {
				t.Errorf("%+v", exit)
			}
			if took := time.Since(begun); took > 40*time.Second { // they have 60
				t.Errorf("it took %v", took)
			}
			text, err := os.ReadFile(filepath.Join(c.Dir, "PIDS"))
			if err != nil {
				t.Fatal(err)
			}
			awaitDeath(t, pidIn(t, string(text)))
			left, _ := exec.Command("ps", "-o", "pid,stat,args", "-s", strconv.Itoa(session)).Output()
			for _, line := range strings.Split(strings.TrimSpace(string(left)), "\n")[1:] {
				if f := strings.Fields(line); !strings.HasPrefix(f[1], "Z") {
					t.Errorf("left: %s", line)
				}
			}
		})
	}
}

func TestRun_TerminatesALeftoverBeforeItKills(t *testing.T) {
	c := shell(`sh -c 'trap "echo cleaned up; exit" TERM; sleep 60 & echo ready; wait' & while ! test -s ready; do sleep 0.01; done`)
	c.Dir = t.TempDir()
	c.SetLeftoverGrace(20 * time.Second)
	c.Args[1] = strings.Replace(c.Args[1], "echo ready;", "echo ready >ready;", 1)
	var out bytes.Buffer
	c.Stdout = &out
	run(t, c)
	if out.String() != "cleaned up\n" {
		t.Errorf("got %q", out.String())
	}
}

// daemonise leaves a process in a session of its own that holds our standard
// output, and tells its pid on standard error.
func daemonise([]string) int {
	cmd := exec.Command("sleep", "60")
	cmd.Stdout = os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 99
	}
	fmt.Println("kept")
	fmt.Fprintln(os.Stderr, cmd.Process.Pid)
	return 4
}

func TestRun_DoesNotHangOnALeakedPipe(t *testing.T) {
	var out, pid bytes.Buffer
	c := self(t, "daemoniser")
	c.Stdout, c.Stderr = &out, &pid
	c.WaitDelay = time.Second
	before := openFiles(t)
	begun := time.Now()
	if exit := run(t, c); exit != (supervise.Exit{Code: 4}) {
		t.Errorf("%+v", exit)
	}
	if took := time.Since(begun); took > 30*time.Second { // the daemon has 60
		t.Errorf("it took %v", took)
	}
	if out.String() != "kept\n" {
		t.Errorf("got %q", out.String())
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d open files before, %d after", before, after)
	}
	_ = syscall.Kill(pidIn(t, pid.String()), syscall.SIGKILL)
}

func TestRun_TerminatesTheChildWhereWeAreKilled(t *testing.T) {
	cmd := rawSelf(t, "supervisor", "pid", "obeys")
	out := newPage()
	cmd.Stdout = out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.await(t, "ready")
	_, pid, _ := strings.Cut(out.String(), "child ")
	pid, _, _ = strings.Cut(pid, "\n")
	child := pidIn(t, pid)
	if !alive(child) {
		t.Fatal("the child does not live")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	awaitDeath(t, child)
}
