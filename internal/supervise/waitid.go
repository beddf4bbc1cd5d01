package supervise

import (
	"syscall"
	"unsafe"
)

// siginfo is the system's siginfo_t as far as waitid fills it.
type siginfo struct {
	signo, errno, code int32
	_                  [unsafe.Sizeof(uintptr(0)) - 4]byte // Linux aligns the union like a pointer
	pid                int32
	_                  [128]byte
}

// waitid is the system call, which the syscall package has as a number only.
func waitid(idtype, id, options int, info *siginfo) syscall.Errno {
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, uintptr(idtype), uintptr(id),
		uintptr(unsafe.Pointer(info)), uintptr(options), 0, 0) //nolint:gosec // as waitid wants it
	return errno
}

// awaitExit returns when a child has ended, and leaves it a zombie. An error is
// that there is no such child any more; the wait that follows will tell.
func awaitExit(pid int) {
	var info siginfo
	for waitid(waitPid, pid, waitExited|waitPeek, &info) == syscall.EINTR {
	}
}
