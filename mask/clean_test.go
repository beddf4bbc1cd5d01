package mask

import (
	"math/rand/v2"
	"testing"
)

// TestControls holds what looks at many bytes at once against what looks at one.
func TestControls(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	near := []byte(" \n\n\r\x1a\x1b\x1c\x07\x08\x09\x1f\x20~\x7f\x80\x9b\xa0\xdf\xe0\xff")
	for range 20_000 {
		text := make([]byte, 8+random.IntN(300))
		for i := range text {
			text[i] = byte(' ' + random.IntN(0xe0))
		}
		for range random.IntN(4) {
			text[random.IntN(len(text))] = near[random.IntN(len(near))]
		}
		if random.IntN(4) == 0 {
			for i := range text {
				text[i] = near[random.IntN(len(near))] // many borrow and carry
			}
		}
		hidden, below := false, false
		for i, c := range text {
			hidden = hidden || c == esc || c == backspace
			below = below || c < ' '
			if got := controlBits(text, i&^63)>>(i&63)&1 != 0; got != (c < ' ') {
				t.Fatalf("%q: byte %d, %#x, is below the space: %v", text, i, c, got)
			}
		}
		switch got := controls(text); {
		case !got && hidden:
			t.Fatalf("%q has no controls", text)
		case got && !below:
			t.Fatalf("%q has controls", text)
		}
	}
}
