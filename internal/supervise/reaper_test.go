//go:build linux

package supervise_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/supervise"
	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER

// reapMany runs many children that leave orphans, beside others that os/exec
// started, under a Reaper, and counts what went wrong.
func reapMany([]string) int {
	if os.Getpid() != 1 {
		if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
			fmt.Println("prctl:", errno)
			return 1
		}
	}
	reaper := supervise.StartReaper()
	var lost, lostByOthers atomic.Int32
	var running sync.WaitGroup
	next := make(chan int)
	for range 4 {
		running.Go(func() {
			for i := range next {
				c := shell(fmt.Sprintf("(sleep 0.003 &); (setsid sleep 0.001 &); (setsid sleep 0.002 &); exit %d", i%256))
				c.Reaper = reaper
				exit, err := c.Run(context.Background())
				if err != nil || exit.Code != i%256 {
					fmt.Println(i, exit, err)
					lost.Add(1)
				}
				if i%4 == 0 {
					cmd := exec.Command("sh", "-c", "exit 7")
					cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: i%8 == 0}
					err := cmd.Run()
					if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 7 {
						fmt.Println("os/exec:", err)
						lostByOthers.Add(1)
					}
				}
			}
		})
	}
	for i := range longrun.Times(200, 2000) {
		next <- i
	}
	close(next)
	running.Wait()
	// What is left now does not end by itself, nor at the first signal. Run ends
	// what its own child left, Close what anything else did.
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	const leave = "rm -f up; setsid sh -c 'trap \"\" TERM; echo up >up; while :; do sleep 60; done' >/dev/null 2>&1 & setsid sleep 60 & while ! test -s up; do sleep 0.01; done"
	c := shell(leave)
	c.Reaper, c.Stdout, c.Dir = reaper, os.Stdout, dir
	if _, err := c.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	if left := reaper.Adopted(); len(left) > 0 {
		fmt.Println("left by Run:", left)
		return 1
	}
	again := exec.Command("sh", "-c", leave)
	again.Dir = dir
	if err := again.Run(); err != nil {
		fmt.Println(err)
	}
	// They are adopted when they have their own sessions.
	adopted := len(reaper.Adopted())
	for end := time.Now().Add(time.Minute); adopted < 2 && time.Now().Before(end); adopted = len(reaper.Adopted()) {
		time.Sleep(5 * time.Millisecond)
	}
	begun := time.Now()
	reaper.Close(100 * time.Millisecond)
	fmt.Printf("closed in %v\n", time.Since(begun).Round(10*time.Millisecond))
	children, _ := exec.Command("ps", "-o", "pid=,stat=,args=", "--ppid", strconv.Itoa(os.Getpid())).Output()
	left := 0
	for _, line := range strings.Split(strings.TrimSpace(string(children)), "\n") {
		if !strings.Contains(line, "ps -o") && line != "" {
			fmt.Println("left:", line)
			left++
		}
	}
	fmt.Printf("pid 1 %v, lost %d and %d, adopted at the end %v, left %d\n", os.Getpid() == 1, lost.Load(), lostByOthers.Load(), adopted >= 2, left)
	return 0
}

// endDaemons runs a child that leaves daemons as daemons are made: forked twice,
// in a session of their own, holding its output. It tells what is left of them.
func endDaemons([]string) int {
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		fmt.Println("prctl:", errno)
		return 1
	}
	reaper := supervise.StartReaper()
	defer reaper.Close(time.Second)
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	// The polite one waits, so that it ends as soon as it is asked.
	c := shell(`setsid sh -c '(trap "echo the polite one ends; exit" TERM; echo up; echo >polite; sleep 60 & wait) & (trap "" TERM; echo up; echo >stubborn; while :; do sleep 0.01; done) & exit' & while ! test -s polite || ! test -s stubborn; do sleep 0.01; done; exit 5`)
	var out bytes.Buffer
	c.Reaper, c.Stdout, c.Dir = reaper, &out, dir
	c.WaitDelay = time.Minute
	c.SetLeftoverGrace(3 * time.Second) // of which the stubborn one takes all
	begun := time.Now()
	exit, err := c.Run(context.Background())
	fmt.Printf("%v %v, in time %v, left %d\n%s", exit, err, time.Since(begun) < 50*time.Second, len(reaper.Adopted()), out.String())
	return 0
}

func TestRun_EndsTheDaemonsThatTheChildLeft(t *testing.T) {
	out, err := rawSelf(t, "daemons").CombinedOutput()
	const want = "exit status 5 <nil>, in time true, left 0\nup\nup\nthe polite one ends\n"
	if err != nil || string(out) != want {
		t.Errorf("%v: got\n%swant\n%s", err, out, want)
	}
}

// beFirst is reapMany as PID 1, with a /proc of its pid namespace.
func beFirst(args []string) int {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		fmt.Println("private mounts:", err)
		return 1
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		fmt.Println("mounting /proc:", err)
		return 1
	}
	return reapMany(args)
}

func TestReaper_LosesNoStatusAndLeavesNoZombie(t *testing.T) {
	for _, test := range []struct {
		name, child, want string
		flags             uintptr
	}{
		{"as a subreaper", "reaper", "pid 1 false, lost 0 and 0, adopted at the end true, left 0\n", 0},
		{"as PID 1", "first", "pid 1 true, lost 0 and 0, adopted at the end true, left 0\n", syscall.CLONE_NEWPID | syscall.CLONE_NEWNS},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := rawSelf(t, test.child)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: test.flags}
			if test.flags != 0 && os.Getuid() != 0 {
				cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
				cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
				cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
			}
			out, err := cmd.CombinedOutput()
			if test.flags != 0 && (err != nil && len(out) == 0 || strings.Contains(string(out), "operation not permitted")) {
				t.Skipf("no pid namespace can be made here: %v %s", err, out)
			}
			if err != nil || !strings.HasSuffix(string(out), test.want) {
				t.Errorf("%v: got\n%swant\n%s", err, out, test.want)
			}
			t.Logf("%s", out)
		})
	}
}
