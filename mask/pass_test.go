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
		m := New(Encodings(false), MinLength(1))
		shortest := []int{1, 3, 7, 8, 9, 20, 20, 300, 5000}[random.IntN(9)]
		for range 1 + random.IntN([]int{2, 20, 200}[random.IntN(3)]) {
			m.Add(word(alphabet, shortest+random.IntN(1+shortest/2)))
		}
		s := m.compiled()
		size := []int{100, pageSize - 100, 3 * pageSize}[random.IntN(3)]
		var b strings.Builder
		for b.Len() < size {
			b.WriteString(word(alphabet, random.IntN(200)))
			p := s.patterns[random.IntN(len(s.patterns))]
			b.WriteString(p[:len(p)-random.IntN(2)])
		}
		text := b.String()

		var want []match
		for k, p := range s.patterns {
			for at := 0; ; at++ {
				n := strings.Index(text[at:], p)
				if n < 0 {
					break
				}
				at += n
				want = append(want, match{at, at + len(p), k})
			}
		}
		slices.SortFunc(want, byPlace)
		got := s.find(nil, []byte(text), false, nil)
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
		if joined := s.find(nil, []byte(text), true, nil); !slices.Equal(covered(joined), covered(want)) {
			t.Fatalf("trial %d: joined, other bytes are covered", trial)
		}
	}
	m := New(Encodings(false))
	m.Add("aaaa")
	m.Add("aaaaaaaaaaaaaaaaaaaaaa")
	if found := m.compiled().find(nil, []byte(strings.Repeat("a", 3*pageSize)), true, nil); len(found) > 8 {
		t.Errorf("%d occurrences are kept of a text of one letter", len(found))
	}
}
