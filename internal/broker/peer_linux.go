package broker

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who connected. SO_PEERPIDFD (Linux 6.5) stands for the
// very process. An older kernel gives its number alone: the process can then end,
// and another get its number, between the connection and the look at it.
func peerOf(conn syscall.RawConn) (*peer, error) {
	p := &peer{handle: -1}
	var failed error
	err := conn.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			failed = err
			return
		}
		p.pid, p.uid = int(cred.Pid), int(cred.Uid)
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

// ended says whether the process has ended, as far as the kernel can tell.
func (p *peer) ended() bool {
	if p.gone || p.handle < 0 {
		return p.gone
	}
	// A pidfd is readable once its process has ended.
	fds := []unix.PollFd{{Fd: int32(p.handle), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	p.gone = err == nil && n > 0
	return p.gone
}

func (p *peer) close() {
	if p.handle >= 0 {
		_ = unix.Close(p.handle) // nothing was written to it
		p.handle = -1
	}
}

// lookUp reads what the kernel says of a process.
func lookUp(pid int) (process, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	return parseStat(string(text))
}

// isZombie says whether a process has ended and is not waited for yet.
func isZombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	state := strings.TrimLeft(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	return err == nil && strings.HasPrefix(state, "Z")
}

// parseStat takes parent and start out of a /proc/PID/stat, proc(5). The program's
// name stands in parentheses and may hold any byte, so the last one counts.
func parseStat(text string) (process, bool) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return process{}, false
	}
	parent, parentErr := strconv.Atoi(fields[1])
	start, startErr := strconv.ParseUint(fields[19], 10, 64)
	return process{parent, start}, parentErr == nil && startErr == nil
}
