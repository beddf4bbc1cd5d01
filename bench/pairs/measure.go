//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kamalBegins is the first line of `kamal deploy`.
const kamalBegins = "Build and push app image..."

// A command is what is measured.
type command struct {
	path string
	args []string
	dir  string
	env  []string
}

// A sample is what one run of a command took.
type sample struct {
	wall      time.Duration
	cpu       time.Duration // of the process and all that it has started and waited for
	ownCPU    time.Duration // of the process by itself
	ownMemory int64         // its largest resident set, in bytes
	lines     []line
}

// A line is one of the output, and when it was there.
type line struct {
	after time.Duration
	text  string
}

// measure runs a command to its end.
func (c command) measure(ctx context.Context) (s sample, err error) {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out := &stamped{begun: time.Now()}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return s, err
	}
	pid := cmd.Process.Pid
	ended, memory := make(chan struct{}), make(chan int64, 1)
	go func() { memory <- mostMemory(pid, ended) }()
	own, err := awaitEnd(pid)
	s.wall = time.Since(out.begun)
	close(ended)
	if failed := cmd.Wait(); failed != nil {
		return s, fmt.Errorf("%s: %w\n%s", c.path, failed, out.text.String())
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.ownCPU, s.ownMemory, s.lines = own, <-memory, out.lines
	return s, err
}

// awaitEnd waits until a process has ended, and says what it took of the processors
// itself. That has to be asked before it is waited for: what is told afterwards is of
// all that it has started, too.
func awaitEnd(pid int) (cpu time.Duration, err error) {
	for {
		err = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("waiting for the process: %w", err)
	}
	var at unix.Timespec
	if err := unix.ClockGettime(cpuClock(pid), &at); err != nil {
		return 0, fmt.Errorf("asking for the processor time of the process: %w", err)
	}
	return time.Duration(at.Nano()), nil
}

// cpuClock is the clock of a process's own processor time, as the kernel numbers it:
// see clock_getcpuclockid(3).
func cpuClock(pid int) int32 {
	const sched = 2 // CPUCLOCK_SCHED
	return int32(^pid)<<3 | sched
}

// mostMemory is the largest resident set of a process until it has ended: of one that
// has, it is not told any more.
func mostMemory(pid int, ended <-chan struct{}) (most int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil {
			most = max(most, highWater(string(text)))
		}
		select {
		case <-ended:
			return most
		case <-tick.C:
		}
	}
}

// highWater is VmHWM of a /proc/PID/status, in bytes; 0 where the process has ended.
func highWater(status string) int64 {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// first is when the first line was there.
func (s sample) first() time.Duration {
	if len(s.lines) == 0 {
		return s.wall
	}
	return s.lines[0].after
}

// begins is when Kamal's first line was there: before it Ruby starts, Kamal loads, and
// all that kamal-op does before a deploy.
func (s sample) begins() time.Duration {
	for _, l := range s.lines {
		if strings.Contains(l.text, kamalBegins) {
			return l.after
		}
	}
	return s.wall
}

// print prints all lines with their times.
func (s sample) print(to io.Writer, title string) {
	fmt.Fprintf(to, "\n%s:\n", title)
	for _, l := range s.lines {
		fmt.Fprintf(to, "%6.2f  %s\n", l.after.Seconds(), l.text)
	}
	fmt.Fprintf(to, "%6.2f  (ended)\n", s.wall.Seconds())
}

// stamped keeps output, and when its lines came.
type stamped struct {
	begun time.Time
	text  bytes.Buffer
	part  []byte // of a line that has not ended
	lines []line
}

func (s *stamped) Write(p []byte) (int, error) {
	after := time.Since(s.begun)
	_, _ = s.text.Write(p) // never fails
	s.part = append(s.part, p...)
	for {
		text, rest, found := bytes.Cut(s.part, []byte("\n"))
		if !found {
			return len(p), nil
		}
		s.lines = append(s.lines, line{after: after, text: string(text)})
		s.part = rest
	}
}
