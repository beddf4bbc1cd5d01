package supervise

import (
	"context"
	"io"
	"os"
	"time"
)

// The times of an orderly stop, for fields that are left 0.
const (
	defaultGrace     = 3 * time.Second
	defaultTermGrace = time.Second
	defaultWaitDelay = time.Second
	// Short: nobody waits for the work of what outlives the child.
	defaultLeftoverGrace = 250 * time.Millisecond
)

// A Command is one child process: what to run, and what it is given.
type Command struct {
	// Path is the program. A name without a slash is looked for in the PATH of
	// Env; a relative path is taken from Dir.
	Path string
	// Args are its arguments, without the program's name.
	Args []string
	// Env is its whole environment: nothing is inherited. Of two entries for
	// one name the later counts.
	Env []string
	// Dir is its working directory; "" is ours.
	Dir string

	// Stdin is handed to the child as it is; nil is the null device. It is not
	// used where Terminal is set.
	Stdin *os.File
	// Stdout and Stderr get what the child writes, as it comes, in pieces of up
	// to 64 KiB; nil discards. One and the same writer for both is one pipe, so
	// that the order of the two streams is kept; two writers are two pipes, and
	// are then written to from two goroutines. An *os.File goes to the child
	// as it is, and nothing of ours sees what is written to it.
	Stdout, Stderr io.Writer

	// Terminal, if set, is our terminal, usually standard input: the child gets
	// a pty of the same size as its controlling terminal and foreground group,
	// as standard input, output and error. Ours is in raw mode meanwhile and
	// is restored however Run ends. What comes out of the pty goes to Stdout,
	// or to Stderr where only that is not apart.
	Terminal *os.File
	// Take, if set, is closed when the child may have our terminal. Until then ours
	// is left as it is, with what is typed there; the child has its pty all the same.
	Take <-chan struct{}
	// StdoutApart and StderrApart keep that stream a pipe beside the pty,
	// because ours is redirected and a program may behave differently then.
	StdoutApart, StderrApart bool
	// Screen, if set, gets what comes out of the pty in their place. Where both
	// streams are apart it is all that shows the echo of what is typed.
	Screen io.Writer

	// Stop, if set, asks the child to end in its own way when the run is to
	// end, in place of a signal. It is called once, with a context that ends
	// with Grace. An error skips what is left of Grace.
	Stop func(ctx context.Context, child *Process) error
	// Grace, TermGrace and WaitDelay are the times of the stages: after Stop or
	// the first signal; after SIGTERM; and, the child gone, for output that
	// somebody else still holds open. 0 is the default of each.
	Grace, TermGrace, WaitDelay time.Duration
	// leftoverGrace is what processes that outlive the child have between SIGTERM and
	// SIGKILL; 0 is the default.
	leftoverGrace time.Duration

	// Signals, if set, brings signals of ours while the child runs: those that
	// mean an end begin the orderly stop or hasten it, all others are passed
	// on to the child's group.
	Signals <-chan os.Signal
	// Started, if set, is called when the child runs, before anything of its
	// output is passed on.
	Started func(child *Process)
	// Reaper must be given where one is at work, or it could take the child's
	// exit status. What the child leaves outside its session, and so to us (a
	// daemon), is then ended with it.
	Reaper *Reaper
}
