package broker

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/kamal-op/kamal-op/sshagent/peer"
)

// A peerError says why a peer is not served.
type peerError struct {
	why   string
	ended bool
}

func (s *peerError) Error() string { return s.why }

// checkPeer turns away processes that this run did not start: everything of the
// same user could open the socket, and would be given every declared secret. With
// anyPeer a process of this user or of root is served, whoever started it.
func checkPeer(conn *net.UnixConn, anyPeer bool) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	p, err := peer.Of(raw)
	if err != nil {
		return 0, fmt.Errorf("asking who it is from: %w", err)
	}
	defer p.Close()
	ancestor := os.Getpid()
	if anyPeer || !peer.Supported { // there the modes of directory and socket keep others out
		ancestor = 0
	}
	return p.PID, refusal(p, p.Judge(os.Getuid(), ancestor))
}

// refusal says why a peer is not served; nil where it is.
func refusal(p *peer.Peer, verdict peer.Verdict) error {
	switch verdict {
	case peer.Served:
		return nil
	case peer.OtherUser:
		return &peerError{why: "it is from user " + strconv.Itoa(p.UID)}
	case peer.Unseen:
		return &peerError{why: "it is from a process that cannot be seen here, such as one in a container"}
	case peer.Ended:
		return &peerError{why: fmt.Sprintf("process %d, which opened it, has ended", p.PID), ended: true}
	}
	return &peerError{why: fmt.Sprintf("process %d was not started by this run", p.PID)}
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
	op, ok := peer.LookUp(pid)
	if pid <= 0 || !ok || op.Parent <= 0 {
		return ""
	}
	parent, ok := peer.LookUp(op.Parent)
	name := parent.Name
	if !ok || !isTag(name) { // whatever a process calls itself is no text to pass on
		name = "process"
	}
	return fmt.Sprintf("%s (%d)", name, op.Parent)
}
