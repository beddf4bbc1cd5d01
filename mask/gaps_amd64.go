//go:build !purego

package mask

import "golang.org/x/sys/cpu"

// gapsAVX2 goes through a text of n bytes, 64 at least. It looks for a gap that may
// matter: one that is not a whole CSI sequence; or one, or several that touch, between
// two bytes that are both in some value, if not in the same. None of those that begin before whole
// does; the last ESC is at last, or nowhere, which is -1. If there is a gap that may
// matter whole is 0, if the end of text cuts one off it is the beginning of a word
// before that, otherwise n. after is whether the byte before text is one that is in
// some value. For each lower half of a byte below 0x80, inValues has a bit for each
// upper half.
//
//go:noescape
func gapsAVX2(text *byte, n int, inValues *[16]uint8, after bool) (last, whole int)

// hasFast reports whether the processor has what gapsAVX2 needs.
func hasFast() bool { return cpu.X86.HasAVX2 && cpu.X86.HasBMI2 }

// gapsFast is gapsAVX2. Without it, or for a short text, it returns 0.
func (s *set) gapsFast(text []byte, after bool) (last, whole int) {
	if len(text) < 64 || !s.fast {
		return -1, 0
	}
	return gapsAVX2(&text[0], len(text), &s.inValues, after)
}
