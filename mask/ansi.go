package mask

import (
	"bytes"
	"slices"
)

// mark is what becomes of a byte of text in which values were found with escape
// sequences between their characters.
type mark uint8

const (
	plain  mark = iota // no part of a value
	masked             // part of a value
	kept               // of an escape sequence within a value: let out behind the token
)

// ansiBuffers are what a Writer keeps for texts with escape sequences.
type ansiBuffers struct {
	gaps   []gap
	shadow []byte  // the text without them, where they may matter
	places []int32 // of the bytes of shadow in the text
	found  []match // through gaps, by their places in the text
	raw    []match
	marks  []mark
}

// chunkANSI is chunk for a text that may hold escape sequences. What is seen
// without them was found already, and would be held from hold on.
func (w *Writer) chunkANSI(s *set, text []byte, hold int, final bool) (int, error) {
	b := &w.ansi
	b.gaps = gaps(b.gaps[:0], text, w.escape)
	b.found = b.found[:0]
	if h := w.throughGaps(s, text); !final {
		hold = min(hold, h)
	}
	through := len(b.found) > 0 || len(w.coveredMarks) > 0
	w.escape = stateAt(text, hold, w.escape, b.gaps)
	if !through {
		return hold, w.put(s, text, hold)
	}
	return hold, w.putMarks(s, text, hold)
}

// throughGaps notes what is found in text with gaps in it, and returns from where
// on text would be held back for it.
func (w *Writer) throughGaps(s *set, text []byte) (hold int) {
	b := &w.ansi
	hold = len(text)
	if s.longest < 2 {
		return hold // a single byte has no gaps
	}
	open := false // a stretch of text is in shadow, and goes on
	for k := 0; k < len(b.gaps); {
		// Gaps that follow one another are one.
		first := k
		broken := b.gaps[k].broken
		for k++; k < len(b.gaps) && b.gaps[k].start == b.gaps[k-1].end; k++ {
			broken = broken || b.gaps[k].broken
		}
		from, to := int(b.gaps[first].start), int(b.gaps[k-1].end)
		next := len(text)
		if k < len(b.gaps) {
			next = int(b.gaps[k].start)
		}
		through := !broken && from > 0 && (to == len(text) || s.pairs.has(uint32(text[from-1])|uint32(text[to])<<8))
		if !through {
			if open {
				w.closeShadow(s)
				open = false
			}
			continue
		}
		if !open {
			b.shadow, b.places = b.shadow[:0], b.places[:0]
			left := max(0, from-s.longest+1)
			if first > 0 {
				left = max(left, int(b.gaps[first-1].end))
			}
			if n := bytes.LastIndexAny(text[left:from], "\r\n"); n >= 0 {
				left += n + 1
			}
			w.addShadow(text, left, from)
			open = true
		}
		right := next
		if n := bytes.IndexAny(text[to:right], "\r\n"); n >= 0 {
			right = to + n
		}
		w.addShadow(text, to, right)
		if right < next {
			w.closeShadow(s)
			open = false
		}
	}
	if open {
		hold = w.pendingShadow(s, text)
		w.closeShadow(s)
	}
	return hold
}

func (w *Writer) addShadow(text []byte, from, to int) {
	b := &w.ansi
	b.shadow = append(b.shadow, text[from:to]...)
	for i := from; i < to; i++ {
		b.places = append(b.places, int32(i))
	}
}

// closeShadow notes what is in shadow and has a gap in it.
func (w *Writer) closeShadow(s *set) {
	b := &w.ansi
	b.raw = s.find(b.raw[:0], b.shadow, false) // each must be in reach by itself
	for _, f := range b.raw {
		m := match{int(b.places[f.start]), int(b.places[f.end-1]) + 1}
		if length := m.end - m.start; length > f.end-f.start && length <= s.reach {
			b.found = append(b.found, m)
		}
	}
}

// pendingShadow is pending for the text in shadow, in places of the text.
func (w *Writer) pendingShadow(s *set, text []byte) int {
	b := &w.ansi
	from, _ := slices.BinarySearch(b.places, int32(len(text)-s.reach+1))
	i := s.pending(b.shadow, from)
	if i == len(b.shadow) {
		return len(text)
	}
	return int(b.places[i])
}

// putMarks is put for a text with values in it that go through gaps: they are
// masked, but the escape sequences in them stay, behind the token, so that a
// colour that begins or ends in a value goes on to do so.
func (w *Writer) putMarks(s *set, text []byte, hold int) error {
	marks, covered := w.mark(text, hold)
	out := w.outBuf[:0]
	for i, c := range text[:hold] {
		switch marks[i] {
		case plain:
			out = append(out, c)
			w.inRun = false
		case kept:
			out = append(out, c)
		case masked:
			if !w.inRun {
				out = append(out, s.token...)
			}
			w.inRun = true
		}
	}
	w.covered = max(0, covered-hold)
	w.coveredMarks = w.coveredMarks[:0]
	if rest := marks[hold : hold+w.covered]; slices.Contains(rest, kept) {
		w.coveredMarks = append(w.coveredMarks, rest...)
	}
	w.outBuf = out
	return w.emit(out)
}

// mark says of each byte of text what becomes of it, and up to where values reach
// that begin before hold.
func (w *Writer) mark(text []byte, hold int) (marks []mark, covered int) {
	b := &w.ansi
	b.marks = slices.Grow(b.marks[:0], len(text))[:len(text)]
	marks = b.marks
	clear(marks)
	covered = w.covered
	if len(w.coveredMarks) > 0 {
		copy(marks, w.coveredMarks)
	} else {
		fill(marks[:covered], masked)
	}
	gaps := b.gaps // those that end behind the beginning of f; b.found is in order
	for _, f := range b.found {
		if f.start >= hold {
			continue
		}
		for len(gaps) > 0 && int(gaps[0].end) <= f.start {
			gaps = gaps[1:]
		}
		i := f.start
		for _, g := range gaps {
			start, end := int(g.start), int(g.end)
			if start >= f.end {
				break
			}
			if end <= f.start || g.struck {
				continue
			}
			raise(marks[i:start], masked)
			raise(marks[start:end], kept)
			i = end
		}
		raise(marks[i:f.end], masked)
		covered = max(covered, f.end)
	}
	for _, f := range w.found {
		if f.start < hold {
			fill(marks[f.start:f.end], masked)
			covered = max(covered, f.end)
		}
	}
	return marks, covered
}

func fill(marks []mark, m mark) {
	for i := range marks {
		marks[i] = m
	}
}

// raise is fill for those that are plain.
func raise(marks []mark, m mark) {
	for i := range marks {
		if marks[i] == plain {
			marks[i] = m
		}
	}
}
