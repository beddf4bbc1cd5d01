package supervise

import (
	"fmt"
	"syscall"
)

// A Stage is how far an orderly stop had to go.
type Stage int

// The stages, in their order.
const (
	Unstopped  Stage = iota // the child ended by itself
	Asked                   // it was asked, by Command.Stop or its first signal, and came down
	Terminated              // it had to get SIGTERM
	Killed                  // it had to be killed
)

// String is the stage as a word.
func (s Stage) String() string {
	switch s {
	case Asked:
		return "asked"
	case Terminated:
		return "terminated"
	case Killed:
		return "killed"
	}
	return "unstopped"
}

// An Exit is how a child ended: with an exit code, or by a signal (Code is then
// -1). Stage is how far we had to go to end it; Typed says that a Ctrl-C began
// that, typed where the child has a terminal and the command a Stop function.
type Exit struct {
	Code   int
	Signal syscall.Signal
	Stage  Stage
	Typed  bool
}

// Status is the exit status as a shell gives it: the code, or 128 and the
// signal's number.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// String is for people: "exit status 3", "killed".
func (e Exit) String() string {
	if e.Signal != 0 {
		return "ended by signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Signalled is the cause of a context that a signal ended. Run passes that very
// signal on to a child without a Stop function.
type Signalled struct{ Signal syscall.Signal } //nolint:errname // a signal first, an error as a cause

// Error is the signal's name.
func (s Signalled) Error() string { return "got signal: " + s.Signal.String() }

// Status is 128 and the signal's number, as a shell has it.
func (s Signalled) Status() int { return 128 + int(s.Signal) }
