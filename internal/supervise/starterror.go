package supervise

import (
	"errors"
	"fmt"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// A StartError is a child that could not be started: Err is
// environ.ErrNotFound, environ.ErrNotExecutable, or whatever else the system said.
type StartError struct {
	Path string // as it was asked for
	Err  error
}

// Error is the program and what is wrong with it.
func (e *StartError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap is what is wrong.
func (e *StartError) Unwrap() error { return e.Err }

// Status is what a shell ends with: 127 for a command that is not there, 126
// for one that cannot be executed or started.
func (e *StartError) Status() int {
	if errors.Is(e.Err, environ.ErrNotFound) {
		return 127
	}
	return 126
}

// An OutputError is output of the child that could not be passed on: the first
// error of that stream's writer.
type OutputError struct {
	Stream string // "standard output", "standard error", "the terminal"
	Err    error
}

// Error is the stream and what its writer said.
func (e *OutputError) Error() string { return fmt.Sprintf("writing %s: %v", e.Stream, e.Err) }

// Unwrap is what the writer said.
func (e *OutputError) Unwrap() error { return e.Err }
