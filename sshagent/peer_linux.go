package sshagent

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// callerOf asks the kernel who connected. SO_PEERPIDFD (Linux 6.5) holds on to
// the very process, so that its number cannot come to mean another one.
func callerOf(conn syscall.RawConn) caller {
	c := caller{uid: -1, handle: -1}
	_ = conn.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return
		}
		c.pid, c.uid = int(cred.Pid), int(cred.Uid)
		handle, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		switch {
		case err == nil:
			c.handle = handle
		case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL): // ended, and was waited for
			c.gone = true
		}
	})
	return c
}

// alive is true as well where the kernel cannot tell.
func (c *caller) alive() bool {
	if c.gone || c.handle < 0 {
		return !c.gone
	}
	fds := []unix.PollFd{{Fd: int32(c.handle), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	c.gone = err == nil && n > 0 // a pidfd is readable when the process has ended
	return !c.gone
}

func (c *caller) close() {
	if c.handle >= 0 {
		_ = unix.Close(c.handle)
		c.handle = -1
	}
}

// longestShown is how many parents an event has.
const longestShown = 32

// describe reads the process and its parents from /proc, up to self.
func (c *caller) describe(self int) Peer {
	p := Peer{PID: c.pid, UID: c.uid}
	if c.pid <= 0 {
		return p
	}
	p.Executable, _ = os.Readlink("/proc/" + strconv.Itoa(c.pid) + "/exe")
	of, _ := look(c.pid)
	for range longestShown {
		if of.parent <= 0 || c.pid == self {
			break
		}
		parent, _ := look(of.parent)
		p.Chain = append(p.Chain, Process{PID: of.parent, Name: parent.name})
		if of.parent == self {
			break
		}
		of = parent
	}
	if !c.alive() { // what we read may be of another process by that number
		return Peer{PID: c.pid, UID: c.uid}
	}
	return p
}

// lookSupported says that look can tell.
const lookSupported = true

// look reads what the kernel says of a process. Its name stands in parentheses
// and may hold any byte, so the last one counts.
func look(pid int) (p process, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return p, false
	}
	text := string(b)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return p, false
	}
	const parent, start = 1, 19 // of the fields behind the name: proc(5) has them as 4 and 22
	fields := strings.Fields(text[end+1:])
	if len(fields) <= start {
		return p, false
	}
	p.name = text[open+1 : end]
	var failed error
	if p.parent, err = strconv.Atoi(fields[parent]); err == nil {
		p.start, failed = strconv.ParseUint(fields[start], 10, 64)
	}
	return p, err == nil && failed == nil
}
