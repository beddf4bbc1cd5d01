package sshagent

// longestChain bounds the walk from a client up to this process.
const longestChain = 32

// A caller is the process at the other end of a connection, as the kernel names
// it. It is the process that connected: a socket can be passed on.
type caller struct {
	pid, uid int
	handle   int  // Linux: a pidfd; -1 where there is none
	gone     bool // had ended before we looked
}

// judge says why the process may not use the agent; empty where it may. uid is
// ours; self is our process, where only its descendants may, else 0.
func (c *caller) judge(uid, self int) string {
	switch {
	case c.uid >= 0 && c.uid != uid:
		return ReasonOwner
	case !c.alive():
		return ReasonGone
	case self != 0 && !descends(c.pid, self):
		return ReasonStranger
	}
	return ""
}
