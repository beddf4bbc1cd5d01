//go:build !purego

package mask

import "golang.org/x/sys/cpu"

// gapsAVX2 goes through a text of n bytes, 64 at least and a page at most, with before
// in front of it. It looks for a gap that may matter: one that is not a whole CSI
// sequence, of 16 bytes of parameters at most; or one, or several that touch, between
// two bytes of which the one may have another behind it in a value, and the other one
// before it. If there is none whole is n, and the last ESC is at last, or nowhere,
// which is -1. If only the end of text may have cut one off, or is right behind it,
// whole is where that begins, or the first of those that it touches. If whole is 0
// nothing is known.
//
//go:noescape
func gapsAVX2(text *byte, n int, kinds *[3][256]uint8, before byte) (last, whole int)

// hasFast reports whether the processor has what gapsAVX2 needs.
func hasFast() bool { return cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 }

// gapsAhead is how much of the next page gapsAVX2 asks for, if it has a whole page: 48
// bytes with 128. What takes longer asks for more, so that memory is not waited for.
const gapsAhead = 48 * pageSize / 128

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
