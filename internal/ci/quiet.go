package ci

import (
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Quiet is a system that shows only warnings and errors: no other lines of ours, no
// groups, no status line and, where nowhere is a stream for it, no output of children.
// Masks, outputs and the page go on.
func Quiet(s System, nowhere *gate.Stream) System { return quietSystem{s, nowhere} }

type quietSystem struct {
	System
	nowhere *gate.Stream
}

// Child drops the output of a child. It is followed all the same: an error shows its last
// lines.
func (h quietSystem) Child(w *gate.Stream, o gate.ChildOptions) *gate.Child {
	if h.nowhere != nil {
		return h.nowhere.Child(h.nowhere, o)
	}
	return h.System.Child(w, o)
}

func (quietSystem) Group(string)            {}
func (quietSystem) EndGroup()               {}
func (quietSystem) KeepOpen()               {}
func (quietSystem) Info(string)             {}
func (quietSystem) Notice(*problem.Problem) {}
func (quietSystem) Status(string)           {}
