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
		case errors.Is(err, unix.ESRCH): // ended, and was waited for
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

// describe reads the process and its parents from /proc, up to self.
func (c *caller) describe(self int) Peer {
	p := Peer{PID: c.pid, UID: c.uid}
	if c.pid <= 0 {
		return p
	}
	p.Executable, _ = os.Readlink("/proc/" + strconv.Itoa(c.pid) + "/exe")
	_, parent := statOf(c.pid)
	for range longestChain {
		if parent <= 0 || c.pid == self {
			break
		}
		name, next := statOf(parent)
		p.Chain = append(p.Chain, Process{PID: parent, Name: name})
		if parent == self {
			break
		}
		parent = next
	}
	if !c.alive() { // what we read may be of another process by that number
		return Peer{PID: c.pid, UID: c.uid}
	}
	return p
}

// descends says whether pid is ancestor or descends from it.
func descends(pid, ancestor int) bool {
	for range longestChain {
		if pid == ancestor {
			return true
		}
		if pid <= 1 {
			return false
		}
		_, pid = statOf(pid)
	}
	return false
}

// descendsSupported says that descends can tell.
const descendsSupported = true

// statOf is a process's name and its parent; 0 where it is not there. The name
// stands in parentheses and may hold any byte, so the last one counts.
func statOf(pid int) (name string, parent int) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0
	}
	text := string(b)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return "", 0
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) < 2 {
		return "", 0
	}
	parent, err = strconv.Atoi(fields[1])
	if err != nil {
		return "", 0
	}
	return text[open+1 : end], parent
}
