package peer

import "syscall"

// A Peer is the process that opened a connection, as the kernel names it. A socket
// can be passed on: who reads from it may be another.
type Peer struct {
	PID int // 0: one that cannot be seen from here, such as one outside of our container
	UID int // -1: the kernel does not say

	handle int // Linux: a descriptor that stands for this very process; -1 where there is none
	gone   bool
}

// A Verdict says whether a peer is to be served, or why not.
type Verdict int

// The verdicts.
const (
	Served    Verdict = iota
	OtherUser         // it is another user's
	Unseen            // it cannot be seen from here, and so is not known to be ours
	Ended             // it has ended: its number means nothing any more
	Stranger          // neither the ancestor nor started by it
)

// Of asks the kernel who opened a connection. The peer must be closed.
func Of(conn syscall.RawConn) (*Peer, error) { return of(conn) }

// Judge says whether a peer is of this user and descends from a process, or is it.
// With 0 as the ancestor any process of the user counts, and of root, who may be any
// user: to refuse root then would only look like protection.
func (p *Peer) Judge(uid, ancestor int) Verdict { return p.judge(uid, ancestor, LookUp) }

func (p *Peer) judge(uid, ancestor int, look looker) Verdict {
	if p.UID >= 0 && p.UID != uid && (ancestor != 0 || p.UID != 0) {
		return OtherUser
	}
	ours := ancestor == 0 || descends(p.PID, ancestor, look)
	// Only now: the number was the peer's all along if the peer lives still.
	switch {
	case p.Ended():
		return Ended
	case ours:
		return Served
	case p.PID <= 0:
		return Unseen
	}
	return Stranger
}

// Ended says whether the process has ended, as far as the kernel can tell.
func (p *Peer) Ended() bool {
	p.gone = p.gone || p.handleEnded()
	return p.gone
}

// Held says whether the kernel gave a handle of the process, and not its number alone.
func (p *Peer) Held() bool { return p.handle >= 0 }
