package peer

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// Supported says that a process can be looked up here.
const Supported = true

// of asks the kernel who connected. It gives a number alone: the process can end,
// and another get its number, between the connection and the look at it.
func of(conn syscall.RawConn) (*Peer, error) {
	p := &Peer{UID: -1, handle: -1}
	var failed error
	err := conn.Control(func(fd uintptr) {
		cred, credErr := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		pid, pidErr := unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		if failed = errors.Join(credErr, pidErr); failed == nil {
			p.UID, p.PID = int(cred.Uid), pid
		}
	})
	return p, errors.Join(err, failed)
}

func (p *Peer) handleEnded() bool { return false }

// Close lets go of the process.
func (p *Peer) Close() {}

// lookUp: what a process leaves behind becomes a child of launchd here, and is not
// its ancestor's any more.
func lookUp(pid int) (Process, bool) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return Process{}, false
	}
	const zombie = 5 // SZOMB of sys/proc.h
	began := info.Proc.P_starttime
	return Process{
		Name: unix.ByteSliceToString(info.Proc.P_comm[:]), Parent: int(info.Eproc.Ppid),
		Start: uint64(began.Sec)*1_000_000 + uint64(began.Usec), Zombie: info.Proc.P_stat == zombie,
	}, true
}
