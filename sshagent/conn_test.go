package sshagent

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/testkit"
)

func TestFrames_WholeAndByteByByte(t *testing.T) {
	a, k := startAgent(t, Options{})
	var stream []byte
	want := []byte{msgListAnswer, msgSignAnswer, msgV1ListAnswer, msgFailure, msgFailure, msgListAnswer, msgFailure}
	for _, m := range [][]byte{
		{msgList},
		signRequest(k.Public().Marshal(), request{}.data(k), 0),
		appendString([]byte{msgV1List}, "SSH-2.0-Ruby"),
		append([]byte{msgAdd}, bytes.Repeat([]byte{1}, 9000)...), // grows the buffer
		{200},
		{msgList, 1, 2, 3},
		append([]byte{msgExtension}, bytes.Repeat([]byte{0}, 5000)...),
	} {
		stream = append(stream, framed(m)...)
	}
	for _, size := range []int{len(stream), 1, 3, 1000, 1024, 1025, 4096} {
		t.Run(fmt.Sprintf("%d bytes a write", size), func(t *testing.T) {
			w := dial(t, a)
			go func() {
				for b := stream; len(b) > 0; {
					n, err := w.Write(b[:min(size, len(b))])
					if err != nil {
						return
					}
					b = b[n:]
				}
			}()
			for i, kind := range want {
				if got := w.take(); got[0] != kind {
					t.Fatalf("answer %d is message %d, want %d", i+1, got[0], kind)
				}
			}
		})
	}
}

func TestFrames_OneAnswerInOneWrite(t *testing.T) {
	a, k := startAgent(t, Options{})
	// A datagram-like view of the stream: each read gets what one write sent,
	// as long as we read before the next.
	w := dial(t, a)
	for _, m := range [][]byte{{msgList}, signRequest(k.Public().Marshal(), request{}.data(k), 0), {msgLock}} {
		_, err := w.Write(framed(m))
		check(t, err)
		b := make([]byte, 4096)
		n, err := w.Read(b)
		check(t, err)
		if got := int(binary.BigEndian.Uint32(b)); n != got+4 {
			t.Errorf("the first read has %d bytes of a frame of %d", n, got+4)
		}
	}
}

func TestFrames_Violations(t *testing.T) {
	a, _ := startAgent(t, Options{})
	for name, head := range map[string][]byte{
		"empty":    {0, 0, 0, 0},
		"too long": {0, 4, 0, 1, msgList},
		"16 MiB":   {1, 0, 0, 0, msgList},
		"4 GiB":    {255, 255, 255, 255},
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, a)
			_, err := w.Write(head)
			check(t, err)
			w.closed()
		})
	}
	t.Run("the longest", func(t *testing.T) {
		w := dial(t, a)
		if got := w.ask(append([]byte{msgLock}, make([]byte, longestFrame-1)...)); got[0] != msgFailure {
			t.Errorf("answered with %d", got[0])
		}
		w.ask([]byte{msgList})
	})
}

func TestFrames_StalledInTheMiddle(t *testing.T) {
	const frameTime = 300 * time.Millisecond
	a, _ := startTuned(t, Options{}, func(a *Agent) { a.frameTime = frameTime })
	for name, part := range map[string][]byte{"length": {0, 0}, "message": {0, 0, 0, 9, msgList, 0}} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, a)
			w.ask([]byte{msgList})
			_, err := w.Write(part)
			check(t, err)
			w.closed()
		})
	}
	t.Run("dripping", func(t *testing.T) { // the deadline is of the frame, not of each byte
		w := dial(t, a)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for _, b := range framed(make([]byte, longestFrame)) { // more than comes until w gives up
				if _, err := w.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		w.closed()
		_ = w.Close()
		<-stopped
	})
	t.Run("idle is not stalled", func(t *testing.T) {
		w := dial(t, a)
		w.ask([]byte{msgList})
		time.Sleep(2 * frameTime)
		w.ask([]byte{msgList})
	})
}

func TestFrames_ClientThatDoesNotRead(t *testing.T) {
	a, _ := startTuned(t, Options{}, func(a *Agent) { a.frameTime = 300 * time.Millisecond })
	w := dial(t, a)
	w.ask([]byte{msgList}) // it is served
	go func() {            // asks for ever, takes no answer
		list := bytes.Repeat(framed([]byte{msgList}), 1000)
		for {
			if _, err := w.Write(list); err != nil {
				return
			}
		}
	}()
	testkit.WaitFor(t, "the connection to be closed", func() bool { return a.served() == 0 })
}

func (a *Agent) served() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.conns)
}

func TestRefusals_NothingButListAndSign(t *testing.T) {
	a, k := startAgent(t, Options{})
	w := dial(t, a)
	for kind := range 256 {
		if kind == msgList || kind == msgV1List || kind == msgExtension {
			continue
		}
		before := a.Counts().Refused
		if got := w.ask([]byte{byte(kind)}); !bytes.Equal(got, []byte{msgFailure}) {
			t.Errorf("message %d is answered with % x", kind, got)
		}
		if got := a.Counts().Refused; got != before+1 {
			t.Errorf("message %d: %d events, want 1", kind, got-before)
		}
	}
	if got := w.ask(appendString([]byte{msgExtension}, "query")); !bytes.Equal(got, []byte{msgFailure}) {
		t.Errorf("an unknown extension is answered with % x", got)
	}
	if !w.login(k, request{}, 0) {
		t.Error("the agent no longer signs: ", lastReason(t, a))
	}
}

func TestPanic_EndsOneConnection(t *testing.T) {
	var once sync.Once
	a, k := startAgent(t, Options{Log: func(e Event) {
		if e.Signed {
			once.Do(func() { panic("in the caller's log") })
		}
	}})
	other := dial(t, a)
	other.ask([]byte{msgList})
	w := dial(t, a)
	_, err := w.Write(framed(signRequest(k.Public().Marshal(), request{}.data(k), 0)))
	check(t, err)
	w.closed()
	other.ask([]byte{msgList})
	if got := a.Counts().Signed; got != 1 {
		t.Errorf("%d signatures counted, want 1", got)
	}
}

func TestSocket_PrivateAndGone(t *testing.T) {
	a, err := Start(t.Context(), Options{Keys: []*Key{makeKey(t, ed)}})
	check(t, err)
	dir := filepath.Dir(a.Socket())
	for path, mode := range map[string]os.FileMode{dir: os.ModeDir | 0o700, a.Socket(): os.ModeSocket | 0o600} {
		info, err := os.Stat(path)
		check(t, err)
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), mode)
		}
	}
	check(t, a.Close())
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	check(t, a.Close())
}

func TestSocket_InTheCallersDirectory(t *testing.T) {
	dir := shortDir(t)
	a, err := Start(t.Context(), Options{Keys: []*Key{makeKey(t, ed)}, Dir: dir})
	check(t, err)
	if filepath.Dir(a.Socket()) != dir {
		t.Errorf("the socket is %s", a.Socket())
	}
	if _, err := Start(t.Context(), Options{Keys: []*Key{makeKey(t, ed)}, Dir: dir}); err == nil {
		t.Error("a second agent took the socket of the first")
	}
	dial(t, a).ask([]byte{msgList})
	check(t, a.Close())
	left, err := os.ReadDir(dir)
	check(t, err)
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "t")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return dir
}

func TestSocket_PathLength(t *testing.T) {
	base := shortDir(t)
	room := longestSocket - len(base) - len("//"+socketName)
	for extra, ok := range map[int]bool{0: true, 1: false} {
		dir := filepath.Join(base, strings.Repeat("d", room+extra))
		check(t, os.Mkdir(dir, 0o700))
		a, err := Start(t.Context(), Options{Keys: []*Key{makeKey(t, ed)}, Dir: dir})
		if (err == nil) != ok {
			t.Errorf("with a path of %d bytes: %v", longestSocket+extra, err)
		}
		if err == nil {
			dial(t, a).ask([]byte{msgList})
			check(t, a.Close())
		}
	}
}

func TestSocket_LongTempDir(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	check(t, os.Mkdir(long, 0o700))
	t.Setenv("TMPDIR", long)
	a, _ := startAgent(t, Options{})
	dial(t, a).ask([]byte{msgList})
}

func TestStart_Refuses(t *testing.T) {
	open := shortDir(t)
	check(t, os.Chmod(open, 0o755))
	file := filepath.Join(shortDir(t), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	k := []*Key{makeKey(t, ed)}
	for name, o := range map[string]Options{
		"no keys":           {},
		"open directory":    {Keys: k, Dir: open},
		"a file":            {Keys: k, Dir: file},
		"no directory":      {Keys: k, Dir: open + "/none"},
		"host key":          {Keys: k, HostKeys: []string{"nonsense"}},
		"short fingerprint": {Keys: k, HostKeys: []string{"SHA256:abc"}},
	} {
		t.Run(name, func(t *testing.T) {
			if a, err := Start(t.Context(), o); err == nil {
				_ = a.Close()
				t.Error("started")
			}
		})
	}
}

func TestStart_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a, err := Start(ctx, Options{Keys: []*Key{makeKey(t, ed)}})
	check(t, err)
	w := dial(t, a)
	w.ask([]byte{msgList})
	cancel()
	w.closed()
	deadline := time.Now().Add(time.Minute)
	for {
		if _, err := os.Stat(filepath.Dir(a.Socket())); os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the directory is still there")
		}
		time.Sleep(time.Millisecond)
	}
	check(t, a.Close())
}

// awaitIdle waits until each connection counts as idle: an answer arrives before that.
func awaitIdle(t *testing.T, a *Agent) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		busy := 0
		a.mu.Lock()
		for c := range a.conns {
			if c.idleSince.Load() == 0 {
				busy++
			}
		}
		a.mu.Unlock()
		if busy == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are not idle", busy)
		}
	}
}

func TestConnections_MoreThanAreServed(t *testing.T) {
	const idleTime = 3 * time.Second
	a, k := startTuned(t, Options{}, func(a *Agent) { a.idleTime = idleTime })
	var idle []*wire
	for range maxConns {
		w := dial(t, a)
		w.ask([]byte{msgList})
		if idle = append(idle, w); len(idle) == 1 {
			awaitIdle(t, a) // before the others, whatever the scheduler does
		}
	}
	began := time.Now()
	w := dial(t, a) // waits, and takes the place of one that was idle
	if !w.login(k, request{}, 0) {
		t.Fatal(lastReason(t, a))
	}
	if waited := time.Since(began); waited > 2*idleTime {
		t.Errorf("it waited %v", waited)
	}
	idle[0].closed() // the one that was idle longest
	idle[maxConns-1].ask([]byte{msgList})
}

func TestConnections_Burst(t *testing.T) {
	a, k := startAgent(t, Options{})
	var wg sync.WaitGroup
	for range 2 * maxConns {
		wg.Go(func() {
			c, err := net.Dial("unix", a.Socket())
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			w := &wire{t, c}
			if _, err := w.Write(framed(signRequest(k.Public().Marshal(), request{}.data(k), 0))); err != nil {
				t.Error(err)
				return
			}
			if _, err := io.ReadFull(w, make([]byte, 5)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := a.Counts().Signed; got != 2*maxConns {
		t.Errorf("%d signatures, want %d", got, 2*maxConns)
	}
}

func TestConnections_LeaveNoDescriptor(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 1_000
	}
	a, _ := startAgent(t, Options{})
	before := descriptors(t)
	for i := range n {
		c, err := net.Dial("unix", a.Socket())
		// The backlog is full where the agent is slower than this loop.
		for end := time.Now().Add(20 * time.Second); errors.Is(err, syscall.EAGAIN) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
			c, err = net.Dial("unix", a.Socket())
		}
		check(t, err)
		if i%2 == 0 {
			_, err = c.Write(framed([]byte{msgList})[:1+i%5])
			check(t, err)
		}
		check(t, c.Close())
	}
	deadline := time.Now().Add(time.Minute)
	for after := descriptors(t); after != before; after = descriptors(t) {
		if time.Now().After(deadline) { // some wait in the backlog until then
			t.Fatalf("%d descriptors before %d connections, %d after", before, n, after)
		}
		time.Sleep(time.Millisecond)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here to count descriptors in")
	}
	return len(list)
}
