package supervise

import "syscall"

// attributes put the child in a session of its own; see the Linux twin.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// From sys/wait.h.
const (
	waitPid    = 1    // P_PID
	waitExited = 0x04 // WEXITED
	waitPeek   = 0x20 // WNOWAIT
)

// members cannot be told without /proc.
func members(int) []Member { return nil }

// selectRead waits until one of a set of files can be read.
func selectRead(n int, set *syscall.FdSet) error { return syscall.Select(n, set, nil, nil, nil) }

// getModes asks how a terminal is set.
const getModes = syscall.TIOCGETA
