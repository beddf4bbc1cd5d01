package hosts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A proxy is a connection through a command, as Net::SSH makes it for ProxyCommand
// and, with an ssh as the command, for ProxyJump.
type proxy struct {
	net.Conn
	cmd    *exec.Cmd
	stderr *headBuffer

	once  sync.Once
	ended error
}

// proxyGrace is how long a command may take to end.
const proxyGrace = 2 * time.Second

// startProxy starts the command of a target.
func startProxy(t Target, o Options) (*proxy, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("making a socket for a proxy command: %w", err)
	}
	defer func() { _ = theirs.Close() }()
	conn, err := net.FileConn(ours)
	_ = ours.Close() // conn is a copy
	if err != nil {
		return nil, fmt.Errorf("making a socket for a proxy command: %w", err)
	}
	p := &proxy{Conn: conn, stderr: &headBuffer{limit: 4 << 10}}
	p.cmd = exec.Command("/bin/sh", "-c", t.Command)
	p.cmd.Env, p.cmd.Dir = o.Env, o.Dir
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs, theirs, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = proxyGrace // a child of its may keep the stream open
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return p, nil
}

// socketPair is two ends of a socket that no other child inherits.
func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}

// Close ends the command, with all that it has started.
func (p *proxy) Close() error {
	p.once.Do(func() {
		err := p.Conn.Close()
		group := -p.cmd.Process.Pid
		_ = syscall.Kill(group, syscall.SIGTERM) // it may have ended
		late := time.AfterFunc(proxyGrace, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		_ = p.cmd.Wait() // it was ended
		late.Stop()
		p.ended = err
	})
	return p.ended
}

// errorText is the last line that the command wrote to its standard error, once it has
// ended: what came before are warnings.
func (p *proxy) errorText() string {
	_ = p.Close() // what it has said is asked for, not how it ended
	lines := strings.Split(p.stderr.String(), "\n")
	for _, line := range slices.Backward(lines) {
		if text := plain(line); text != "" {
			return text
		}
	}
	return ""
}
