package mask

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestGapSearch holds what looks at many bytes at once against what looks at one gap
// after the other.
func TestGapSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	pieces := []string{
		"\x1b[m", "\x1b[0;32m", "\x1b[1;38;5;123m", "\x1b[K", "\x1b[0m", "\x1b[31", "\x1b[", "\x1b", "\x1b]0;x\a",
		"\x1b[0;1;2;3;4;5;6;7;8;9;0;1;2;3;4;5;6;7;8;9;0;1;2;3;4;5;6;7m", "\x1b[" + strings.Repeat("3;", 29), "123456789;", "\b", "\x7f", "[", "m", "\x00", "\x80", "\xff", "é", "\n", "\r\n",
		"a", "x", "ab", "q ", " q", " ", "  ", "hunter", "0123456789", " some words that hold nothing of it, and are as long as a line can be before it ends in\n",
	}
	m := New(Encodings(false))
	m.Add("abcdefgh")
	m.Add("hunter22")
	m.AddBytes([]byte("\x00\x80\xffq q"))
	s := m.compiled()
	pages, told, early := 0, 0, 0 // told are those with an ESC, of which none had to be looked at by itself
	for range 100_000 {
		var text []byte
		for n := random.IntN(40); n >= 0; n-- {
			k := random.IntN(len(pieces))
			if random.IntN(3) > 0 {
				k = random.IntN(5)
				if random.IntN(2) > 0 {
					k = len(pieces) - 1 - random.IntN(9)
				}
			}
			text = append(text, pieces[k]...)
		}
		page := 64 * (1 + random.IntN(5))
		if random.IntN(3) == 0 {
			page = 64 + random.IntN(500)
		}
		want, got := newGapSearch(), newGapSearch()
		for from := 0; from < len(text) && !got.found; {
			to := min(len(text), from+page)
			pages++
			if end := got.page(s, text, from, to); end < to {
				early++
				to = end
			}
			if got.last >= from {
				told++
			}
			want.pageEach(s, text, from, to)
			if got.found != want.found {
				t.Fatalf("%q in pages of %d: until %d some gap matters: %v", text, page, to, got.found)
			}
			from = to
		}
		if end := got.lastEnd(text); !want.found && end != want.lastEnd(text) {
			t.Fatalf("%q in pages of %d: the last ends at %d, want %d", text, page, end, want.lastEnd(text))
		}
	}
	t.Logf("of %d pages %d were told at once though they hold some, and %d were cut short", pages, told, early)
	if s.fast && (early == 0 || told == 0) {
		t.Error("nothing was told at once")
	}
}

// TestGapSearch_Places has a sequence of every length at every place, behind another
// and not, at the end of one of which it is too long to be one. A page may end within
// it.
func TestGapSearch_Places(t *testing.T) {
	m := New(Encodings(false))
	m.Add("abcdefgh")
	s := m.compiled()
	filler := strings.Repeat(".", 1000) + "m..a\x1b[1m.." + strings.Repeat(".", pageSize-940)
	for length := 3; length < 140; length++ {
		sequence := "\x1b[" + strings.Repeat("1", length-3) + "m"
		for k, around := range []string{"..", "a.", ".b", "ab", "..", "a.", ".b", "ab"} {
			before := ""
			if k > 3 {
				before = "\x1b[0m"
			}
			for place := 1; place < 200; place++ {
				text := []byte(strings.Repeat(".", place-1) + around[:1] + before + sequence + around[1:] + filler)
				cut := (length + place) % 71 // some leave a part of the sequence
				if place%5 > 0 {
					cut += pageSize
				}
				text = text[:max(place+1, len(text)-cut)]
				want, got := newGapSearch(), newGapSearch()
				want.pageEach(s, text, 0, len(text))
				page := pageSize
				if place%2 == 0 {
					page = max(64, place+len(before)+2)
				}
				for at := 0; at < len(text) && !got.found; {
					at = got.page(s, text, at, min(len(text), at+page))
				}
				if got.found != want.found || !want.found && got.lastEnd(text) != want.lastEnd(text) {
					t.Fatalf("%q: some gap matters: %v", text, got.found)
				}
			}
		}
	}
}
