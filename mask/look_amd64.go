//go:build !purego

package mask

import "golang.org/x/sys/cpu"

// lookBMI2 is look for any table: a word of it is at the upper bits of a hash,
// shifted by so much. All 8 bytes from i to last must be in text. At every fourth look
// it asks for what is at ahead, which then goes on by stride.
//
//go:noescape
func lookBMI2(text *byte, i, last, step int, multiplier uint64, table *uint64, shift uint64, ahead, stride int) (at int)

// look is the first place from i up to last, in steps, at which text has a gram of
// this pass, or seems to; a place behind last if there is none. If what gapsFast asked
// for is there it asks for the rest of the next page.
func (p *pass) look(text []byte, i, last int, shared bool) int {
	if last-i < farLook || !cpu.X86.HasBMI2 || last+8 > len(text) {
		return p.filter.look(&p.filter, text, i, last, p.step, p.multiplier)
	}
	ahead, stride := i+pageSize, 4*p.step
	if shared {
		// The looks at a page go from there to the end of the next.
		const share, of = pageSize - gapsAhead, pageSize
		ahead = i - i%pageSize + pageSize + gapsAhead + i%pageSize*share/of
		stride = stride * share / of
	}
	return lookBMI2(&text[0], i, last, p.step, p.multiplier, &p.filter.table[0], uint64(p.filter.shift), ahead, stride)
}

// farLook is how many bytes are worth a call of assembly.
const farLook = 512
