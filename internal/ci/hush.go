package ci

import (
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Hush is a system that is told only what may be wrong and what is: no lines of ours, no
// groups, no status line, and no output of children that have a log of ours, where
// nowhere is a stream for it. Masks, outputs and the page go on.
func Hush(s System, nowhere *gate.Stream) System { return hushed{s, nowhere} }

type hushed struct {
	System
	nowhere *gate.Stream
}

// Child takes the output of a child, which is followed all the same: its last words are
// told where it fails.
func (h hushed) Child(w *gate.Stream, o gate.ChildOptions) *gate.Child {
	if h.nowhere != nil {
		return h.nowhere.Child(h.nowhere, o)
	}
	return h.System.Child(w, o)
}

func (hushed) Group(string)            {}
func (hushed) EndGroup()               {}
func (hushed) KeepOpen()               {}
func (hushed) Info(string)             {}
func (hushed) Notice(*problem.Problem) {}
func (hushed) Status(string)           {}
