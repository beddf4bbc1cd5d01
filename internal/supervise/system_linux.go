package supervise

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// attributes put the child in a session of its own, which is a process group
// too. Without a controlling terminal of ours it cannot be stopped by one
// (SIGTTIN, SIGTTOU at a hidden password prompt): it gets an error, and says so.
// Where we are killed, the child gets SIGTERM and can end in its own way.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
}

// From linux/wait.h.
const (
	waitAll    = 0          // P_ALL
	waitPid    = 1          // P_PID
	waitExited = 0x00000004 // WEXITED
	waitPeek   = 0x01000000 // WNOWAIT: leave it waitable
)

// A status is a line of /proc/PID/stat as far as we need it.
type status struct {
	pid, parent, group, session int
	state                       byte
	name                        string
}

// dead tells a zombie, and one that is about to vanish.
func (s status) dead() bool { return s.state == 'Z' || s.state == 'X' }

// members are the living processes of a session but its leader.
func members(session int) []Member {
	var found []Member
	for _, s := range processes() {
		if s.session == session && s.pid != session && !s.dead() {
			found = append(found, Member{Pid: s.pid, Parent: s.parent, Name: s.name})
		}
	}
	return found
}

// processes are those that /proc shows. Where it shows nothing, or those of
// another pid namespace than ours, nobody is found.
func processes() []status {
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return nil
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = proc.Close() }() // it was only read
	names, _ := proc.Readdirnames(-1)
	var found []status
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, ok := readStatus(pid); ok {
			found = append(found, s)
		}
	}
	return found
}

// readStatus reads the line of one process.
func readStatus(pid int) (status, bool) {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return status{}, false // it has gone meanwhile
	}
	return parseStatus(line)
}

// parseStatus reads "PID (NAME) STATE PPID PGRP SESSION …". The name may hold
// anything, brackets and spaces too; the last bracket ends it.
func parseStatus(line []byte) (status, bool) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return status{}, false
	}
	rest := bytes.Fields(line[end+1:])
	if len(rest) < 4 || len(rest[0]) != 1 {
		return status{}, false
	}
	s := status{state: rest[0][0], name: string(line[open+1 : end])}
	for _, f := range []struct {
		into *int
		from []byte
	}{{&s.pid, bytes.TrimSpace(line[:open])}, {&s.parent, rest[1]}, {&s.group, rest[2]}, {&s.session, rest[3]}} {
		n, err := strconv.Atoi(string(f.from))
		if err != nil {
			return status{}, false
		}
		*f.into = n
	}
	return s, true
}

// selectRead waits until one of a set of files can be read.
func selectRead(n int, set *syscall.FdSet) error {
	_, err := syscall.Select(n, set, nil, nil, nil)
	return err
}

// getModes asks how a terminal is set.
const getModes = syscall.TCGETS
