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

// bootTime is how long a Kamal may take until its commands are loaded.
const bootTime = kamal.ProbeTimeout

// A boot is a Kamal that was started before the secrets are known: Ruby starts and
// loads Kamal meanwhile. It waits before its first command, and nothing that it
// prints goes anywhere, until it is released. One that is not wanted any more is
// killed: it has begun nothing.
//
// What a project has in its bin/kamal and Gemfile runs in that time, as it would
// for `kamal version`. The ERB of deploy.yml is read by a command: afterwards.
type boot struct {
	path   string
	broker *broker.Broker
	out    *held
	err    *held         // the same one where the two streams are one
	screen *held         // of our terminal, where Kamal has one and its output goes elsewhere; else that
	taken  chan struct{} // closed when Kamal may have our terminal
	cancel context.CancelCauseFunc
	over   chan struct{} // closed when it has ended
	exit   supervise.Exit
	failed error

	mu    sync.Mutex
	state bootState
}

type bootState int

const (
	booting bootState = iota
	running           // its first command may have begun
	ended             // it was killed, or ended by itself, before that
)

// errNotWanted is why a boot ends that nobody waits for.
var errNotWanted = errors.New("this Kamal is not wanted any more")

// bootable is the Kamal that may be started at once, "" where only running it tells
// what it is.
func (j Job) bootable() string {
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

// boot starts the Kamal at path, with what every Kamal of the run has in its
// environment.
func (r *ready) boot(ctx context.Context, path string) error {
	if r.job.Wanted.Pins != nil || len(r.job.Wanted.PinRefs) > 0 {
		// The preload looks for it when it is loaded. The keys come before the answer.
		if err := os.WriteFile(filepath.Join(r.bin, sshname.KnownHosts), nil, 0o600); err != nil {
			return err
		}
	}
	b := &boot{path: path, broker: r.broker, out: newHeld(), taken: make(chan struct{}), over: make(chan struct{})}
	b.err, b.screen = b.out, b.out
	if r.job.Apart {
		b.err = newHeld()
	}
	c := supervise.Command{
		Path: path, Args: r.job.Args, Dir: r.job.Project.Dir, Stdin: r.job.Stdin,
		Env:    append(r.env[:len(r.env):len(r.env)], kamal.EarlyVariable+"=1"),
		Stdout: b.out, Stderr: b.err, Signals: r.Signals, Reaper: r.Reaper,
	}
	if t := r.job.Terminal; t != nil {
		c.Terminal, c.StdoutApart, c.StderrApart, c.Take = t.File, !t.Stdout, !t.Stderr && r.job.Apart, b.taken
		if c.StdoutApart {
			b.screen = newHeld()
			c.Screen = b.screen
		}
	}
	stop := stopKamal(ctx, r.broker.Running)
	c.Stop = func(within context.Context, child *supervise.Process) error {
		if b.end() {
			return child.SignalGroup(syscall.SIGKILL)
		}
		return stop(within, child)
	}
	ctx, b.cancel = context.WithCancelCause(ctx)
	go func() {
		defer close(b.over)
		b.exit, b.failed = c.Run(ctx)
	}()
	r.booted = b
	return nil
}

// end says that the first command must not begin any more, and has the broker forget
// this Kamal. It is false where the command may have begun.
func (b *boot) end() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == booting {
		b.state = ended
		b.broker.Dismiss()
	}
	return b.state == ended
}

// loaded waits until Kamal's commands are loaded, and says which Kamal it is; or why
// it is not to be waited for.
func (b *boot) loaded(ctx context.Context) (found kamal.Binary, why string) {
	within, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	var arrival broker.Arrival
	select {
	case arrival = <-b.broker.Arrival():
	case <-b.over:
		select { // what it has said before it ended counts
		case arrival = <-b.broker.Arrival():
		default:
			return found, b.ending()
		}
	case <-within.Done():
		return found, fmt.Sprintf("its commands are not loaded after %s", bootTime)
	}
	if arrival.Apart != "" {
		return found, arrival.Apart + " before its commands are loaded"
	}
	return kamal.Binary{Path: b.path, Version: arrival.Version, Preload: true}, ""
}

// ending is how a boot has ended by itself, with its last line.
func (b *boot) ending() string {
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
func (b *boot) release(o broker.Options, out, err, screen *gate.Child) bool {
	b.mu.Lock()
	wanted := b.state != ended
	if wanted {
		b.state = running
	}
	b.mu.Unlock()
	if !wanted {
		return false
	}
	close(b.taken)
	b.out.release(out)
	b.err.release(err) // the first one counts, where they are one
	b.screen.release(screen)
	b.broker.Open(o)
	return true
}

// abandon ends a Kamal that is not wanted, and waits for its end.
func (b *boot) abandon() {
	b.end()
	b.out.release(nil)
	b.err.release(nil)
	b.screen.release(nil)
	b.cancel(errNotWanted)
	<-b.over
}

// wait waits for the end of a Kamal that was released, and for what it has printed.
func (b *boot) wait() (supervise.Exit, error) {
	<-b.over
	<-b.out.passed
	<-b.err.passed
	<-b.screen.passed
	b.cancel(nil)
	return b.exit, b.failed
}

// mostHeld is how much of a boot's output is kept; what is more waits in its pipe.
const mostHeld = 64 << 10

// held keeps a child's output until there is a way for it.
type held struct {
	mu     sync.Mutex
	given  *sync.Cond  // that there is a way
	free   bool        // there is one
	to     *gate.Child // nil drops what comes
	kept   []byte
	passed chan struct{} // closed when what was kept has gone its way
	failed error         // of that; not before passed is closed
}

func newHeld() *held {
	h := &held{passed: make(chan struct{})}
	h.given = sync.NewCond(&h.mu)
	return h
}

// release gives the way, or drops all where it is nil. The first one counts. It does
// not wait for who reads.
func (h *held) release(to *gate.Child) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.free {
		return
	}
	h.free, h.to = true, to
	kept := h.kept
	h.kept = nil
	h.given.Broadcast()
	if len(kept) == 0 || to == nil {
		close(h.passed)
		return
	}
	go func() {
		defer close(h.passed)
		_, h.failed = to.Write(kept)
	}()
}

// text is what is kept.
func (h *held) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.kept)
}

// Write takes the way, behind what was kept, or keeps what will.
func (h *held) Write(p []byte) (int, error) {
	h.mu.Lock()
	for !h.free && len(h.kept)+len(p) > mostHeld {
		h.given.Wait()
	}
	if !h.free {
		h.kept = append(h.kept, p...)
		h.mu.Unlock()
		return len(p), nil
	}
	to := h.to
	h.mu.Unlock()
	<-h.passed
	switch {
	case h.failed != nil:
		return 0, h.failed
	case to == nil:
		return len(p), nil
	}
	return to.Write(p)
}

// followBoot runs Kamal from its release to its end.
func (r *ready) followBoot(stream func(*gate.Stream) *gate.Child) (supervise.Exit, error) {
	b := r.booted
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

// closeStreams ends the ways of a child's output, which ended with err. A stream that
// has refused output refuses its end too.
func closeStreams(streams []*gate.Child, err error) error {
	var errs []error
	for _, stream := range streams {
		if closing := stream.Close(); !errors.As(err, new(*supervise.OutputError)) {
			errs = append(errs, closing)
		}
	}
	return errors.Join(errs...)
}
