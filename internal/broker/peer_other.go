//go:build !linux && !darwin

package broker

import (
	"os"
	"syscall"
)

// peerOf knows nothing here: what keeps others out are the modes of directory and
// socket.
func peerOf(syscall.RawConn) (*peer, error) {
	return &peer{pid: os.Getpid(), uid: -1, handle: -1}, nil
}

func (p *peer) ended() bool { return p.gone }

func (p *peer) close() {}

func lookUp(int) (process, bool) { return process{}, false }

func isZombie(int) bool { return false }
