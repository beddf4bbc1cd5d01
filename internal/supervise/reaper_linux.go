package supervise

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// StartReaper begins to reap. Close ends it. There is no need to be PID 1 or a
// subreaper, but nothing to do otherwise.
func StartReaper() *Reaper {
	r := &Reaper{known: map[int]bool{}, stop: make(chan struct{}), done: make(chan struct{})}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	go func() {
		defer close(r.done)
		defer signal.Stop(died)
		for {
			r.bury()
			select {
			case <-died:
			case <-r.stop:
				return
			}
		}
	}()
	return r
}

// bury waits for every zombie that was left to us.
//
// A wait for any child, the usual way, would take the status of our own
// children too: beside os/exec 206 of 400 were lost. So it looks first, takes
// by pid, and leaves our own to who waits for them.
func (r *Reaper) bury() {
	r.starting.Lock()
	defer r.starting.Unlock()
	for {
		var info siginfo
		errno := waitid(waitAll, 0, waitExited|waitPeek|syscall.WNOHANG, &info)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 || info.pid == 0 {
			return // no child, or none that has ended
		}
		if !r.take(int(info.pid)) {
			break // our own hides the others: they must be looked for
		}
	}
	for _, s := range processes() {
		if s.parent == os.Getpid() && s.state == 'Z' {
			r.take(s.pid)
		}
	}
}

// take waits for a zombie, unless it is of our own.
func (r *Reaper) take(pid int) bool {
	if !r.adopted(pid) {
		return false
	}
	_, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	return err == nil
}

// adopted reports whether a child of ours was left to us: nobody here waits for
// it, and it is in another session. Run gives its children sessions of their
// own, so that whatever descends from them is never in ours; what other parts
// of the program start is, unless they say otherwise.
func (r *Reaper) adopted(pid int) bool {
	session, ok := sessionOf(pid)
	own, _ := sessionOf(0)
	return ok && session != own && !r.knows(pid)
}

// sessionOf is getsid(2): the session of a process, 0 is ours. In a pid
// namespace a session that began outside is 0.
func sessionOf(pid int) (session int, ok bool) {
	id, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	return int(id), errno == 0
}

// Adopted are the process ids of the living processes that were left to us.
func (r *Reaper) Adopted() []int {
	var pids []int
	r.each(func(pid int) { pids = append(pids, pid) })
	return pids
}

// each calls f for every living process that was left to us. None of them is
// buried meanwhile, so that a pid is theirs.
func (r *Reaper) each(f func(pid int)) {
	r.starting.Lock()
	defer r.starting.Unlock()
	for _, s := range processes() {
		if s.parent == os.Getpid() && !s.dead() && r.adopted(s.pid) {
			f(s.pid)
		}
	}
}

// End ends every process that was left to us, with SIGTERM and after grace with
// SIGKILL, and buries them. What these leave when they end is ended too. It is
// called when nobody's work is waited for any more: after a Run.
func (r *Reaper) End(grace time.Duration) {
	if r == nil {
		return
	}
	asked := map[int]bool{}
	kill := time.Now().Add(grace)
	// A process that the kernel holds back cannot be killed: it is let be.
	for giveUp := kill.Add(time.Second); hasChildren() && time.Now().Before(giveUp); time.Sleep(5 * time.Millisecond) {
		left := 0
		r.each(func(pid int) {
			left++
			switch {
			case time.Now().After(kill):
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			case !asked[pid]:
				asked[pid] = true
				_ = syscall.Kill(pid, syscall.SIGTERM) // the same
				_ = syscall.Kill(pid, syscall.SIGCONT) // the same
			}
		})
		if left == 0 {
			break
		}
	}
	r.bury()
}

// hasChildren reports whether we have a child at all, alive or a zombie: most runs
// of the program never start one, and need not look through /proc at their end.
func hasChildren() bool {
	var info siginfo
	return waitid(waitAll, 0, waitExited|waitPeek|syscall.WNOHANG, &info) != syscall.ECHILD
}

// Close is End, and the end of reaping. It is called once, after the last Run.
func (r *Reaper) Close(grace time.Duration) {
	r.End(grace)
	close(r.stop)
	<-r.done
	r.bury()
}
