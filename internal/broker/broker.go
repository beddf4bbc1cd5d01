package broker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// idle is how long a client may take to send its request. It is a program that
// has it ready.
const idle = 30 * time.Second

// A Broker answers on the socket of one run.
type Broker struct {
	listening ListenOptions
	o         Options // not before opened is closed
	opened    chan struct{}
	arrival   chan Arrival
	preload   string
	listener  *net.UnixListener
	stop      context.CancelFunc
	serving   sync.WaitGroup
	scope     *scope

	mu        sync.Mutex
	conns     map[net.Conn]bool
	closed    bool
	child     map[string]int // the child's environment: how long each value is
	dismissed bool           // the Kamal that was started early is not wanted any more
	failures  []failure      // of lookups
	problems  problem.List
	noticed   map[string]bool
	kamals    []int // process ids of the Kamals that have said hello
	needed    []int // of the programs that their connections go through
	ran       []HostVersions
	boots     []BootTime

	notifying sync.Mutex
	refused   sync.Once // one warning about refused peers: a peer that goes on trying must not fill the log
}

// ListenOptions are what a broker needs to listen, before it can answer anything.
type ListenOptions struct {
	// Dir is a directory of the run's: it exists, is private (0700), and holds
	// nothing else. Its path has no white space, which RUBYOPT could not quote,
	// and is short enough for a socket (90 bytes).
	Dir string

	// Executable is this program: `op` in Dir is a link to it.
	Executable string

	// AnyPeer serves processes of this user, and of root, that the run has not
	// started (--allow-any-peer): of a container that has Dir mounted.
	AnyPeer bool

	// Notify is called with what happens, one call at a time; nil is not.
	Notify func(Event)

	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Listen puts `op`, the preload and the socket into o.Dir. Clients wait until Open, Close
// or the end of ctx.
func Listen(ctx context.Context, o ListenOptions) (*Broker, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if strings.ContainsAny(o.Dir, " \t\n:") {
		return nil, fmt.Errorf("the run's directory %q has white space or a colon in its path, which PATH and RUBYOPT cannot hold", o.Dir)
	}
	info, err := os.Stat(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("the run's directory: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the run's directory %s can be entered by others (mode %o)", o.Dir, info.Mode().Perm())
	}
	preload, err := kamal.WritePreload(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(o.Executable, filepath.Join(o.Dir, opclient.Name)); err != nil {
		return nil, fmt.Errorf("putting op into the run's directory: %w", err)
	}
	// The directory is private: nobody can connect before the mode is set.
	address := &net.UnixAddr{Name: filepath.Join(o.Dir, opclient.SocketName), Net: "unix"}
	listener, err := net.ListenUnix("unix", address)
	if err != nil {
		return nil, fmt.Errorf("opening the run's socket: %w", err)
	}
	if err := os.Chmod(address.Name, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the run's socket: %w", err), listener.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	b := newBroker(o)
	b.preload, b.listener, b.stop = preload, listener, stop
	b.serving.Go(func() { b.accept(ctx) })
	context.AfterFunc(ctx, b.closeAll)
	return b, nil
}

// newBroker is a broker that does not listen.
func newBroker(o ListenOptions) *Broker {
	return &Broker{
		listening: o, opened: make(chan struct{}), arrival: make(chan Arrival, 1),
		conns: map[net.Conn]bool{}, noticed: map[string]bool{},
	}
}

// Open answers from now on. It is called once. Listen has set o.ListenOptions.
func (b *Broker) Open(o Options) {
	if o.Mask == nil {
		o.Mask = func([]mask.Secret) error { return nil }
	}
	o.ListenOptions = b.listening
	b.o, b.scope = o, newScope(o)
	close(b.opened)
}

// Environment is what a child needs of the broker, as NAME=value entries to set
// in env, the child's environment: its PATH with `op` before everything else,
// RUBYOPT with the preload, and the socket.
func (b *Broker) Environment(env []string) []string {
	child := environ.List(env)
	added := []string{
		"PATH=" + b.listening.Dir + ":" + child.Path(),
		"RUBYOPT=" + kamal.RubyOptions(b.preload, child.Get("RUBYOPT")),
		opclient.SocketVariable + "=" + b.listener.Addr().String(),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.child = map[string]int{}
	for _, entry := range slices.Concat(env, added) {
		name, value, _ := strings.Cut(entry, "=")
		b.child[name] = len(value)
	}
	return added
}

// Problems are what stopped Kamal before anything changed: secrets that did not
// arrive as they are in the vault, with places and hints. Where it is not empty
// the run ends with problem.Found, whatever Kamal's own status was.
func (b *Broker) Problems() problem.List {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(problem.List(nil), b.problems...)
}

// Close ends the socket and every request under way, and waits for both. What it
// put into the directory is the caller's to remove with it.
func (b *Broker) Close() error {
	b.stop()
	b.closeAll()
	b.serving.Wait()
	return nil
}

// closeAll closes the listener and every connection.
func (b *Broker) closeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	_ = b.listener.Close()
	for conn := range b.conns {
		_ = conn.Close()
	}
}

func (b *Broker) accept(ctx context.Context) {
	for {
		conn, err := b.listener.AcceptUnix()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				return
			}
			// Out of descriptors, or a client that went away: others come.
			select {
			case <-ctx.Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		if !b.track(conn) {
			_ = conn.Close()
			return
		}
		b.serving.Go(func() {
			defer b.untrack(conn)
			b.serve(ctx, conn)
		})
	}
}

func (b *Broker) track(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.conns[conn] = true
	return true
}

func (b *Broker) untrack(conn net.Conn) {
	_ = conn.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, conn)
}

// A request is one line of JSON: exactly one of its parts is set.
type request struct {
	Op         *opclient.Request `json:"op"`
	Hello      *helloRequest     `json:"hello"`
	Check      *checkRequest     `json:"check"`
	Needed     *neededRequest    `json:"needed"`
	Lock       *lockRequest      `json:"lock"`
	Hosts      *hostsRequest     `json:"hosts"`
	Login      *loginRequest     `json:"login"`
	Registry   *registryLogin    `json:"registry"`
	Boot       *bootRequest      `json:"boot"`
	RolledBack *rollbackRequest  `json:"rolled_back"`
	Ended      *resultRequest    `json:"ended"`
	Past       *pastRequest      `json:"past"`
}

// serve answers the one request of a connection.
func (b *Broker) serve(ctx context.Context, conn *net.UnixConn) {
	pid, refused := checkPeer(conn, b.listening.AnyPeer)
	if err := conn.SetReadDeadline(b.listening.Now().Add(idle)); err != nil {
		return
	}
	line, err := bufio.NewReader(io.LimitReader(conn, opclient.MaxMessage)).ReadBytes('\n')
	if err != nil && refused == nil {
		return // the client went away, or says nothing that ends
	}
	var answer any
	if refused != nil {
		answer = b.refuse(refused)
	} else {
		answer = b.answer(withCaller(ctx, pid), line)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return
	}
	// A client that went away needs no answer.
	_, _ = conn.Write(append(text, '\n'))
}

// refuse is the answer to a peer that is not served. What it asked is not read.
func (b *Broker) refuse(err error) any {
	var s *peerError
	if errors.As(err, &s) && s.ended && b.isDismissed() {
		return struct{}{} // it was killed by us while it connected
	}
	b.refused.Do(func() {
		b.notify(Event{
			Kind: Warning, Message: "a connection to the run's socket is turned away: " + err.Error(),
			Hint: "if it is one that should be served, such as a Kamal in a container that has the run's directory mounted, allow it with --allow-any-peer",
		})
	})
	told := "this run of kamal-op does not serve the connection: " + err.Error() + " (--allow-any-peer serves it)"
	// An `op` prints the one, the preload says the other.
	return map[string]any{"error": told, "stderr": "[ERROR] " + b.listening.Now().Format("2006/01/02 15:04:05") + " " + told + "\n", "status": 1}
}

// answer is the answer to one request, as it stands on the socket.
func (b *Broker) answer(ctx context.Context, line []byte) any {
	var m request
	if err := json.Unmarshal(line, &m); err != nil {
		return map[string]string{"error": "the request is not understood"}
	}
	dismissed := b.isDismissed()
	if m.Hello != nil && m.Hello.early() {
		if !b.recordArrival(m.Hello) {
			return map[string]string{"error": "this Kamal is not wanted any more"}
		}
		if m.Hello.Apart != "" {
			return struct{}{} // it ends when it has an answer
		}
	}
	select {
	case <-b.opened:
	case <-ctx.Done():
		return map[string]string{"error": "the run is over"}
	}
	if b.isDismissed() != dismissed {
		return map[string]string{"error": "this Kamal is not wanted any more"}
	}
	switch {
	case m.Op != nil:
		return b.op(ctx, m.Op)
	case m.Hello != nil:
		return b.hello(m.Hello)
	case m.Check != nil:
		return b.check(ctx, m.Check)
	case m.Needed != nil:
		return b.recordNeeded(m.Needed)
	case m.Boot != nil:
		return b.recordBoot(m.Boot)
	case m.RolledBack != nil:
		return b.recordRollback(m.RolledBack)
	case m.Ended != nil:
		return b.recordResult(ctx, m.Ended)
	case m.Past != nil:
		return b.readPast(m.Past)
	case m.Lock != nil:
		return b.lock(ctx, m.Lock)
	case m.Hosts != nil:
		return b.hosts(ctx, m.Hosts)
	case m.Login != nil:
		return b.login(m.Login)
	case m.Registry != nil:
		return b.registryLogin(m.Registry)
	}
	return map[string]string{"error": "the request is not understood"}
}

func (b *Broker) notify(e Event) {
	if b.listening.Notify == nil {
		return
	}
	b.notifying.Lock()
	defer b.notifying.Unlock()
	b.listening.Notify(e)
}

// notifyOnce reports a notice or a warning the first time only: nested calls of Kamal
// would repeat it.
func (b *Broker) notifyOnce(e Event) {
	b.mu.Lock()
	told := b.noticed[e.Message]
	b.noticed[e.Message] = true
	b.mu.Unlock()
	if !told {
		b.notify(e)
	}
}
