package mask

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// set is what the streams of a Masker look for, built once for many Writes. It
// does not change.
//
// No pattern holds a CR or LF (see expand), so a line end is a border that no
// occurrence crosses. The hold-back and the search through escape sequences both
// stop there.
type set struct {
	token    string
	patterns []string // sorted
	passes   []pass
	longest  int
	starts   starts
	goesOn   [256]bool // the bytes that another follows in a pattern
	pairs    bitmap    // the pairs of bytes next to each other in a pattern, low byte first
	reach    int       // the longest stretch with escape sequences in it that is one occurrence
}

// match is an occurrence of a pattern, or of several that overlap.
type match struct{ start, end int }

// byPlace sorts matches by start, then the longest first.
func byPlace(a, b match) int {
	if c := cmp.Compare(a.start, b.start); c != 0 {
		return c
	}
	return cmp.Compare(b.end, a.end)
}

func newSet(patterns map[string]bool, token string) *set {
	s := &set{token: token, patterns: make([]string, 0, len(patterns))}
	for p := range patterns {
		s.patterns = append(s.patterns, p)
		s.longest = max(s.longest, len(p))
	}
	slices.Sort(s.patterns)
	s.passes = plan(s.patterns)
	s.starts = newStarts(s.patterns)
	s.pairs = newBitmap(1 << 16)
	for _, p := range s.patterns {
		for i := 1; i < len(p); i++ {
			s.goesOn[p[i-1]] = true
			s.pairs.set(uint32(p[i-1]) | uint32(p[i])<<8)
		}
	}
	s.reach = 8*s.longest + 4096
	return s
}

// find puts into found, which is empty, every occurrence of every pattern in text,
// in order of byPlace. With join, some of those that overlap are one match.
func (s *set) find(found []match, text []byte, join bool) []match {
	for i := range s.passes {
		found = s.passes[i].scan(found, text, s.patterns, join)
	}
	if len(found) > 1 {
		slices.SortFunc(found, byPlace)
	}
	return found
}

// pending is where the longest end of text begins that is the beginning of a
// pattern, without being the whole of it; len(text) if there is none. Ends that
// begin before from are not looked at. Of most lines the last byte tells.
func (s *set) pending(text []byte, from int) int {
	if n := len(text); n == 0 || !s.goesOn[text[n-1]] {
		return n
	}
	return s.pendingEnd(text, from)
}

// pendingEnd is pending for a text whose last byte goes on in some pattern.
func (s *set) pendingEnd(text []byte, from int) int {
	hold := len(text)
	from = max(from, len(text)-s.longest+1)
	t := &s.starts
	if len(text)-from < 4 {
		return s.pendingFrom(text, from)
	}
	last := binary.LittleEndian.Uint32(text[len(text)-4:])
	if t.inside.has(hash(last) >> t.insideShift) {
		return s.pendingFrom(text, from)
	}
	// No pattern goes through the last four bytes, so that three at most are the
	// beginning of one.
	if t.one[last>>24] {
		hold = len(text) - 1
	}
	if t.two.has(last >> 16) {
		hold = len(text) - 2
	}
	if t.three.has(t.hash(last>>8)) && longerThan(text[len(text)-3:], s.patterns) {
		hold = len(text) - 3
	}
	return hold
}

// pendingFrom is pending, one byte after the other.
func (s *set) pendingFrom(text []byte, from int) int {
	i := len(text) - 1
	if i < from {
		return len(text)
	}
	t := &s.starts
	hold := len(text)
	// Back to the first pair of bytes that no pattern holds, with the next four
	// bytes in x, the first of them lowest.
	x := uint32(text[i])
	if t.one[x] {
		hold = i
	}
	for length := 2; i > from; length++ {
		i--
		x = x<<8 | uint32(text[i])
		if !s.pairs.has(x & 0xffff) {
			break
		}
		switch {
		case length == 2:
			if t.two.has(x & 0xffff) {
				hold = i
			}
		case length == 3:
			if t.three.has(t.hash(x&0xffffff)) && longerThan(text[i:], s.patterns) {
				hold = i
			}
		default:
			if t.four.has(t.hash(x)) && longerThan(text[i:], s.patterns) {
				hold = i
			}
		}
	}
	return hold
}

// starts is how patterns begin, to tell what may be the beginning of one.
type starts struct {
	one         [256]bool // patterns of 2 bytes and more, by their first byte
	two         bitmap    // of 3 bytes and more, by their first two, low byte first
	three       bitmap    // of 4 bytes and more, by a hash of their first three
	four        bitmap    // of 5 bytes and more, by a hash of their first four
	inside      bitmap    // any four bytes of patterns, by their hash
	shift       uint8     // of the hashes: 32 less their bits
	insideShift uint8     // for inside
}

func newStarts(patterns []string) starts {
	total := 0
	for _, p := range patterns {
		total += len(p)
	}
	// So large that few that are not in them seem to be, and in a near cache.
	sized := func(wanted int) uint8 {
		bits := uint8(12)
		for 1<<bits < wanted && bits < 20 {
			bits++
		}
		return bits
	}
	few, many := sized(64*len(patterns)), sized(8*total)
	t := starts{
		two: newBitmap(1 << 16), three: newBitmap(1 << few), four: newBitmap(1 << few), inside: newBitmap(1 << many),
		shift: 32 - few, insideShift: 32 - many,
	}
	for _, p := range patterns {
		if len(p) > 1 {
			t.one[p[0]] = true
		}
		if len(p) > 2 {
			t.two.set(uint32(p[0]) | uint32(p[1])<<8)
		}
		if len(p) > 3 {
			t.three.set(t.hash(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16))
		}
		if len(p) > 4 {
			t.four.set(t.hash(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24))
		}
		x := uint32(0)
		for i := range len(p) {
			if x = x>>8 | uint32(p[i])<<24; i > 2 {
				t.inside.set(hash(x) >> t.insideShift)
			}
		}
	}
	return t
}

func (t *starts) hash(x uint32) uint32 { return hash(x) >> t.shift }

func hash(x uint32) uint32 { return x * 0x9E3779B1 }

// longerThan reports whether one of patterns, which are sorted, begins with end
// and is longer.
func longerThan(end []byte, patterns []string) bool {
	// Those that begin with end come together, behind end itself.
	low, high := 0, len(patterns)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if patterns[middle] <= string(end) { // does not allocate: it is only compared
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low < len(patterns) && len(patterns[low]) > len(end) && patterns[low][:len(end)] == string(end)
}

// bitmap is a set of small numbers.
type bitmap []uint64

func newBitmap(size int) bitmap { return make(bitmap, (size+63)/64) }

func (b bitmap) set(i uint32)      { b[i/64] |= 1 << (i % 64) }
func (b bitmap) has(i uint32) bool { return b[i/64]>>(i%64)&1 != 0 }
