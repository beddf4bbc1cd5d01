package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// loadTimeout is how long a Kamal may take until its commands are loaded.
const loadTimeout = kamal.ProbeTimeout

// An earlyKamal is a Kamal that was started before the secrets are known: Ruby starts and
// loads Kamal meanwhile. It waits before its first command, and nothing that it
// prints goes anywhere, until it is released. One that is not wanted any more is
// killed: it has begun nothing.
//
// What a project has in its bin/kamal and Gemfile runs in that time, as it would
// for `kamal version`. The ERB of deploy.yml is read by a command: afterwards.
type earlyKamal struct {
	path         string
	broker       *broker.Broker
	out          *outputBuffer
	err          *outputBuffer // the same one where the two streams are one
	screen       *outputBuffer // of our terminal, where Kamal has one and its output goes elsewhere; else that
	terminalFree chan struct{} // closed when Kamal may have our terminal
	cancel       context.CancelCauseFunc
	done         chan struct{} // closed when it has ended
	exit         supervise.Exit
	failed       error

	mu    sync.Mutex
	state earlyState
}

type earlyState int

const (
	loading earlyState = iota
	running            // its first command may have begun
	ended              // it was killed, or ended by itself, before that
)

// errNotNeeded ends an early Kamal that nobody waits for.
var errNotNeeded = errors.New("this Kamal is not wanted any more")

// earlyPath is the Kamal that may be started at once, "" where only running it tells
// what it is.
func (j Job) earlyPath() string {
	// A person's op may ask in a terminal that Kamal would have at once.
	if j.Vault.Op != "" && j.Terminal == nil || len(j.Args) == 0 {
		return ""
	}
	paths, err := kamal.Candidates(j.find(""))
	if err != nil || len(paths) == 0 || !kamal.LoadsPreload(paths[0], j.Project.Dir, j.Env) {
		return ""
	}
	return paths[0]
}

// startEarly starts the Kamal at path, with what every Kamal of the run has in its
// environment.
func (r *runner) startEarly(ctx context.Context, path string) error {
	if r.job.Wanted.Pins != nil || len(r.job.Wanted.PinRefs) > 0 {
		// The preload looks for it when it is loaded. The keys come before the answer.
		if err := os.WriteFile(filepath.Join(r.bin, sshname.KnownHosts), nil, 0o600); err != nil {
			return err
		}
	}
	b := &earlyKamal{path: path, broker: r.broker, out: newOutputBuffer(), terminalFree: make(chan struct{}), done: make(chan struct{})}
	b.err, b.screen = b.out, b.out
	if r.job.Apart {
		b.err = newOutputBuffer()
	}
	c := supervise.Command{
		Path: path, Args: r.job.Args, Dir: r.job.Project.Dir, Stdin: r.job.Stdin,
		Env:    append(r.env[:len(r.env):len(r.env)], kamal.EarlyVariable+"=1"),
		Stdout: b.out, Stderr: b.err, Signals: r.Signals, Reaper: r.Reaper,
	}
	if t := r.job.Terminal; t != nil {
		c.Terminal, c.StdoutApart, c.StderrApart, c.Take = t.File, !t.Stdout, !t.Stderr && r.job.Apart, b.terminalFree
		if c.StdoutApart {
			b.screen = newOutputBuffer()
			c.Screen = b.screen
		}
	}
	stop := stopKamal(ctx, r.broker.Running)
	c.Stop = func(within context.Context, child *supervise.Process) error {
		if b.dismiss() {
			return child.SignalGroup(syscall.SIGKILL)
		}
		return stop(within, child)
	}
	ctx, b.cancel = context.WithCancelCause(ctx)
	go func() {
		defer close(b.done)
		b.exit, b.failed = c.Run(ctx)
	}()
	r.early = b
	return nil
}

// dismiss says that the first command must not begin any more, and has the broker forget
// this Kamal. It is false where the command may have begun.
func (b *earlyKamal) dismiss() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == loading {
		b.state = ended
		b.broker.Dismiss()
	}
	return b.state == ended
}

// waitLoaded waits until Kamal's commands are loaded, and says which Kamal it is; or why
// it is not to be waited for.
func (b *earlyKamal) waitLoaded(ctx context.Context) (found kamal.Binary, why string) {
	within, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	var arrival broker.Arrival
	select {
	case arrival = <-b.broker.Arrival():
	case <-b.done:
		select { // what it has said before it ended counts
		case arrival = <-b.broker.Arrival():
		default:
			return found, b.endReason()
		}
	case <-within.Done():
		return found, fmt.Sprintf("its commands are not loaded after %s", loadTimeout)
	}
	if arrival.Apart != "" {
		return found, arrival.Apart + " before its commands are loaded"
	}
	return kamal.Binary{Path: b.path, Version: arrival.Version, Preload: true}, ""
}

// endReason says why an early Kamal ended by itself, with its last line.
func (b *earlyKamal) endReason() string {
	if b.failed != nil {
		return b.failed.Error()
	}
	why := fmt.Sprintf("it ended with status %d before its commands were loaded", b.exit.Status())
	line := kamal.LastLine(b.err.text())
	if line == "" {
		line = kamal.LastLine(b.out.text())
	}
	if line != "" {
		why += ": " + line
	}
	return why
}

// release lets Kamal begin, with what the broker is to answer, and its output go to
// these streams. It is false where the run was cancelled meanwhile.
func (b *earlyKamal) release(o broker.Options, out, err, screen *gate.Child) bool {
	b.mu.Lock()
	wanted := b.state != ended
	if wanted {
		b.state = running
	}
	b.mu.Unlock()
	if !wanted {
		return false
	}
	close(b.terminalFree)
	b.out.release(out)
	b.err.release(err) // the first one counts, where they are one
	b.screen.release(screen)
	b.broker.Open(o)
	return true
}

// abandon ends a Kamal that is not wanted, and waits for its end.
func (b *earlyKamal) abandon() {
	b.dismiss()
	b.out.release(nil)
	b.err.release(nil)
	b.screen.release(nil)
	b.cancel(errNotNeeded)
	<-b.done
}

// wait waits for the end of a Kamal that was released, and for what it has printed.
func (b *earlyKamal) wait() (supervise.Exit, error) {
	<-b.done
	<-b.out.flushed
	<-b.err.flushed
	<-b.screen.flushed
	b.cancel(nil)
	return b.exit, b.failed
}

// maxBuffered is how much output of an early Kamal is kept; the rest waits in its pipe.
const maxBuffered = 64 << 10

// outputBuffer keeps a child's output until there is a way for it.
type outputBuffer struct {
	mu       sync.Mutex
	opened   *sync.Cond  // that there is a way
	open     bool        // there is one
	target   *gate.Child // nil drops what comes
	buffered []byte
	flushed  chan struct{} // closed when what was kept has gone its way
	failed   error         // of that; not before flushed is closed
}

func newOutputBuffer() *outputBuffer {
	h := &outputBuffer{flushed: make(chan struct{})}
	h.opened = sync.NewCond(&h.mu)
	return h
}

// release gives the way, or drops all where it is nil. The first one counts. It does
// not wait for who reads.
func (h *outputBuffer) release(to *gate.Child) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		return
	}
	h.open, h.target = true, to
	kept := h.buffered
	h.buffered = nil
	h.opened.Broadcast()
	if len(kept) == 0 || to == nil {
		close(h.flushed)
		return
	}
	go func() {
		defer close(h.flushed)
		_, h.failed = to.Write(kept)
	}()
}

// text is what is kept.
func (h *outputBuffer) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.buffered)
}

// Write takes the way, behind what was kept, or keeps what will.
func (h *outputBuffer) Write(p []byte) (int, error) {
	h.mu.Lock()
	for !h.open && len(h.buffered)+len(p) > maxBuffered {
		h.opened.Wait()
	}
	if !h.open {
		h.buffered = append(h.buffered, p...)
		h.mu.Unlock()
		return len(p), nil
	}
	to := h.target
	h.mu.Unlock()
	<-h.flushed
	switch {
	case h.failed != nil:
		return 0, h.failed
	case to == nil:
		return len(p), nil
	}
	return to.Write(p)
}

// runEarly runs Kamal from its release to its end.
func (r *runner) runEarly(stream func(*gate.Stream) *gate.Child) (supervise.Exit, error) {
	b := r.early
	out := stream(r.Stdout)
	streams := []*gate.Child{out}
	err := out
	if r.job.Apart {
		err = stream(r.Stderr)
		streams = append(streams, err)
	}
	screen := out
	if b.screen != b.out {
		screen = stream(r.Gate.Screen(r.job.Terminal.File))
		streams = append(streams, screen)
	}
	if !b.release(r.options, out, err, screen) {
		b.abandon()
		return b.exit, closeStreams(streams, nil)
	}
	exit, failed := b.wait()
	return exit, errors.Join(failed, closeStreams(streams, failed))
}
