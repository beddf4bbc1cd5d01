// Package problem is how kamal-op says what went wrong: a message that starts
// with what is wrong, details beneath it, a hint with the next step, and the
// place in the user's files where there is one. Problems of a kind are reported
// together, and each knows the exit status that the run ends with.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// The exit statuses of kamal-op. Where Kamal itself failed, Kamal's own status
// is passed on; a signal that ended the run gives 128 plus its number.
const (
	Done        = 0   // all was done
	Usage       = 2   // wrong usage: options, inputs, the shape of a token or a reference
	Found       = 3   // a problem found before anything was changed, whoever found it
	Refused     = 4   // 1Password refused, or could not be reached
	TimedOut    = 5   // time ran out: of the run, or of the wait for a lock
	Partial     = 6   // done in part: a removal, a sweep
	Changes     = 7   // `kamal-op plan --exit-code`: a deploy would change something
	RunOwn      = 125 // `kamal-op run`: a problem of ours; the child was not started
	RunNotExec  = 126 // `kamal-op run`: the command was found but cannot be executed
	RunNotFound = 127 // `kamal-op run`: the command was not found
	Interrupted = 130 // cancelled by SIGINT
	Terminated  = 143 // cancelled by SIGTERM
)

// A Place is where in the user's files a problem is. Line and Column count from
// 1; 0 is unknown.
type Place struct {
	File         string
	Line, Column int
}

// String is the place as compilers write it, file:line:column, as far as known.
func (p Place) String() string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Problem is one thing that is wrong. None of its texts may hold a secret's
// value: they are shown as they are.
type Problem struct {
	Message string   // what is wrong, first the name; one line, no full stop
	Details []string // what is there instead, a line each
	Hint    string   // the next step
	Place   Place    // where, if it is in a file of the user's
	Status  int      // the exit status; 0 is taken as Found
	Cause   error    // for errors.Is and errors.As; never printed
	Help    Help     // where more is written of it; "" is the place of its status
}

// New is a problem found before anything was changed.
func New(message, hint string) *Problem {
	return &Problem{Message: message, Hint: hint, Status: Found}
}

// Newf is New with a formatted message and no hint.
func Newf(format string, args ...any) *Problem {
	return &Problem{Message: fmt.Sprintf(format, args...), Status: Found}
}

// Usagef is a problem of usage: the caller can mend it by calling differently.
func Usagef(hint, format string, args ...any) *Problem {
	return &Problem{Message: fmt.Sprintf(format, args...), Hint: hint, Status: Usage}
}

// Error is the message with its place.
func (p *Problem) Error() string {
	if at := p.Place.String(); at != "" {
		return at + ": " + p.Message
	}
	return p.Message
}

// Unwrap is the cause, if there is one.
func (p *Problem) Unwrap() error { return p.Cause }

// At sets the place and returns the problem.
func (p *Problem) At(file string, line, column int) *Problem {
	p.Place = Place{File: file, Line: line, Column: column}
	return p
}

// A List is several problems, in the order in which they are to be told.
type List []*Problem

// Err is the list as an error, or nil where it is empty.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Error is every message, a line each.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As see each problem.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, p := range l {
		errs[i] = p
	}
	return errs
}

// Of is every problem that err holds, in order. An error that is no problem
// becomes one, with its text as the message. Of several errors that are joined,
// each counts.
func Of(err error) List {
	switch e := err.(type) { //nolint:errorlint // the tree is walked here, a level at a time
	case nil:
		return nil
	case List:
		return e
	case *Problem:
		return List{e}
	case interface{ Unwrap() []error }:
		var list List
		for _, inner := range e.Unwrap() {
			list = append(list, Of(inner)...)
		}
		return list
	}
	var list List
	if errors.As(err, &list) {
		return list
	}
	var p *Problem
	if errors.As(err, &p) {
		return List{p}
	}
	return List{{Message: err.Error(), Status: Found, Cause: err}}
}

// Status is the exit status of err: that of its gravest problem, where wrong
// usage counts before a refusal of 1Password, and that before all others.
func Status(err error) int {
	status := Done
	for _, p := range Of(err) {
		s := p.Status
		if s == 0 {
			s = Found
		}
		switch {
		case status == Done, s == Usage, s == Refused && status != Usage:
			status = s
		}
	}
	return status
}
