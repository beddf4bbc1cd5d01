package sshagent

// longestChain bounds the walk from a client up to this process.
const longestChain = 256

// A caller is the process at the other end of a connection, as the kernel names
// it. It is the process that connected: a socket can be passed on.
type caller struct {
	pid, uid int
	handle   int  // Linux: a pidfd; -1 where there is none
	gone     bool // had ended before we looked
}

// A process is what the kernel says of one.
type process struct {
	name   string
	parent int
	start  uint64 // when it began, in the kernel's own unit
}

// judge says why the process may not use the agent; empty where it may. uid is
// ours; self is our process, where only its descendants may, else 0. Root may be
// any user: to refuse it would only look like protection.
func (c *caller) judge(uid, self int, look func(pid int) (process, bool)) string {
	switch {
	case c.uid >= 0 && c.uid != uid && (c.uid != 0 || self != 0):
		return ReasonOwner
	case self != 0 && !descends(c.pid, self, look):
		if !c.alive() {
			return ReasonGone
		}
		return ReasonStranger
	case !c.alive(): // after the walk: its number was its own until now
		return ReasonGone
	}
	return ""
}

// descends says whether pid is ancestor or descends from it. Between two looks a
// process can end, leave its children to another, and its number can be given
// away; the walk then begins again.
func descends(pid, ancestor int, look func(pid int) (process, bool)) bool {
	for range 5 {
		if found, changed := climb(pid, ancestor, look); !changed {
			return found
		}
	}
	return false
}

// climb walks up once. A step counts only where the child still is what it was
// after its parent was looked at, and the parent is not the younger of the two.
func climb(pid, ancestor int, look func(pid int) (process, bool)) (found, changed bool) {
	if pid <= 0 {
		return false, false // of another namespace
	}
	p, ok := look(pid)
	for range longestChain {
		switch {
		case pid == ancestor:
			return true, false
		case !ok || p.parent <= 0:
			return false, false
		}
		parent, there := look(p.parent)
		if again, still := look(pid); !still || again != p {
			return false, true
		}
		if !there || parent.start > p.start {
			return false, true
		}
		pid, p = p.parent, parent
	}
	return false, false
}
