package sshagent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Options is what an agent holds and what it may do. The zero value of every
// field but Keys is the widest: any user, any host, no end.
type Options struct {
	Keys          []*Key        // in the order in which clients are to try them
	Users         []string      // the users that may be logged in as; empty means any
	HostKeys      []string      // public keys or SHA256 fingerprints of the hosts that may be logged in to, where the client shows the host; empty means any
	MaxSignatures int           // how many signatures the agent makes; 0 means no limit
	Lifetime      time.Duration // how long the agent signs; 0 means until it is closed

	// AllowForwarding lets connections sign that show themselves as forwarded:
	// by servers that were logged in to, and use the agent from there.
	AllowForwarding bool

	// Descendants refuses all processes but this one and those that descend
	// from it. An orphan descends from this process only where the program is a
	// subreaper.
	Descendants bool

	// Dir is a directory of the caller's, closed to others (0700), that gets the
	// socket. Empty means a new one, which is removed at Close.
	Dir string

	// Log is told every event as it happens, one at a time, before the client
	// gets its answer; it must be quick. May be nil.
	Log func(Event)
}

// An Agent is a running agent.
type Agent struct {
	socket   string
	made     string // the directory we made; empty where the caller gave one
	listener net.Listener
	stop     func() bool
	once     sync.Once
	closed   error
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
}

// Start listens on a socket of its own and serves it until ctx ends or Close.
func Start(ctx context.Context, o Options) (*Agent, error) {
	if len(o.Keys) == 0 {
		return nil, errors.New("starting the agent: no keys")
	}
	a := &Agent{conns: make(map[net.Conn]struct{})}
	dir := o.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "agent-"); err != nil {
			return nil, fmt.Errorf("making the agent's directory: %w", err)
		}
		a.made = dir
	}
	a.socket = filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", a.socket)
	if err != nil {
		return nil, fmt.Errorf("listening for the agent: %w", err)
	}
	if err := os.Chmod(a.socket, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("closing the agent's socket to others: %w", err), l.Close())
	}
	a.listener = l
	a.wg.Go(func() { a.accept(o.Keys) })
	a.stop = context.AfterFunc(ctx, func() { _ = a.Close() })
	return a, nil
}

func (a *Agent) accept(keys []*Key) {
	for {
		c, err := a.listener.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		a.conns[c] = struct{}{}
		a.mu.Unlock()
		a.wg.Go(func() {
			_ = agent.ServeAgent(signers(keys), c)
			_ = c.Close()
			a.mu.Lock()
			delete(a.conns, c)
			a.mu.Unlock()
		})
	}
}

// Socket is the path for SSH_AUTH_SOCK.
func (a *Agent) Socket() string { return a.socket }

// Events are the newest 1,000 events, oldest first.
func (a *Agent) Events() []Event { return nil }

// Counts is how much was signed and refused so far.
func (a *Agent) Counts() Counts { return Counts{} }

// Close ends all connections, waits for them, and removes the socket.
func (a *Agent) Close() error {
	a.once.Do(func() {
		a.stop()
		a.closed = a.listener.Close()
		a.mu.Lock()
		for c := range a.conns {
			_ = c.Close()
		}
		a.mu.Unlock()
		a.wg.Wait()
		if a.made != "" {
			a.closed = errors.Join(a.closed, os.RemoveAll(a.made))
		}
	})
	return a.closed
}

// signers answers list and sign with x/crypto's agent.
type signers []*Key

var errRefused = errors.New("refused")

func (s signers) List() ([]*agent.Key, error) {
	var list []*agent.Key
	for _, k := range s {
		p := k.Public()
		list = append(list, &agent.Key{Format: p.Type(), Blob: p.Marshal(), Comment: k.comment})
	}
	return list, nil
}

func (s signers) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return s.SignWithFlags(key, data, 0)
}

func (s signers) SignWithFlags(key ssh.PublicKey, data []byte, flags agent.SignatureFlags) (*ssh.Signature, error) {
	for _, k := range s {
		if string(k.Public().Marshal()) != string(key.Marshal()) {
			continue
		}
		if as, ok := k.signer.(ssh.AlgorithmSigner); ok && flags == agent.SignatureFlagRsaSha512 {
			return as.SignWithAlgorithm(nil, data, ssh.KeyAlgoRSASHA512)
		} else if ok && flags == agent.SignatureFlagRsaSha256 {
			return as.SignWithAlgorithm(nil, data, ssh.KeyAlgoRSASHA256)
		}
		return k.signer.Sign(nil, data)
	}
	return nil, errRefused
}

func (s signers) Add(agent.AddedKey) error       { return errRefused }
func (s signers) Remove(ssh.PublicKey) error     { return errRefused }
func (s signers) RemoveAll() error               { return errRefused }
func (s signers) Lock([]byte) error              { return errRefused }
func (s signers) Unlock([]byte) error            { return errRefused }
func (s signers) Signers() ([]ssh.Signer, error) { return nil, errRefused }
func (s signers) Extension(string, []byte) ([]byte, error) {
	return nil, agent.ErrExtensionUnsupported
}
