package mask

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSet_FindsEachOccurrenceOnce looks through texts of all lengths, those that
// are looked at in two halves among them, for patterns of all lengths.
func TestSet_FindsEachOccurrenceOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	word := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	for trial := range 60 {
		alphabet := []string{"ab", "abcd", "abcdefghijklmnopqrstuvwxyz"}[random.IntN(3)]
		m := New(Encodings(false), withMinLength(1))
		shortest := []int{1, 3, 7, 8, 9, 20, 20, 300, 5000}[random.IntN(9)]
		for range 1 + random.IntN([]int{2, 20, 200}[random.IntN(3)]) {
			m.Add(word(alphabet, shortest+random.IntN(1+shortest/2)))
		}
		s := m.compiled()
		size := []int{100, 4000, 12_000}[random.IntN(3)]
		var b strings.Builder
		for b.Len() < size {
			b.WriteString(word(alphabet, random.IntN(200)))
			p := s.patterns[random.IntN(len(s.patterns))]
			b.WriteString(p[:len(p)-random.IntN(2)])
		}
		text := b.String()

		var want []match
		for _, p := range s.patterns {
			for at := 0; ; at++ {
				n := strings.Index(text[at:], p)
				if n < 0 {
					break
				}
				at += n
				want = append(want, match{at, at + len(p)})
			}
		}
		slices.SortFunc(want, byPlace)
		got := s.find(nil, []byte(text), false)
		if !slices.Equal(got, want) {
			t.Fatalf("trial %d: %d occurrences in %d bytes of patterns of %d and more, want %d", trial, len(got), len(text), shortest, len(want))
		}
		covered := func(found []match) []bool {
			c := make([]bool, len(text))
			for _, f := range found {
				for i := f.start; i < f.end; i++ {
					c[i] = true
				}
			}
			return c
		}
		if joined := s.find(nil, []byte(text), true); !slices.Equal(covered(joined), covered(want)) {
			t.Fatalf("trial %d: joined, other bytes are covered", trial)
		}
	}
	m := New(Encodings(false))
	m.Add("aaaa")
	m.Add("aaaaaaaaaaaaaaaaaaaaaa")
	if found := m.compiled().find(nil, []byte(strings.Repeat("a", 12_000)), true); len(found) > 8 {
		t.Errorf("%d occurrences are kept of a text of one letter", len(found))
	}
}

// TestPass_EveryGramAndTable has passes of grams of all lengths in tables of all sizes.
// Each place that text has a pattern at is found.
func TestPass_EveryGramAndTable(t *testing.T) {
	random := rand.New(rand.NewPCG(10, 11))
	for gram := 1; gram <= 8; gram++ {
		for _, grams := range []int{smallGrams, middleGrams, middleGrams + 100} {
			low := gram + random.IntN(24)
			step := low - gram + 1
			patterns := make([]string, max(1, grams/step))
			for i := range patterns {
				b := make([]byte, low+random.IntN(8))
				for k := range b {
					b[k] = byte(random.Uint32())
				}
				patterns[i] = string(b)
			}
			p := newPass(patterns, low, low+8, gram)
			if size := len(patterns) * step; (size > middleGrams) != (p.filter.large != nil) || (size <= smallGrams) != (p.filter.small != nil) {
				t.Fatalf("%d grams of %d are in another table", size, gram)
			}
			for range 200 {
				text := make([]byte, 600+random.IntN(200)) // enough for several at once
				for k := range text {
					text[k] = byte(random.Uint32())
				}
				pattern := patterns[random.IntN(len(patterns))]
				at := random.IntN(len(text) - len(pattern))
				copy(text[at:], pattern)
				found := p.scan(nil, text, patterns, false)
				if !slices.ContainsFunc(found, func(m match) bool { return m.start == at && m.end == at+len(pattern) }) {
					t.Fatalf("gram %d, step %d, %d patterns: what is at %d is not found", gram, step, len(patterns), at)
				}
			}
		}
	}
}
