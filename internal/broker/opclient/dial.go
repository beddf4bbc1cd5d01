package opclient

import (
	"fmt"
	"os"
	"syscall"
)

// A conn is a blocking connection to the broker. Package net is left alone: its
// poller, threads and resolver cost more than the call does.
type conn struct {
	fd   int
	path string
}

func dial(socket string) (*conn, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	for {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket})
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, &os.PathError{Op: "connect", Path: socket, Err: err}
	}
	return &conn{fd, socket}, nil
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := syscall.Read(c.fd, p)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, &os.PathError{Op: "read", Path: c.path, Err: err}
		case n == 0 && len(p) > 0:
			return 0, fmt.Errorf("end of the connection: %w", os.ErrClosed)
		}
		return n, nil
	}
}

func (c *conn) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := syscall.Write(c.fd, p[written:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return written, &os.PathError{Op: "write", Path: c.path, Err: err}
		}
		written += n
	}
	return written, nil
}

func (c *conn) Close() error { return os.NewSyscallError("close", syscall.Close(c.fd)) }
