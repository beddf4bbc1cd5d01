//go:build linux

package deploy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/supervise"
	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

// askFor is the variable that makes this test binary say what it is, as the preload
// does, and end when it is answered: with 0 where the answer is one to begin.
const askFor = "BOOT_TEST_HELLO"

// TestHelper_SaysHello is no test: a shell script that plays Kamal calls it.
func TestHelper_SaysHello(t *testing.T) {
	text := os.Getenv(askFor)
	if text == "" {
		t.Skip("is called by a script that plays Kamal")
	}
	conn, err := net.Dial("unix", os.Getenv(opclient.SocketVariable))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text+"\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), `"declared"`) {
		t.Fatalf("%s %v", answer, err)
	}
}

const hello = `{"hello":{"pid":` + "'$$'" + `,"kamal":"9.9.9","early":true}}`

// saysHello is a shell's line that waits for the answer.
func saysHello(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return askFor + "='" + hello + "' '" + self + "' -test.run='^TestHelper_SaysHello$' >/dev/null 2>&1 || exit 7\n"
}

// bootScript boots a shell script in the place of Kamal. began is a file that it may
// make when it has been answered.
func bootScript(ctx context.Context, t *testing.T, script string) (r *runner, began string) {
	t.Helper()
	return bootJob(ctx, t, script, Job{Args: []string{"deploy"}})
}

// bootJob does so for a job.
func bootJob(ctx context.Context, t *testing.T, script string, job Job) (r *runner, began string) {
	t.Helper()
	dir := t.TempDir()
	began = filepath.Join(dir, "began")
	r = &runner{resources: &resources{}, bin: filepath.Join(dir, "bin"), job: job}
	if err := os.Mkdir(r.bin, 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if r.broker, err = broker.Listen(context.Background(), broker.ListenOptions{Dir: r.bin, Executable: self}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.broker.Close() })
	r.env = []string{"PATH=" + os.Getenv("PATH"), "BEGAN=" + began}
	r.env = append(r.env, r.broker.Environment(r.env)...)
	path := filepath.Join(dir, "kamal")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.startEarly(ctx, path); err != nil {
		t.Fatal(err)
	}
	return r, began
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A Kamal that was started at once begins, and is heard, when it is released.
func TestEarlyKamal_BeginsWhenReleased(t *testing.T) {
	r, began := bootScript(t.Context(), t, "echo loading\n"+saysHello(t)+"touch $BEGAN\necho begun\n")
	b := r.early
	if binary, why := b.waitLoaded(t.Context()); why != "" || binary.Version != "9.9.9" || !binary.Preload {
		t.Fatalf("loaded %v %s", binary, why)
	}
	if exists(began) {
		t.Error("it has begun before it was released")
	}
	out := &record{}
	way := childTo(t, out)
	if !b.release(broker.Options{}, way, way, way) {
		t.Fatal("it cannot be released")
	}
	exit, err := b.wait()
	if err := way.Close(); err != nil {
		t.Error(err)
	}
	if exit.Status() != 0 || err != nil || out.String() != "loading\nbegun\n" || !exists(began) {
		t.Errorf("%v, %v, %q", exit, err, out.String())
	}
}

// One that is to have our terminal has one while it loads, and ours when it is released:
// what is typed before that is ours, as a person's op may ask there.
func TestEarlyKamal_TakesTheTerminalWhenReleased(t *testing.T) {
	keys, ours, err := pty.Open()
	if err != nil {
		t.Fatalf("no pty here: %v", err)
	}
	defer keys.Close()
	defer ours.Close()
	job := Job{Args: []string{"deploy"}, Terminal: &Terminal{File: ours, Stdout: true, Stderr: true}}
	r, _ := bootJob(t.Context(), t, "test -t 0 && test -t 1 && echo it has one\n"+saysHello(t)+"read line\necho has read $line\n", job)
	b := r.early
	if _, why := b.waitLoaded(t.Context()); why != "" {
		t.Fatal(why)
	}
	typed := make([]byte, 20)
	_, err = keys.WriteString("for op\r")
	ok(t, err)
	if n, err := ours.Read(typed); err != nil || string(typed[:n]) != "for op\n" {
		t.Errorf("of what is typed we have %q, %v", typed[:n], err)
	}
	out := &record{}
	way := childTo(t, out)
	if !b.release(broker.Options{}, way, way, way) {
		t.Fatal("it cannot be released")
	}
	_, err = keys.WriteString("for Kamal\r")
	ok(t, err)
	exit, err := b.wait()
	ok(t, errors.Join(err, way.Close()))
	if exit.Status() != 0 || !strings.Contains(out.String(), "it has one") || !strings.Contains(out.String(), "has read for Kamal") {
		t.Errorf("%v, %q", exit, out.String())
	}
}

// A terminal is no reason to start Kamal later, but for a person's op that would have to
// share it.
func TestJob_EarlyPath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bin", "kamal")
	ok(t, os.Mkdir(filepath.Dir(path), 0o700))
	ok(t, os.WriteFile(filepath.Join(dir, "ruby"), []byte("\x7fELF"), 0o700))
	ok(t, os.WriteFile(path, []byte("#!"+filepath.Join(dir, "ruby")+"\nload Gem.bin_path(\"kamal\", \"kamal\")\n"), 0o700))
	for name, test := range map[string]struct {
		terminal *Terminal
		op       string
		want     string
	}{
		"in CI":                 {nil, "", path},
		"in a terminal":         {&Terminal{}, "", path},
		"with a person's op":    {&Terminal{}, "/usr/bin/op", path},
		"with op, and not ours": {nil, "/usr/bin/op", ""},
	} {
		j := Job{Args: []string{"deploy"}, Project: kamal.ProjectOptions{Dir: dir}, Terminal: test.terminal, Vault: Vault{Op: test.op}}
		if got := j.earlyPath(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// One that is not wanted is killed, and has begun nothing; nor is it heard.
func TestEarlyKamal_EndsWhenAbandoned(t *testing.T) {
	r, began := bootScript(t.Context(), t, "trap '' INT TERM\necho loading\n"+saysHello(t)+"touch $BEGAN\n")
	b := r.early
	if _, why := b.waitLoaded(t.Context()); why != "" {
		t.Fatal(why)
	}
	b.abandon()
	if kamals, _ := b.broker.Running(); len(kamals) > 0 {
		t.Errorf("the broker remembers it: %v", kamals)
	}
	if b.exit.Signal != syscall.SIGKILL || exists(began) {
		t.Errorf("it ended with %v", b.exit)
	}
	if b.release(broker.Options{}, nil, nil, nil) {
		t.Error("it can be released")
	}
}

// Of one that ends before its commands are loaded, that waits for nothing, or whose
// Ruby has left, it is not said that it is Kamal.
func TestEarlyKamal_SaysWhyItCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct{ script, why string }{
		"ends": {
			"echo loading\necho 'cannot load such file -- kamal (LoadError)' >&2\nexit 4\n",
			"it ended with status 4 before its commands were loaded: cannot load such file -- kamal (LoadError)",
		},
		"ends without a word": {"", "it ended with status 0 before its commands were loaded"},
		"prints much and ends": {
			"yes 'a line' | head -c 59997\n", "it ended with status 0 before its commands were loaded: a line",
		},
		"leaves": {
			strings.Replace(saysHello(t), `"early":true`, `"apart":"it calls system"`, 1) + "touch $BEGAN\n",
			"it calls system before its commands are loaded",
		},
	} {
		r, began := bootScript(t.Context(), t, test.script)
		if binary, why := r.early.waitLoaded(t.Context()); why != test.why {
			t.Errorf("%s: %v, %q", name, binary, why)
		}
		r.early.abandon()
		if kamals, _ := r.broker.Running(); exists(began) || len(kamals) > 0 {
			t.Errorf("%s: it has begun, or is remembered: %v", name, kamals)
		}
	}
}

// One that cannot be taken is asked what it is, and that it is started a second time
// is told once, with the reason; not where another Kamal is taken.
func TestFindKamal_StartsASecondTime(t *testing.T) {
	apart := strings.Replace(saysHello(t), `"early":true`, `"apart":"it calls system"`, 1)
	r, _ := bootScript(t.Context(), t, "[ $1 != version ] || exec echo 9.9.9\n"+apart)
	path := r.early.path
	r.job.Kamal = path
	found, err := r.findKamal(t.Context(), t.Context(), "")
	if err != nil || found.Version != "9.9.9" || r.early != nil {
		t.Errorf("%v, %v, %v", found, err, r.early)
	}
	want := []string{"the Kamal at " + path + " is started a second time, now that all is known: it calls system before its commands are loaded"}
	if !slices.Equal(found.Notices, want) {
		t.Errorf("told %q", found.Notices)
	}

	r, _ = bootScript(t.Context(), t, apart)
	r.job.Kamal = path
	if found, err = r.findKamal(t.Context(), t.Context(), ""); err != nil || found.Path != path || len(found.Notices) > 0 {
		t.Errorf("another is taken: %v, %v, told %q", found, err, found.Notices)
	}
}

// What one has printed that ended by itself while the rest was still looked for is
// told, and its status counts.
func TestEarlyKamal_EndsBeforeItIsReleased(t *testing.T) {
	r, began := bootScript(t.Context(), t, "echo killed for its memory\nexit 9\n")
	b := r.early
	<-b.done
	out := &record{}
	way := childTo(t, out)
	if !b.release(broker.Options{}, way, way, way) {
		t.Fatal("it cannot be released")
	}
	exit, err := b.wait()
	if err := errors.Join(err, way.Close()); err != nil {
		t.Error(err)
	}
	if exit.Status() != 9 || out.String() != "killed for its memory\n" || exists(began) {
		t.Errorf("%v, %q", exit, out.String())
	}
}

// Wherever in the overlap a run is cancelled, its Kamal is gone with all that it has
// started, and has begun only if it was released.
func TestEarlyKamal_EndsWheneverTheRunIsCancelled(t *testing.T) {
	var usual time.Duration // until it is loaded
	for i := range longrun.Times(10, 100) {
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		r, began := bootScript(ctx, t, "sleep 60 &\necho $! >\"$BEGAN.pid\"\n"+saysHello(t)+"touch $BEGAN\nsleep 60\n")
		b := r.early
		if i > 0 {
			after := time.Duration(rand.Int64N(int64(usual) * 3 / 2))
			time.AfterFunc(after-min(after, time.Since(start)), func() { cancel(supervise.Signalled{Signal: syscall.SIGINT}) })
		}
		_, why := b.waitLoaded(ctx)
		if i == 0 {
			usual = time.Since(start)
			cancel(supervise.Signalled{Signal: syscall.SIGINT})
		}
		released := why == "" && b.release(broker.Options{}, nil, nil, nil)
		if released {
			if _, err := b.wait(); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		} else {
			b.abandon()
			if b.failed != nil && !errors.As(b.failed, new(supervise.Signalled)) {
				t.Errorf("%d: %v", i, b.failed)
			}
		}
		cancel(nil)
		if exists(began) && !released {
			t.Errorf("%d: it has begun", i)
		}
		if text, err := os.ReadFile(began + ".pid"); err == nil && len(text) > 0 {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || syscall.Kill(pid, 0) == nil && !isZombie(pid) {
				t.Errorf("%d: what it has started lives (%d, %v)", i, pid, err)
			}
		}
	}
}

// isZombie reports whether a process has ended and only waits for whoever started it.
func isZombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(after, "Z")
}

// childTo is a child's way to a writer.
func childTo(t *testing.T, w io.Writer) *gate.Child {
	t.Helper()
	way := gate.New(gate.Options{Stdout: w})
	t.Cleanup(way.Close)
	return way.Stdout().Child(way.Stdout(), gate.ChildOptions{})
}

// What is held is passed on in its order, whenever the way is given, and much of it
// waits.
func TestOutputBuffer_KeepsTheOrder(t *testing.T) {
	h := newOutputBuffer()
	var want bytes.Buffer
	got := &record{}
	way := childTo(t, got)
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range 30 {
			piece := append(bytes.Repeat([]byte{byte('a' + i%26)}, 4<<10), '\n')
			want.Write(piece)
			if n, err := h.Write(piece); n != len(piece) || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
	})
	h.release(way)
	h.release(nil) // the first counts
	writing.Wait()
	if err := way.Close(); err != nil {
		t.Error(err)
	}
	if want.String() != got.String() {
		t.Errorf("%d bytes have become %d, or are in another order", want.Len(), len(got.String()))
	}
}

// A reader that takes nothing holds up what is written, and neither the release nor
// who ends it all.
func TestOutputBuffer_DoesNotBlockOnASlowReader(t *testing.T) {
	h := newOutputBuffer()
	slow := slowReader{begun: make(chan struct{}), goOn: make(chan struct{})}
	if _, err := h.Write([]byte("kept\n")); err != nil {
		t.Fatal(err)
	}
	way := childTo(t, &slow)
	h.release(way) // does not wait
	<-slow.begun
	h.release(nil)
	if text := h.text(); text != "" {
		t.Errorf("%q is kept", text)
	}
	written := make(chan error, 1)
	go func() {
		_, err := h.Write([]byte("more\n"))
		written <- err
	}()
	close(slow.goOn)
	if err := errors.Join(<-written, way.Close()); err != nil {
		t.Error(err)
	}
	if slow.String() != "kept\nmore\n" {
		t.Errorf("%q", slow.String())
	}
}

// A slowReader takes nothing before it may go on.
type slowReader struct {
	record
	once        sync.Once
	begun, goOn chan struct{}
}

func (s *slowReader) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.begun) })
	<-s.goOn
	return s.record.Write(p)
}

// A way that refuses what was kept refuses the rest.
func TestOutputBuffer_PassesOnErrors(t *testing.T) {
	h := newOutputBuffer()
	if _, err := h.Write([]byte("kept\n")); err != nil {
		t.Fatal(err)
	}
	h.release(childTo(t, failingWriter{}))
	if _, err := h.Write([]byte("more")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }
