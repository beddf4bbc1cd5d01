//go:build linux && !purego

package mask

import (
	"bytes"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// TestGapsFast_StaysWithinText has texts between two pages of memory that may not be
// read: at the first byte behind the one, and at the last before the other.
func TestGapsFast_StaysWithinText(t *testing.T) {
	size := os.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 3*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Munmap(memory); err != nil {
			t.Error(err)
		}
	}()
	for _, guard := range [][]byte{memory[:size], memory[2*size:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	room := memory[size : 2*size]

	m := New(Encodings(false))
	m.Add("abcdefgh")
	s := m.compiled()
	if !s.fast {
		t.Skip("this processor has no AVX2")
	}
	random := rand.New(rand.NewPCG(8, 9))
	told := 0
	for range 200_000 {
		n := 64 + random.IntN(200)
		if random.IntN(50) == 0 {
			n = min(pageSize, size) - random.IntN(70)
		}
		text := room[:n]
		if random.IntN(2) == 0 {
			text = room[size-n:]
		}
		// From nothing but ESCs to hardly one.
		alphabet := []string{"\x1b", "\x1b[m", "\x1b[1m.", "\x1b[32;1m" + "....a", "\x1b[1m" + "....................................b"}[random.IntN(5)]
		for i := range text {
			text[i] = alphabet[i%len(alphabet)]
		}
		for range random.IntN(3) {
			text[random.IntN(n)] = "\x1b[m1.a\b"[random.IntN(7)]
		}
		last, whole := s.gapsFast(text, 0, n)
		if whole == 0 {
			continue
		}
		told++
		want := newGapSearch()
		if want.pageEach(s, text, 0, n); want.found && want.at < whole {
			t.Fatalf("%q: a gap at %d of %d matters", text, want.at, whole)
		}
		if whole == n && (want.found || last != bytes.LastIndexByte(text, esc)) {
			t.Fatalf("%q: the last ESC is at %d, and some gap matters: %v", text, last, want.found)
		}
	}
	t.Logf("%d told at once", told)
	if told < 1000 {
		t.Error("hardly any text was told at once")
	}
}
