package supervise

import (
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// CloseInherited has every child, from now on, do without the descriptors that we
// have inherited and that lead past our streams to where people read: those from 3
// up that are open for writing, to what one of our streams is, to a terminal, a file
// or a pipe. What a child writes there nobody masks. The descriptors in keep stay,
// and so does what is open for reading alone, as a shell's <(…) is. They stay open
// here, and whoever gave them to us has them still.
func CloseInherited(keep []int) {
	for _, fd := range descriptors() {
		if fd < 3 || slices.Contains(keep, fd) {
			continue
		}
		// Our own are closed in children anyway, as is the directory that was read.
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		if mode, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || mode&unix.O_ACCMODE == unix.O_RDONLY {
			continue
		}
		if isRead(fd) {
			unix.CloseOnExec(fd)
		}
	}
}

// isRead reports whether a descriptor leads to what people read.
func isRead(fd int) bool {
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil {
		return false
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFIFO:
		return true
	case unix.S_IFCHR:
		if term.IsTerminal(fd) {
			return true
		}
	}
	for _, ours := range []int{1, 2} {
		var other unix.Stat_t
		if unix.Fstat(ours, &other) == nil && other.Dev == stat.Dev && other.Ino == stat.Ino && stat.Mode&unix.S_IFMT != unix.S_IFCHR {
			return true
		}
	}
	return false
}

// descriptors are those that are open, as far as the system says.
func descriptors() []int {
	var fds []int
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		for fd := range 256 {
			fds = append(fds, fd)
		}
		return fds
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds
}
