package peer

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Supported says that a process can be looked up here.
const Supported = true

// of asks the kernel who connected. SO_PEERPIDFD (Linux 6.5) holds on to the very
// process, so that its number cannot come to mean another one.
func of(conn syscall.RawConn) (*Peer, error) {
	p := &Peer{UID: -1, handle: -1}
	var failed error
	err := conn.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			failed = err
			return
		}
		p.PID, p.UID = int(cred.Pid), int(cred.Uid)
		handle, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		switch {
		case err == nil:
			p.handle = handle
		case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL):
			p.gone = true // ended, and was waited for
		}
	})
	return p, errors.Join(err, failed)
}

// handleEnded says whether the process that the handle stands for has ended.
func (p *Peer) handleEnded() bool {
	if p.handle < 0 {
		return false
	}
	// A pidfd is readable once its process has ended.
	fds := []unix.PollFd{{Fd: int32(p.handle), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// Close lets go of the process.
func (p *Peer) Close() {
	if p.handle >= 0 {
		_ = unix.Close(p.handle) // nothing was written to it
		p.handle = -1
	}
}

func lookUp(pid int) (Process, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, false
	}
	return parseStat(string(text))
}

// parseStat takes name, parent and start out of a /proc/PID/stat, proc(5). The name
// stands in parentheses and may hold any byte, so the last one counts.
func parseStat(text string) (Process, bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Process{}, false
	}
	const state, parent, start = 0, 1, 19 // of the fields behind the name: proc(5) has them as 3, 4 and 22
	fields := strings.Fields(text[end+1:])
	if len(fields) <= start {
		return Process{}, false
	}
	p := Process{Name: text[open+1 : end], Zombie: fields[state] == "Z"}
	var parentErr, startErr error
	p.Parent, parentErr = strconv.Atoi(fields[parent])
	p.Start, startErr = strconv.ParseUint(fields[start], 10, 64)
	if parentErr != nil || startErr != nil {
		return Process{}, false
	}
	return p, true
}
