//go:build !purego

package mask

import "golang.org/x/sys/cpu"

// gapsAVX2 goes through a text of n bytes, 64 at least and a page at most. It looks
// for a gap that may matter: one that is not a whole CSI sequence, of 16 parameters at
// most; or one, or several that touch, between two bytes of which one may stand before
// another in a value, if not in the same, and the other behind one. If there is such a
// gap whole is 0, if the end of text cuts one off it is where that begins, or the
// first of those that it touches, otherwise n. Before whole the last ESC is at last, or
// nowhere, which is -1. The byte before text is before.
//
//go:noescape
func gapsAVX2(text *byte, n int, kinds *[3][256]uint8, before byte) (last, whole int)

// hasFast reports whether the processor has what gapsAVX2 needs.
func hasFast() bool { return cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 }

// gapsAhead is how much of the next page gapsAVX2 asks for, if it has a whole page.
// What takes longer asks for more: so memory is never waited for, and never idle.
const gapsAhead = 1536

// gapsFast is gapsAVX2 for text[from:to]. Where there is none, or for a text that is too
// short, whole is 0.
func (s *set) gapsFast(text []byte, from, to int) (last, whole int) {
	if to-from < 64 || to-from > pageSize || !s.fast {
		return -1, 0
	}
	before := byte('\n')
	if from > 0 {
		before = text[from-1]
	}
	return gapsAVX2(&text[from], to-from, &s.kinds, before)
}
