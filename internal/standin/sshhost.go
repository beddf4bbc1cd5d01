package standin

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// ServerVersion is what an SSH host begins a connection with.
const ServerVersion = "SSH-2.0-kamal-op-rehearsal"

// handshakeTime is how long a client may take to log in. A client that hangs
// here would otherwise keep Close waiting.
const handshakeTime = 30 * time.Second

// SSHHostOptions say who may log in to an SSH host, and where what they run
// finds itself.
type SSHHostOptions struct {
	// AuthorizedKey is the one public key that opens the host. There are no
	// passwords.
	AuthorizedKey ssh.PublicKey
	// User is the one name that may log in; "root" where it is empty.
	User string
	// Dir is the home directory of that user, and where commands start: Kamal
	// keeps its .kamal/ there, relative to it. It has to exist, and is the
	// caller's to remove.
	Dir string
	// Address is where to listen, "127.0.0.1:0" where it is empty. Anything but
	// a loopback address is refused.
	Address string
	// Env is the environment of commands, NAME=value, to which HOME, USER,
	// LOGNAME, SHELL and PWD are added. It ought to have a PATH.
	Env []string
	// Shell runs the commands; "/bin/sh" where it is empty.
	Shell string
	// Log gets logins and commands, a line each, where it is not nil.
	// It is called by several goroutines. Command lines can hold a password
	// (docker login has it in its arguments): they are told by their first word
	// only.
	Log func(line string)
}

// An SSHHost is an SSH server on loopback that runs commands on this machine.
type SSHHost struct {
	opts     SSHHostOptions
	config   *ssh.ServerConfig
	listener net.Listener
	hostKey  ssh.PublicKey
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
	logins int
}

// StartSSHHost starts an SSH server on loopback with a host key of its own. It
// runs until Close, or until ctx is done.
func StartSSHHost(ctx context.Context, opts SSHHostOptions) (*SSHHost, error) {
	if opts.AuthorizedKey == nil {
		return nil, errors.New("an SSH host needs the key that may log in")
	}
	if opts.Dir == "" {
		return nil, errors.New("an SSH host needs a home directory")
	}
	if opts.User == "" {
		opts.User = "root"
	}
	if opts.Shell == "" {
		opts.Shell = "/bin/sh"
	}
	if opts.Log == nil {
		opts.Log = func(string) {}
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a host key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, fmt.Errorf("making a host key: %w", err)
	}
	listener, err := listenLoopback(ctx, opts.Address)
	if err != nil {
		return nil, err
	}

	h := &SSHHost{
		opts:     opts,
		listener: listener,
		hostKey:  signer.PublicKey(),
		conns:    map[net.Conn]struct{}{},
	}
	authorized := opts.AuthorizedKey.Marshal()
	h.config = &ssh.ServerConfig{
		ServerVersion: ServerVersion,
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if meta.User() != opts.User {
				return nil, fmt.Errorf("user %q may not log in", meta.User())
			}
			if !bytes.Equal(key.Marshal(), authorized) {
				return nil, fmt.Errorf("key %s may not log in", ssh.FingerprintSHA256(key))
			}
			return nil, nil
		},
	}
	h.config.AddHostKey(signer)
	h.ctx, h.cancel = context.WithCancel(ctx)
	h.running.Go(h.accept)
	h.running.Go(func() {
		<-h.ctx.Done()
		h.hangUp()
	})
	return h, nil
}

// Address is where the host listens, host:port.
func (h *SSHHost) Address() string { return h.listener.Addr().String() }

// Port is the port it listens on.
func (h *SSHHost) Port() int { return h.listener.Addr().(*net.TCPAddr).Port }

// HostKey is the key by which the host can be known.
func (h *SSHHost) HostKey() ssh.PublicKey { return h.hostKey }

// Logins is how many logins there were so far.
func (h *SSHHost) Logins() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logins
}

// Close ends the server, its connections and what runs on them. Afterwards
// nothing of it is left running, except what a command put into a session of
// its own.
func (h *SSHHost) Close() error {
	h.cancel()
	h.running.Wait()
	return nil
}

func (h *SSHHost) accept() {
	for {
		conn, err := h.listener.Accept()
		if err != nil {
			return
		}
		if !h.keep(conn) {
			_ = conn.Close()
			return
		}
		h.running.Go(func() {
			defer h.drop(conn)
			h.serve(conn)
		})
	}
}

func (h *SSHHost) keep(conn net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.conns[conn] = struct{}{}
	return true
}

func (h *SSHHost) drop(conn net.Conn) {
	_ = conn.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, conn)
}

func (h *SSHHost) hangUp() {
	_ = h.listener.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for conn := range h.conns {
		_ = conn.Close()
	}
}

func (h *SSHHost) serve(conn net.Conn) {
	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return
	}
	login, channels, requests, err := ssh.NewServerConn(conn, h.config)
	if err != nil {
		h.opts.Log("login refused: " + err.Error())
		return
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return
	}
	h.mu.Lock()
	h.logins++
	h.mu.Unlock()
	h.opts.Log("login of " + login.User())

	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer cancel()
	// Keepalives come as global requests that only want an answer.
	sessions.Go(func() { ssh.DiscardRequests(requests) })
	for incoming := range channels {
		if incoming.ChannelType() != "session" {
			_ = incoming.Reject(ssh.Prohibited, "a rehearsal forwards nothing")
			continue
		}
		channel, requests, err := incoming.Accept()
		if err != nil {
			continue
		}
		sessions.Go(func() { h.session(ctx, channel, requests) })
	}
}

// listenLoopback listens on address, or on a free port of 127.0.0.1 where it is
// empty. A rehearsal offers a shell, a vault and a registry to whoever reaches
// it, so nothing but loopback will do.
func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("address %q is not a loopback address", address)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return listener, nil
}
