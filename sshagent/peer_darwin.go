package sshagent

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// callerOf asks the kernel who connected. It gives a number and no handle: the
// process can end, and another get its number, before it is looked at.
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

func (c *caller) alive() bool       { return !c.gone }
func (c *caller) close()            {}
func (c *caller) describe(int) Peer { return Peer{PID: c.pid, UID: c.uid} }

// lookSupported says that look can tell.
const lookSupported = true

// look reads what the kernel says of a process. An orphan's parent is launchd.
func look(pid int) (p process, ok bool) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return p, false
	}
	began := info.Proc.P_starttime
	return process{
		name: unix.ByteSliceToString(info.Proc.P_comm[:]), parent: int(info.Eproc.Ppid),
		start: uint64(began.Sec)*1_000_000 + uint64(began.Usec),
	}, true
}
