package sshagent

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// callerOf asks the kernel who connected.
func callerOf(conn syscall.RawConn) caller {
	c := caller{uid: -1, handle: -1}
	_ = conn.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); err == nil {
			c.uid = int(cred.Uid)
		}
		if pid, err := unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID); err == nil {
			c.pid = pid
		}
	})
	return c
}

func (c *caller) alive() bool       { return true }
func (c *caller) close()            {}
func (c *caller) describe(int) Peer { return Peer{PID: c.pid, UID: c.uid} }
func descends(int, int) bool        { return false }

// descendsSupported says that descends can tell.
const descendsSupported = false
