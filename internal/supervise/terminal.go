package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"unsafe"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// What a terminal makes something of when it is typed.
const (
	interrupt  = 3 // Ctrl-C: SIGINT to the foreground group
	endOfInput = 4 // Ctrl-D, at the beginning of a line: the end of input
)

// A terminal is a pty for the child between it and our own terminal.
type terminal struct {
	ours     *os.File
	master   *os.File // our end of the pty; reads and writes end when it is closed
	childEnd *os.File
	take     <-chan struct{} // closed when ours may be taken; nil: at once

	mu   sync.Mutex
	over bool        // ours is not to be taken any more
	raw  *term.State // ours before it became raw; nil where it did not
	done chan struct{}

	interrupts chan os.Signal // Ctrl-C goes here and not to the child; nil: to the child

	wake    *os.File // closed to end the input
	waking  *os.File
	signals chan os.Signal
	running sync.WaitGroup
	once    sync.Once
}

// openTerminal makes a pty of our terminal's size and makes ours raw: what is
// typed, Ctrl-C too, is the child's. With take that is only so once it is closed.
func openTerminal(ours *os.File, take <-chan struct{}) (*terminal, error) {
	if !term.IsTerminal(int(ours.Fd())) {
		return nil, fmt.Errorf("%s is no terminal", ours.Name())
	}
	first, childEnd, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("opening a pty: %w", err)
	}
	master, err := pollable(first)
	if err != nil {
		_ = childEnd.Close() // unused
		return nil, fmt.Errorf("opening a pty: %w", err)
	}
	t := &terminal{ours: ours, take: take, master: master, childEnd: childEnd, signals: make(chan os.Signal, 8), done: make(chan struct{})}
	t.resize()
	if take != nil {
		return t, nil
	}
	if t.raw, err = term.MakeRaw(int(ours.Fd())); err != nil {
		_ = childEnd.Close()
		_ = master.Close()
		return nil, fmt.Errorf("making the terminal raw: %w", err)
	}
	return t, nil
}

// pollable is a file whose reads and writes end when it is closed. The pty
// package asks for the descriptor, which makes a file block for good.
func pollable(f *os.File) (*os.File, error) {
	defer func() { _ = f.Close() }() // the copy remains
	syscall.ForkLock.RLock()
	fd, err := syscall.Dup(int(f.Fd()))
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// start passes on what is typed, and what happens to our terminal, as soon as it may.
func (t *terminal) start() {
	if t.take == nil {
		t.follow()
		return
	}
	t.running.Add(1)
	go func() {
		defer t.running.Done()
		select {
		case <-t.done:
			return
		case <-t.take:
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.over {
			return
		}
		var err error
		if t.raw, err = term.MakeRaw(int(t.ours.Fd())); err != nil {
			return // it is gone; the child runs without input
		}
		t.follow()
	}()
}

// follow passes on what is typed, and what happens to our terminal.
func (t *terminal) follow() {
	signal.Notify(t.signals, syscall.SIGWINCH, syscall.SIGCONT, syscall.SIGTSTP)
	t.running.Add(1)
	go func() {
		defer t.running.Done()
		for sig := range t.signals {
			t.handle(sig)
		}
	}()
	t.resize() // it may have changed before we listened
	var err error
	if t.waking, t.wake, err = os.Pipe(); err != nil {
		return // no file is left to wait on; the child runs without input
	}
	t.running.Add(1)
	go func() {
		defer t.running.Done()
		t.input()
	}()
}

// handle does what a signal about our terminal asks for.
func (t *terminal) handle(sig os.Signal) {
	switch sig {
	case syscall.SIGWINCH:
		t.resize()
	case syscall.SIGTSTP:
		// Not typed, that goes to the child, but sent: whoever sent it shall
		// find the terminal as it was. SIGSTOP takes effect here and now.
		_ = term.Restore(int(t.ours.Fd()), t.raw)
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP) // nobody may refuse it to us
	case syscall.SIGCONT:
		// A shell has had the terminal meanwhile and left it its own way.
		_, _ = term.MakeRaw(int(t.ours.Fd()))
		t.resize()
	}
}

// resize gives the pty the size of our terminal.
func (t *terminal) resize() {
	size, err := pty.GetsizeFull(t.ours)
	if err != nil {
		return
	}
	conn, err := t.master.SyscallConn()
	if err != nil {
		return
	}
	// A pty that is closed has no size; one that keeps its old size still works.
	_ = conn.Control(func(fd uintptr) {
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(size))) //nolint:gosec // as ioctl wants it
	})
}

// input passes on what is typed until the terminal or the run ends. It reads
// only when something is there: a read that waits could not be ended, and would
// take the first key of whoever has the terminal next.
func (t *terminal) input() {
	piece := make([]byte, 4<<10)
	for awaitInput(int(t.ours.Fd()), int(t.waking.Fd())) {
		n, err := t.ours.Read(piece)
		if n > 0 {
			if _, err := t.master.Write(t.withoutInterrupts(piece[:n])); err != nil {
				return
			}
		}
		if err != nil {
			_, _ = t.master.Write([]byte{endOfInput}) // a child that has ended needs none
			return
		}
	}
}

// withoutInterrupts takes each Ctrl-C out of what was typed and reports it,
// unless the child reads keys as they are, as an editor or a remote shell does.
func (t *terminal) withoutInterrupts(typed []byte) []byte {
	if t.interrupts == nil || bytes.IndexByte(typed, interrupt) < 0 || !t.makesSignals() {
		return typed
	}
	rest := make([]byte, 0, len(typed))
	for _, key := range typed {
		if key != interrupt {
			rest = append(rest, key)
			continue
		}
		select {
		case t.interrupts <- syscall.SIGINT:
		default: // enough of them are waiting
		}
	}
	return rest
}

// makesSignals reports whether the child's terminal would make a signal of Ctrl-C.
func (t *terminal) makesSignals() bool {
	conn, err := t.master.SyscallConn()
	if err != nil {
		return false
	}
	var modes syscall.Termios
	var errno syscall.Errno
	err = conn.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, getModes, uintptr(unsafe.Pointer(&modes))) //nolint:gosec // as ioctl wants it
	})
	return err == nil && errno == 0 && modes.Lflag&syscall.ISIG != 0
}

// close ends the input and restores our terminal. It may be called again.
func (t *terminal) close() {
	t.once.Do(func() {
		t.mu.Lock()
		t.over = true
		t.mu.Unlock()
		close(t.done)
		signal.Stop(t.signals)
		close(t.signals)
		if t.wake != nil {
			_ = t.wake.Close()
		}
		_ = t.master.Close() // ends a write of input that the child did not take
		t.running.Wait()
		if t.waking != nil {
			_ = t.waking.Close()
		}
		if t.raw != nil {
			_ = term.Restore(int(t.ours.Fd()), t.raw) // a terminal that is gone has no state
		}
	})
}

// awaitInput returns when a terminal has input, and is false when the other
// file was closed.
func awaitInput(terminal, wake int) bool {
	const bits = 8 * int(unsafe.Sizeof(syscall.FdSet{}.Bits[0]))
	if most := bits * len(syscall.FdSet{}.Bits); terminal >= most || wake >= most {
		return true // it cannot be waited for: the read waits
	}
	for {
		var set syscall.FdSet
		set.Bits[terminal/bits] |= 1 << (terminal % bits)
		set.Bits[wake/bits] |= 1 << (wake % bits)
		err := selectRead(max(terminal, wake)+1, &set)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		return err == nil && set.Bits[wake/bits]&(1<<(wake%bits)) == 0
	}
}
