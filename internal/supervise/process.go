package supervise

import (
	"errors"
	"sync"
	"syscall"
	"time"
)

// A Process is a running child, as Command.Stop and Command.Started see it. Its
// methods do nothing once the child has been waited for: its pid may be
// somebody else's then.
type Process struct {
	pid int

	mu   sync.RWMutex
	over bool
}

// A Member is a process of the child's session: the child, and what it started.
type Member struct {
	Pid, Parent int
	Name        string // the program's short name, at most 15 bytes
}

// errOver is what the methods of a Process return after its end.
var errOver = errors.New("the process has ended")

// Pid is the child's process id, and that of its group and session.
func (p *Process) Pid() int { return p.pid }

// Signal sends a signal to the child alone.
func (p *Process) Signal(sig syscall.Signal) error { return p.send(p.pid, sig) }

// SignalGroup sends a signal to the child's whole process group.
func (p *Process) SignalGroup(sig syscall.Signal) error { return p.send(-p.pid, sig) }

// SignalMembers sends a signal to those processes of the child's session that
// choose accepts; the child itself is never among them. A Stop function uses it
// to end what the child waits for, such as a hook or a local build, and spares
// what the child still needs, such as the ssh of a jump host. On systems
// without /proc there is no telling them apart, and nothing is sent.
func (p *Process) SignalMembers(sig syscall.Signal, choose func(Member) bool) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.over {
		return errOver
	}
	var errs []error
	for _, m := range members(p.pid) {
		if choose(m) {
			if err := syscall.Kill(m.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// send sends a signal as kill(2) does, unless the child has been waited for.
func (p *Process) send(pid int, sig syscall.Signal) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.over {
		return errOver
	}
	return syscall.Kill(pid, sig)
}

// gone says that the child has been waited for.
func (p *Process) gone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// signalGroup sends the group a signal that means an end, and wakes whoever in
// it is stopped, to get it.
func (p *Process) signalGroup(sig syscall.Signal) {
	// An error means that the group is gone, or that its members have become
	// other users'; in both cases the later stages are all that is left.
	if p.SignalGroup(sig) == nil && ends(sig) {
		_ = p.SignalGroup(syscall.SIGCONT) // the same holds
	}
}

// signalLeftovers sends a signal to everybody in the session but the child, and
// says to how many.
func (p *Process) signalLeftovers(sig syscall.Signal) int {
	n := 0
	// Who is another user's cannot be ended, and is not waited for.
	_ = p.SignalMembers(sig, func(Member) bool { n++; return true })
	return n
}

// awaitLeftovers waits until nobody but the child is left, at most so long.
func (p *Process) awaitLeftovers(most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if len(members(p.pid)) == 0 {
			return
		}
	}
}

// kill kills the child, if it still lives, and everybody in its session, until
// nobody is left: a process that is starting others needs more than one round.
// A process that the kernel holds back cannot be killed; after a second it is
// let be.
func (p *Process) kill() {
	_ = p.SignalGroup(syscall.SIGKILL) // all of a group at once, and all there is without /proc
	for end := time.Now().Add(time.Second); p.signalLeftovers(syscall.SIGKILL) > 0 && time.Now().Before(end); {
		p.awaitLeftovers(50 * time.Millisecond)
	}
}
