package broker

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who connected. It gives a number alone: the process can
// end, and another get its number, between the connection and the look at it.
func peerOf(conn syscall.RawConn) (*peer, error) {
	p := &peer{uid: -1, handle: -1}
	var failed error
	err := conn.Control(func(fd uintptr) {
		cred, credErr := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		pid, pidErr := unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		if failed = errors.Join(credErr, pidErr); failed == nil {
			p.uid, p.pid = int(cred.Uid), pid
		}
	})
	return p, errors.Join(err, failed)
}

func (p *peer) ended() bool { return p.gone }

func (p *peer) close() {}

// lookUp reads what the kernel says of a process. What a process leaves behind
// becomes a child of launchd here, and is not of this run any more.
func lookUp(pid int) (process, bool) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return process{}, false
	}
	began := info.Proc.P_starttime
	return process{int(info.Eproc.Ppid), uint64(began.Sec)*1_000_000 + uint64(began.Usec)}, true
}

// isZombie says whether a process has ended and is not waited for yet.
func isZombie(pid int) bool {
	const zombie = 5 // SZOMB of sys/proc.h
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	return err == nil && info.Proc.P_stat == zombie
}
