package sshagent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// longestFrame is OpenSSH's AGENT_MAX_LEN.
	longestFrame = 256 << 10
	// firstBuffer holds every request of a login but those with certificates
	// and the largest keys.
	firstBuffer = 1 << 10
	// frameTime is how long a frame may take from its first byte to its last,
	// and an answer to be taken. A client that is alive needs microseconds.
	frameTime = 10 * time.Second
)

var (
	errFraming = errors.New("a frame is empty or too long")
	errBroken  = errors.New("a request could not be answered")
)

// A conn is one client's connection. One goroutine serves it; only idleSince is
// shared.
type conn struct {
	agent  *Agent
	net    *net.UnixConn
	raw    syscall.RawConn
	caller caller
	barred string // why this process gets nothing; empty where it does
	peer   Peer
	known  bool // peer was read
	path   path

	in         []byte // in[start:end] was read and not yet handled
	start, end int
	out        []byte

	// idleSince is when the connection began to wait for a request, in
	// nanoseconds since 1970; 0 while it has one in hand.
	idleSince atomic.Int64
}

// serve answers requests until the client goes away, breaks the framing, or
// stalls in the middle of a frame. A panic ends this connection only.
func (c *conn) serve() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: panic", errBroken) // the panic's text may hold what was in memory
		}
	}()
	if c.raw, err = c.net.SyscallConn(); err != nil {
		return err
	}
	c.caller, c.barred = callerOf(c.raw, c.agent.uid, c.agent.ancestor)
	defer c.caller.Close()
	c.in = make([]byte, firstBuffer)
	c.out = make([]byte, 0, firstBuffer/2)
	for {
		request, err := c.next()
		if err != nil {
			return err
		}
		answer, err := c.answer(request)
		if err != nil {
			return err
		}
		if err := c.write(answer); err != nil {
			return err
		}
	}
}

// next reads the next frame and returns what is in it, good until the next call.
// The buffer grows as bytes arrive, never by what a frame claims.
func (c *conn) next() ([]byte, error) {
	timed := false
	for {
		have := c.in[c.start:c.end]
		need := 4
		if len(have) >= 4 {
			n := binary.BigEndian.Uint32(have)
			if n == 0 || n > longestFrame {
				return nil, errFraming
			}
			need = 4 + int(n)
		}
		if len(have) >= need && need > 4 {
			c.start += need
			c.idleSince.Store(0)
			if timed {
				if err := c.net.SetReadDeadline(time.Time{}); err != nil {
					return nil, err
				}
			}
			return have[4:need:need], nil
		}
		c.makeRoom(need)
		switch {
		case c.end == 0:
			c.idleSince.Store(time.Now().UnixNano())
		case !timed:
			timed = true
			c.idleSince.Store(0)
			if err := c.net.SetReadDeadline(time.Now().Add(c.agent.frameTime)); err != nil {
				return nil, err
			}
		}
		n, err := c.net.Read(c.in[c.end:])
		c.end += n
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) && c.end > 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// makeRoom moves what is not yet handled to the front, and gives back or adds
// memory. What was there is cleared: somebody may have tried to add a key.
func (c *conn) makeRoom(need int) {
	if c.start > 0 {
		n := copy(c.in, c.in[c.start:c.end])
		clear(c.in[n:c.end])
		c.start, c.end = 0, n
	}
	size := len(c.in)
	switch {
	case c.end == 0 && size > firstBuffer:
		size = firstBuffer
	case c.end == size:
		size = min(2*size, need)
	default:
		return
	}
	grown := make([]byte, size)
	copy(grown, c.in[:c.end])
	clear(c.in)
	c.in = grown
}

// write sends one frame in one write. Only where the client does not take it at
// once is there a deadline: setting one costs more than the write.
func (c *conn) write(b []byte) error {
	var n int
	var failed error
	err := c.raw.Write(func(fd uintptr) bool {
		for {
			n, failed = syscall.Write(int(fd), b)
			if failed != syscall.EINTR {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return err
	case failed != nil && failed != syscall.EAGAIN:
		return failed
	case failed == nil && n == len(b):
		return nil
	}
	if err := c.net.SetWriteDeadline(time.Now().Add(c.agent.frameTime)); err != nil {
		return err
	}
	if _, err := c.net.Write(b[max(n, 0):]); err != nil {
		return err
	}
	return c.net.SetWriteDeadline(time.Time{})
}
