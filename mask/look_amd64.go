//go:build !purego

package mask

import "golang.org/x/sys/cpu"

// lookBMI2 is look for any table: a word of it is at the upper bits of a hash,
// shifted by so much. All 8 bytes from i to last must be in text. It asks for the
// next page of text while it looks at this.
//
//go:noescape
func lookBMI2(text *byte, i, last, step int, mask, multiplier uint64, table *uint64, shift uint64) (at int)

// look is the first place from i up to last, in steps, at which text has a gram of
// this pass, or seems to; a place behind last if there is none.
func (p *pass) look(text []byte, i, last int) int {
	if last-i >= farLook && cpu.X86.HasBMI2 && last+8 <= len(text) {
		return lookBMI2(&text[0], i, last, p.step, p.mask, multiplier, &p.filter.table[0], uint64(p.filter.shift))
	}
	return p.filter.look(&p.filter, text, i, last, p.step, p.mask, multiplier)
}

// farLook is how many bytes are worth a call of assembly.
const farLook = 512
