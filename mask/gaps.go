package mask

import "bytes"

// A gapSearch tells whether a text can be looked at as if escape sequences were
// nothing but text: all that may begin a gap are whole CSI sequences, each between
// characters that are not next to each other in a value. Almost always it is so; the
// search may say no where more work would show that it is so.
type gapSearch struct {
	found  bool // a gap that may matter
	at     int  // where the first of them begins, or one that it touches
	end    int  // of the last sequence before that; where the search began if there is none
	run    int  // where that begins, or the first of those that it touches
	before byte // what stands before that
}

// searchGaps looks at text from a place on that is the beginning of a line, of what
// cannot be part of a value begun before, or right behind a sequence.
func (s *set) searchGaps(text []byte, from int) gapSearch {
	end, run, before := from, from, byte('\n')
	struck := index(text, from, backspace)
	// The next ESC is looked for right behind the last, not behind its sequence: so
	// the processor need not know where that ends to go on.
	for at := from; ; at++ {
		n := bytes.IndexByte(text[at:struck], esc)
		if n < 0 {
			return gapSearch{struck < len(text), struck, end, run, before}
		}
		if at += n; at != end {
			run, before = at, text[at-1]
		}
		next := endOfCSI(text, at)
		if next == 0 || next == len(text) || s.pairs.has(uint32(before)|uint32(text[next])<<8) {
			return gapSearch{true, at, end, run, before}
		}
		end = next
	}
}
