package mask

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
	g := gapSearch{end: from, run: from, before: '\n'}
	struck := index(text, from, backspace)
	// The next ESC is looked for right behind the last, not behind its sequence: so
	// the processor need not know where that ends to go on.
	for at := index(text[:struck], from, esc); at < struck; at = index(text[:struck], at+1, esc) {
		if at != g.end {
			g.run, g.before = at, text[at-1]
		}
		end := endOfCSI(text, at)
		if end == 0 || end == len(text) || s.pairs.has(uint32(g.before)|uint32(text[end])<<8) {
			g.found, g.at = true, at
			return g
		}
		g.end = end
	}
	g.found, g.at = struck < len(text), struck
	return g
}
