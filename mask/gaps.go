package mask

// pageSize is how much of a text is looked at at once.
const pageSize = 4 << 10

// A gapSearch goes through a text page by page, and tells whether it can be looked
// at as if escape sequences were nothing but text: all that may begin a gap are whole
// CSI sequences, each between characters that are not next to each other in a value.
// Almost always it is so; the search may say no where more work would show that it
// is so.
type gapSearch struct {
	found  bool // a gap that may matter
	at     int  // where the first of them begins, or one that it touches
	last   int  // where the last ESC is that gapsFast saw; -1 for nowhere
	end    int  // of the last sequence that page saw; zero if it saw none
	run    int  // where that begins, or the first of those that it touches
	before byte // what stands before that
}

// newGapSearch begins a text, at the beginning of a line or of what cannot be part of
// a value begun before.
func newGapSearch() gapSearch { return gapSearch{last: -1, before: '\n'} }

// page goes on with text[from:to], one page at most, or with a beginning of it, and
// returns the end of that.
func (g *gapSearch) page(s *set, text []byte, from, to int) int {
	if g.found {
		return to
	}
	if from == 0 || g.end < from {
		last, whole := s.gapsFast(text, from, to)
		if last >= 0 {
			g.last = from + last
		}
		if whole > 0 {
			return from + whole
		}
	}
	g.pageEach(s, text, from, to)
	return to
}

// pageEach is page, one gap after the other.
func (g *gapSearch) pageEach(s *set, text []byte, from, to int) {
	struck := index(text[:to], from, backspace)
	page := text[:struck]
	end := g.end
	// The next ESC is looked for right behind the last, not behind its sequence: so
	// the processor need not know where that ends to go on.
	for at := index(page, from, esc); at < struck; at = index(page, at+1, esc) {
		if at != end {
			g.run, g.before = at, text[at-1]
		}
		end = endOfCSI(text, at)
		if end == 0 || end == len(text) || s.pairs.has(uint32(g.before)|uint32(text[end])<<8) {
			g.found, g.at = true, at
			return
		}
	}
	g.end = end
	g.found, g.at = struck < to, struck
}

// lastEnd is where the last sequence ends; zero if there is none.
func (g *gapSearch) lastEnd(text []byte) int {
	if g.last < g.end || g.last < 0 {
		return g.end
	}
	return endOfCSI(text, g.last)
}
