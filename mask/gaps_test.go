package mask

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// sequences are CSI sequences of up to 64 bytes, one behind the other.
var sequences = regexp.MustCompile(`(?:\x1b\[[ -?]{0,61}[@-~])+`)

// matters reports whether text has a gap that a value may go through, or that is not a
// whole CSI sequence; and where the last ends if it has not.
func matters(s *set, text []byte) (end int, yes bool) {
	if bytes.ContainsAny(sequences.ReplaceAll(text, nil), "\x1b\b") {
		return 0, true
	}
	for _, run := range sequences.FindAllIndex(text, -1) {
		before := byte('\n')
		if run[0] > 0 {
			before = text[run[0]-1]
		}
		if end = run[1]; end == len(text) || s.pairs.has(uint32(before)|uint32(text[end])<<8) {
			return 0, true
		}
	}
	return end, false
}

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
	quiet := 0
	for range 50_000 {
		var text []byte
		for n := random.IntN(20); n >= 0; n-- {
			k := random.IntN(len(pieces))
			if random.IntN(3) > 0 {
				k = random.IntN(5)
				if random.IntN(2) > 0 {
					k = len(pieces) - 1 - random.IntN(9)
				}
			}
			text = append(text, pieces[k]...)
		}
		want, yes := matters(s, text)
		got := s.searchGaps(text, 0)
		if got.found != yes || !yes && got.end != want {
			t.Fatalf("%q: some gap matters: %v, the last ends at %d, want %d", text, got.found, got.end, want)
		}
		if !yes && want > 0 {
			quiet++
		}
	}
	if quiet < 1000 {
		t.Errorf("only %d texts had sequences that do not matter", quiet)
	}
}

// TestGapSearch_Places has sequences of every length, the longest of which are none,
// alone and behind another one, cut off or not.
func TestGapSearch_Places(t *testing.T) {
	m := New(Encodings(false))
	m.Add("abcdefgh")
	s := m.compiled()
	for length := 3; length < 70; length++ {
		for _, before := range []string{"", "\x1b[0m"} {
			for _, around := range []string{"..", "a.", ".b", "ab"} {
				whole := around[:1] + before + "\x1b[" + strings.Repeat("1", length-3) + "m" + around[1:] + "."
				for end := range len(whole) {
					text := []byte(whole[:end+1])
					want, yes := matters(s, text)
					if got := s.searchGaps(text, 0); got.found != yes || !yes && got.end != want {
						t.Fatalf("%q: some gap matters: %v, the last ends at %d, want %d", text, got.found, got.end, want)
					}
				}
			}
		}
	}
}

// A value with more between its characters than is held back in a stream is none, whether
// it comes at once or in pieces: what is masked does not depend on how it is cut.
func TestGaps_AsFarAsIsHeldBack(t *testing.T) {
	m := New()
	m.Add("hunter-r2d2")
	for _, test := range []struct {
		gap  int
		want bool
	}{{100, true}, {4096, true}, {3 * 4096, false}, {64 << 10, false}} {
		text := "hunter" + strings.Repeat("\x1b[m", test.gap/3) + "-r2d2 and more\n"
		for _, size := range []int{len(text), 1000} {
			var out bytes.Buffer
			w := m.Writer(&out)
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				if _, err := w.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if masked := strings.Contains(out.String(), "***"); masked != test.want {
				t.Errorf("a gap of %d, cut at %d: masked is %v", test.gap, size, masked)
			}
		}
	}
}
