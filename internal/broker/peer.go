package broker

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// A peer is the process that opened a connection, as the kernel names it.
type peer struct {
	pid, uid int // uid -1: the kernel does not say
	handle   int // Linux: a descriptor that stands for this very process; -1 where there is none
	gone     bool
}

// A process is what the kernel says of one.
type process struct {
	parent int
	start  uint64 // when it began, in whatever unit the kernel counts
}

// longestChain bounds the walk from a peer up to this process.
const longestChain = 256

// A stranger is a peer that is not served.
type stranger struct{ why string }

func (s *stranger) Error() string { return s.why }

// checkPeer turns away processes that this run did not start: everything of the
// same user could open the socket, and would be given every declared secret. With
// anyPeer a process of this user or of root is served, whoever started it.
func checkPeer(conn *net.UnixConn, anyPeer bool) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	p, err := peerOf(raw)
	if err != nil {
		return 0, fmt.Errorf("asking who it is from: %w", err)
	}
	defer p.close()
	return p.pid, p.judge(os.Getuid(), os.Getpid(), anyPeer, lookUp)
}

// Began is when a living process began, in a unit of the system's own: with its
// number that tells it from every later one.
func Began(pid int) (start uint64, ok bool) {
	p, ok := lookUp(pid)
	if !ok || isZombie(pid) {
		return 0, false
	}
	return p.start, true
}

// callerKey is the key of a caller in a context.
type callerKey struct{}

// withCaller is a context that knows who asks.
func withCaller(ctx context.Context, pid int) context.Context {
	return context.WithValue(ctx, callerKey{}, pid)
}

// caller is the program that has started the peer, as "kamal (4711)": the peer
// itself is always op. "" where it is not known. It is for people, and decides
// nothing: a process gives itself its name.
func caller(ctx context.Context) string {
	pid, _ := ctx.Value(callerKey{}).(int)
	peer, ok := lookUp(pid)
	if pid <= 0 || !ok || peer.parent <= 0 {
		return ""
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(peer.parent) + "/comm")
	name := strings.TrimSpace(string(text))
	if err != nil || !isTag(name) { // whatever a process calls itself is no text to pass on
		name = "process"
	}
	return fmt.Sprintf("%s (%d)", name, peer.parent)
}

// judge says why a peer is not served; nil where it is. uid and self are ours.
func (p *peer) judge(uid, self int, anyPeer bool, look func(pid int) (process, bool)) error {
	if p.uid >= 0 && p.uid != uid && (!anyPeer || p.uid != 0) {
		return &stranger{"it is from user " + strconv.Itoa(p.uid)}
	}
	if anyPeer {
		return nil
	}
	if p.pid <= 0 {
		return &stranger{"it is from a process that cannot be seen here, such as one in a container"}
	}
	ours := descends(p.pid, self, look)
	// Only now: the number was the peer's all along if the peer lives still.
	if p.ended() {
		return &stranger{fmt.Sprintf("process %d, which opened it, has ended", p.pid)}
	}
	if !ours {
		return &stranger{fmt.Sprintf("process %d was not started by this run", p.pid)}
	}
	return nil
}

// descends tells whether a process is the ancestor or descends from it. Processes
// end meanwhile, their children are given to others, and their numbers are given
// away: a step counts only where the child still has this parent after the parent
// was looked at, and where the parent is not the younger of the two.
func descends(pid, ancestor int, look func(pid int) (process, bool)) bool {
	for range 5 {
		found, moved := climb(pid, ancestor, look)
		if !moved {
			return found
		}
	}
	return false
}

// climb walks up once. moved says that something changed on the way.
func climb(pid, ancestor int, look func(pid int) (process, bool)) (found, moved bool) {
	child, ok := look(pid)
	if !ok {
		return pid == ancestor, false
	}
	for range longestChain {
		if pid == ancestor {
			return true, false
		}
		if child.parent <= 0 {
			return false, false
		}
		parent, ok := look(child.parent)
		if again, still := look(pid); !ok || !still || again != child || parent.start > child.start {
			return false, true
		}
		pid, child = child.parent, parent
	}
	return false, false
}
