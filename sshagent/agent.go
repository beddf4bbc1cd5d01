package sshagent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kamal-op/kamal-op/sshagent/peer"
)

const (
	// maxConns is how many connections are served at once; more wait in the
	// socket's backlog, as in a burst of logins.
	maxConns = 512
	// idleTime is how long a connection must have been idle to be closed in
	// favour of one that waits. Between listing and signing a client waits for
	// its server, which takes a round trip or two.
	idleTime = 10 * time.Second
)

// Options is what an agent holds and what it may do. The zero value of every
// field but Keys is the widest: any user, any host, any process of this user.
type Options struct {
	Keys     []*Key   // in the order in which clients are to try them
	Users    []string // the users that may be logged in as; empty means any
	HostKeys []string // public keys or SHA256 fingerprints of the hosts that may be logged in to, where the client shows the host; empty means any

	// AllowForwarding lets connections sign that show themselves as forwarded:
	// by servers that were logged in to, and use the agent from there.
	AllowForwarding bool

	// Descendants refuses all processes but this one and those that descend
	// from it. On Linux an orphan descends from this process where the program is
	// a subreaper (prctl PR_SET_CHILD_SUBREAPER); on macOS it does not. Elsewhere
	// Start fails.
	Descendants bool

	// Dir is a directory of the caller's, closed to others (0700), that gets the
	// socket. Empty means a new one, which is removed at Close.
	Dir string

	// Log is told every event as it happens, one at a time, before the client
	// gets its answer; it must be quick, and must not close the agent. May be
	// nil.
	Log func(Event)
}

// An Agent is a running agent. Its methods may be called by several goroutines.
type Agent struct {
	socket   string
	made     string // the directory we made; empty where the caller gave one
	listener *net.UnixListener
	policy   *policy
	journal  journal
	listed   []byte // the answer to a list request

	// identities is nil once the agent is closed, so that nothing of ours holds
	// the keys any longer.
	identities atomic.Pointer[[]*identity]

	uid       int // the only user that may connect
	self      int // this process
	ancestor  int // the process that clients must descend from; 0: any
	frameTime time.Duration
	idleTime  time.Duration
	slots     chan struct{}

	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  map[*conn]struct{} // nil once the agent is closed
	closed error
}

// Start listens on a socket of its own and serves it until ctx ends or Close is
// called. The socket's path is at most 107 bytes long (103 on macOS).
func Start(ctx context.Context, o Options) (*Agent, error) {
	a, err := newAgent(o)
	if err != nil {
		return nil, err
	}
	if err := a.listen(o.Dir); err != nil {
		return nil, err
	}
	a.run(ctx)
	return a, nil
}

func newAgent(o Options) (*Agent, error) {
	if len(o.Keys) == 0 {
		return nil, errors.New("starting the agent: no keys")
	}
	if o.Descendants && !peer.Supported {
		return nil, errors.New("starting the agent: descendants cannot be told from other processes here")
	}
	p, err := newPolicy(o)
	if err != nil {
		return nil, err
	}
	a := &Agent{
		policy: p, journal: journal{log: o.Log},
		uid: os.Getuid(), self: os.Getpid(),
		frameTime: frameTime, idleTime: idleTime,
		slots: make(chan struct{}, maxConns),
		conns: make(map[*conn]struct{}),
	}
	if o.Descendants {
		a.ancestor = a.self
	}
	ids := identitiesOf(o.Keys)
	a.identities.Store(&ids)
	a.listed = listAnswer(ids)
	return a, nil
}

// run serves until ctx ends.
func (a *Agent) run(ctx context.Context) {
	ctx, a.cancel = context.WithCancel(ctx)
	a.wg.Go(func() { a.accept(ctx) })
	a.wg.Go(func() {
		<-ctx.Done()
		a.shut()
	})
}

// listen makes the socket, 0600 in a directory that is closed to others. The
// mode is set after the socket is made: the directory keeps others out until
// then, and a umask would be the whole process's.
func (a *Agent) listen(dir string) error {
	if dir == "" {
		made, err := makeDir()
		if err != nil {
			return err
		}
		dir, a.made = made, made
	} else if err := private(dir, a.uid); err != nil {
		return err
	}
	a.socket = filepath.Join(dir, socketName)
	err := a.bind()
	if err != nil && a.made != "" {
		err = errors.Join(err, os.RemoveAll(a.made))
	}
	return err
}

func (a *Agent) bind() error {
	if len(a.socket) > longestSocket {
		return fmt.Errorf("listening for the agent: the socket's path has %d bytes, the system takes %d", len(a.socket), longestSocket)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.socket, Net: "unix"})
	if err != nil {
		return fmt.Errorf("listening for the agent: %w", err)
	}
	if err := os.Chmod(a.socket, 0o600); err != nil {
		return errors.Join(fmt.Errorf("closing the agent's socket to others: %w", err), l.Close())
	}
	a.listener = l
	return nil
}

// accept serves connections until the listener is closed. It takes the
// connection first and then waits for a slot, so that idle connections are
// closed only where somebody waits.
func (a *Agent) accept(ctx context.Context) {
	for {
		nc, err := a.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, most likely: they come back
			if !sleep(ctx, 10*time.Millisecond) {
				return
			}
			continue
		}
		if !a.slot(ctx) {
			_ = nc.Close()
			return
		}
		c := &conn{agent: a, net: nc}
		c.idleSince.Store(time.Now().UnixNano())
		if !a.enter(c) {
			_ = nc.Close()
			return
		}
		a.wg.Go(func() {
			defer a.leave(c)
			_ = c.serve() // how a connection ends is its client's affair
		})
	}
}

// slot waits for a free one, closing the connection that was idle longest.
func (a *Agent) slot(ctx context.Context) bool {
	for {
		select {
		case a.slots <- struct{}{}:
			return true
		default:
		}
		a.closeIdle()
		select {
		case a.slots <- struct{}{}:
			return true
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// closeIdle closes the connection that has been idle longest, if that is long.
func (a *Agent) closeIdle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	oldest := time.Now().Add(-a.idleTime).UnixNano()
	var found *conn
	for c := range a.conns {
		if since := c.idleSince.Load(); since != 0 && since < oldest {
			oldest, found = since, c
		}
	}
	if found != nil {
		_ = found.net.Close()
	}
}

func (a *Agent) enter(c *conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conns == nil {
		return false
	}
	a.conns[c] = struct{}{}
	return true
}

func (a *Agent) leave(c *conn) {
	_ = c.net.Close()
	a.mu.Lock()
	delete(a.conns, c)
	a.mu.Unlock()
	<-a.slots
}

// shut ends everything; it runs once, when the agent's context ends.
func (a *Agent) shut() {
	a.identities.Store(nil)
	err := a.listener.Close()
	a.mu.Lock()
	for c := range a.conns {
		_ = c.net.Close()
	}
	a.conns = nil
	a.mu.Unlock()
	if e := os.Remove(a.socket); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	if a.made != "" {
		err = errors.Join(err, os.RemoveAll(a.made))
	}
	a.closed = err
}

// Socket is the path for SSH_AUTH_SOCK.
func (a *Agent) Socket() string { return a.socket }

// Events are the newest 1,000 events, oldest first. They stay after Close.
func (a *Agent) Events() []Event { return a.journal.events() }

// Counts is how much was signed and refused so far. It stays after Close.
func (a *Agent) Counts() Counts { return a.journal.total() }

// Close ends all connections, waits for signatures that are being made, and
// removes the socket. Calling it again gives the same error.
func (a *Agent) Close() error {
	a.cancel()
	a.wg.Wait()
	return a.closed
}

// sleep says whether the whole time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
