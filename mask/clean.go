package mask

import (
	"encoding/binary"
	"math/bits"
)

// cleanMin and cleanMax are the lengths of the texts that are asked whether they
// are clean: lines.
const (
	cleanMin = 8
	cleanMax = 1 << 10
)

// clean reports whether text can be passed on as it is, and whatever follows it
// looked at by itself, if nothing before text bears on either. It is made for a
// line that holds nothing to mask, as almost all are, and may say no where more
// work would show that the answer is yes. It uses the room behind found.
func (s *set) clean(text []byte, found []match) bool {
	if len(text) < cleanMin || len(text) > cleanMax {
		return false
	}
	switch last := text[len(text)-1]; {
	case s.goesOn[last]:
		return false
	case !s.ansi:
	case last < ' ' && last != '\n':
		return false
	case controls(text[:len(text)-1]) && !s.apart(text):
		return false
	}
	for i := range s.passes {
		p := &s.passes[i]
		if p.shortest >= 8 && p.filter.look(&p.filter, text, len(text)-p.shortest, p.step, p.mask, multiplier) < 0 {
			continue
		}
		if len(p.scan(found[:0], text, s.patterns, true)) > 0 {
			return false
		}
	}
	return true
}

const (
	every = 0x0101010101010101 // every byte is 1
	highs = 0x80 * every
)

// controls reports whether text holds an ESC, a backspace or, so it may be,
// another byte below the space. It looks at all of text, and twice at some: to stop
// early is slower where there is none.
func controls(text []byte) bool {
	n := len(text)
	if n < 32 {
		for _, c := range text {
			if c < ' ' {
				return true
			}
		}
		return false
	}
	free := printed(text) & printed(text[n-32:])
	if n > 64 {
		free &= printed(text[n-64:])
		for text = text[32:]; len(text) > 64; text = text[64:] {
			free &= printed(text) & printed(text[32:])
		}
	}
	return free != highs
}

// printed has all of highs set if none of the first 32 bytes of text is a control
// character. To each byte so much is added that from the space on it has its high
// bit set, if it has not anyway. A carry from the byte below makes that of 0x1f.
func printed(text []byte) uint64 {
	const up = (0x80 - ' ') * every
	_ = text[31]
	a, b := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:])
	c, d := binary.LittleEndian.Uint64(text[16:]), binary.LittleEndian.Uint64(text[24:])
	return (a + up | a) & (b + up | b) & (c + up | c) & (d + up | d) & highs
}

// apart reports whether text holds no control characters that values are looked for
// through but whole CSI sequences, each of them between characters that are not
// next to each other in a value, and not at the end.
func (s *set) apart(text []byte) bool {
	n := len(text)
	end := 0             // of the sequence before
	before := byte('\n') // what stands before that, and those that it touches
	for base := 0; base < n; base += 64 {
		for found := controlBits(text, base); found != 0; found &= found - 1 {
			at := base + bits.TrailingZeros64(found)
			switch text[at] {
			case backspace:
				return false
			case esc:
			default:
				continue
			}
			if at != end {
				before = text[at-1]
			}
			if end = endOfCSI(text, at); end == 0 || end == n {
				return false
			}
			if s.pairs.has(uint32(before) | uint32(text[end])<<8) {
				return false
			}
		}
	}
	return true
}

// controlBits is a bit for each of the 64 bytes of text from base on: whether it
// is below the space.
func controlBits(text []byte, base int) (found uint64) {
	from := base
	switch {
	case len(text)-base >= 64:
	case len(text) >= 64:
		from = len(text) - 64 // look at some once more
	default:
		for i := base; i < len(text); i++ {
			if text[i] < ' ' {
				found |= 1 << (i - base)
			}
		}
		return found
	}
	t := text[from : from+64]
	found = belowBits(t) | belowBits(t[8:])<<8 | belowBits(t[16:])<<16 | belowBits(t[24:])<<24 |
		belowBits(t[32:])<<32 | belowBits(t[40:])<<40 | belowBits(t[48:])<<48 | belowBits(t[56:])<<56
	return found >> (base - from)
}

// belowBits is a bit for each of the first 8 bytes of text: whether it is below the
// space, having none of its three high bits set.
func belowBits(text []byte) uint64 {
	const gather = 0x0102040810204080 // brings the lowest bit of each byte to the top
	x := binary.LittleEndian.Uint64(text)
	return ^(x | x<<1 | x<<2) & highs >> 7 * gather >> 56
}
