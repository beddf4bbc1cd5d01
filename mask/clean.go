package mask

// cleanMin and cleanMax are the lengths of the texts that are asked whether they
// are clean: lines, and what is printed of lines.
const (
	cleanMin = 8
	cleanMax = 1 << 10
)

// clean reports whether text can be passed on as it is up to hold, the rest to be
// held back, and the escape there. It is made for a text that holds nothing to mask,
// as almost all do, and may say no where more work would show that the answer is yes.
// Nothing of what is before text may be covered.
func (w *Writer) clean(s *set, text []byte) (hold int, at escape, yes bool) {
	if len(text) < cleanMin || len(text) > cleanMax {
		return 0, at, false
	}
	hold = s.pending(text, 0)
	if at, yes = w.escapeAt(s, text, hold); !yes {
		return 0, at, false
	}
	for i := range s.passes {
		// Almost no line has a gram: a scan is for those that do.
		p := &s.passes[i]
		last := len(text) - p.shortest
		if p.shortest >= 8 && p.filter.look(&p.filter, text, p.first(len(text)), last, p.step, p.multiplier) > last {
			continue
		}
		if found := p.scan(w.found[:0], text, s.patterns, true); len(found) > 0 {
			return 0, at, false
		}
	}
	return hold, at, true
}

// escapeAt is the escape before text[hold], if text can be looked at as if escape
// sequences were nothing but text.
func (w *Writer) escapeAt(s *set, text []byte, hold int) (at escape, yes bool) {
	from, before := 0, w.escape // where the search begins, and the escape there
	if before.mode != ground {
		// No value goes through the sequence that text begins in: its beginning would
		// be held.
		if before.mode != afterESC && before.mode != inCSI {
			return at, false
		}
		if from, yes = before.through(text); !yes || hold < from {
			return at, false
		}
		if from == len(text) {
			return before, true
		}
	}
	gaps := s.searchGaps(text, from)
	if !gaps.found {
		if gaps.end >= hold && gaps.end > from {
			return at, false
		}
		if hold == from {
			return before, true
		}
		return escape{last: int16(text[hold-1]) + 1}, true
	}
	// A sequence that text ends in, or with, where no value is that could go through.
	if text[gaps.at] != esc || hold < gaps.at || s.goesOn[gaps.before] {
		return at, false
	}
	at = before
	if gaps.run > from {
		at = escape{last: int16(text[gaps.run-1]) + 1}
	}
	inside := at
	if n, whole := inside.through(text[gaps.at:]); !whole || gaps.at+n < len(text) || inside.mode > inCSI {
		return at, false
	}
	at.through(text[gaps.at:hold])
	return at, true
}
