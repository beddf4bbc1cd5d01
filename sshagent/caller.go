package sshagent

import (
	"os"
	"strconv"
	"syscall"

	"github.com/kamal-op/kamal-op/sshagent/peer"
)

// A caller is the process at the other end of a connection. It is the process that
// connected: a socket can be passed on.
type caller struct{ *peer.Peer }

// callerOf asks the kernel who connected, and says why it may not use the agent;
// empty where it may. uid is ours; ancestor is the process that it must descend
// from, 0 for any.
func callerOf(conn syscall.RawConn, uid, ancestor int) (caller, string) {
	p, err := peer.Of(conn)
	c := caller{p}
	if err != nil {
		return c, ReasonStranger // who cannot be named is nobody's descendant
	}
	return c, reason(p.Judge(uid, ancestor))
}

// reason is a verdict in the agent's words.
func reason(verdict peer.Verdict) string {
	switch verdict {
	case peer.Served:
		return ""
	case peer.OtherUser:
		return ReasonOwner
	case peer.Ended:
		return ReasonGone
	}
	return ReasonStranger
}

// longestShown is how many parents an event has.
const longestShown = 32

// describe reads the process and its parents, up to self.
func (c caller) describe(self int) Peer {
	p := Peer{PID: c.PID, UID: c.UID}
	if c.PID <= 0 {
		return p
	}
	p.Executable, _ = os.Readlink("/proc/" + strconv.Itoa(c.PID) + "/exe") // empty where there is no /proc
	of, _ := peer.LookUp(c.PID)
	for range longestShown {
		if of.Parent <= 0 || c.PID == self {
			break
		}
		parent, _ := peer.LookUp(of.Parent)
		p.Chain = append(p.Chain, Process{PID: of.Parent, Name: parent.Name})
		if of.Parent == self {
			break
		}
		of = parent
	}
	if c.Ended() { // what we read may be of another process by that number
		return Peer{PID: c.PID, UID: c.UID}
	}
	return p
}
