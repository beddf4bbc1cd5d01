package ci

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
)

// FuzzGuard holds that a guard's output is the same however it is cut, has no
// headline, no mark anywhere, and differs by backslashes alone.
func FuzzGuard(f *testing.F) {
	f.Add("--- a\n--- b\r+++ c\n-", uint8(1), uint8(3))
	f.Add("section_start:section_end:\nsection_sta", uint8(2), uint8(0))
	f.Add("\x1b[0m\x1b[31m--- x\n\x1b[--- y\n\x1b--- z", uint8(5), uint8(1))
	f.Fuzz(func(t *testing.T, text string, size, flush uint8) {
		anywhere := []string{"section_start:", "section_end:"}
		var whole, cut bytes.Buffer
		g := newGuard(&whole, headlines, anywhere)
		_, _ = io.WriteString(g, text)
		_ = g.Close()
		h := newGuard(&cut, headlines, anywhere)
		for i, rest := 0, text; rest != ""; i++ {
			n := min(int(size)%7+1, len(rest))
			_, _ = io.WriteString(h, rest[:n])
			rest = rest[n:]
			if flush > 0 && i%int(flush) == 0 {
				_ = h.Flush()
			}
		}
		_ = h.Close()
		if flush == 0 && whole.String() != cut.String() {
			t.Errorf("%q whole, %q cut", whole.String(), cut.String())
		}
		for _, out := range []string{whole.String(), cut.String()} {
			if strings.ReplaceAll(out, `\`, "") != strings.ReplaceAll(text, `\`, "") {
				t.Errorf("%q became %q", text, out)
			}
			for _, mark := range anywhere {
				if strings.Contains(out, mark) {
					t.Errorf("%q in %q of %q", mark, out, text)
				}
			}
			for _, line := range strings.FieldsFunc(out, func(r rune) bool { return r == '\n' || r == '\r' }) {
				for _, mark := range headlines {
					if strings.HasPrefix(line, mark) {
						t.Errorf("%q in %q of %q", mark, out, text)
					}
				}
			}
		}
	})
}

func TestGuard_HoldsBackOnlyWhatMayBecomeAMark(t *testing.T) {
	var out bytes.Buffer
	g := newGuard(&out, headlines, nil)
	for _, test := range []struct{ in, want string }{
		{"a prompt: ", "a prompt: "},
		{"- yes", "a prompt: - yes"},
		{"\n--", "a prompt: - yes\n"},
		{"-x", "a prompt: - yes\n---x"},
	} {
		_, _ = io.WriteString(g, test.in)
		if out.String() != test.want {
			t.Errorf("after %q: %q, want %q", test.in, out.String(), test.want)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestGuard_KeepsTheFirstError(t *testing.T) {
	g := newGuard(failing{}, headlines, nil)
	for range 2 {
		if _, err := io.WriteString(g, "text\n"); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("got %v", err)
		}
	}
	if err := g.Close(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v", err)
	}
}
