package broker

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// checkPeer turns away a process of another user, which the modes of directory
// and socket keep out already, as long as they are what they should be.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *syscall.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil {
		return err
	}
	if peerErr != nil {
		return fmt.Errorf("asking who it is from: %w", peerErr)
	}
	if int(peer.Uid) != os.Getuid() {
		return fmt.Errorf("it is from user %d", peer.Uid)
	}
	return nil
}
