package mask

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

var cases = flag.Int("cases", longrun.Times(20_000, 400_000), "random cases that the Writer and the reference are held against each other in")

// alphabets are small, so that values meet, overlap and begin within each other.
var alphabets = []string{
	"ab", "abc", "aab", "abcdefg", "ab\x00\xff", "a\xc3\xa9", "ab \n", "ab\r\n\t",
	"ab\x1b[m", "ab\x1b[1m]\a\\", "abcc\b", "ab\b\x1b[K", "ab \b", "a\x1b(B]0;\a",
}

func TestWriter_AgreesWithReference(t *testing.T) {
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		wait.Go(func() {
			for i := worker; i < *cases && !t.Failed(); i += workers {
				oneCase(t, rand.New(rand.NewPCG(uint64(i), 5)))
			}
		})
	}
	wait.Wait()
}

func oneCase(t testing.TB, random *rand.Rand) {
	alphabet := alphabets[random.IntN(len(alphabets))]
	word := func(limit int) string {
		b := make([]byte, 1+random.IntN(limit))
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	minimum := 1 + random.IntN(4)
	var got bytes.Buffer
	m := New(Encodings(false), withMinLength(minimum), withToken("#"))
	w := m.Writer(&got)
	want := &reference{token: "#", patterns: map[string]bool{}}
	var story strings.Builder
	fmt.Fprintf(&story, "at least %d bytes", minimum)
	add := func() {
		value := word(6)
		if random.IntN(4) == 0 {
			value = word(30)
		}
		m.Add(value)
		want.add(literal(value, minimum)...)
		fmt.Fprintf(&story, "\nadd %q", value)
	}
	for range 1 + random.IntN(6) {
		add()
	}
	var values []string
	for p := range want.patterns {
		values = append(values, p)
	}
	steady := true
	for range random.IntN(12) {
		switch random.IntN(16) {
		case 0:
			add()
			steady = false
		case 1:
			story.WriteString("\nflush")
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
			want.write(nil, true)
			steady = false
		default:
			var p []byte
			for range random.IntN(4) {
				switch random.IntN(6) {
				case 4: // a line, long enough that many bytes are looked at at once
					p = append(p, strings.Repeat(".", random.IntN(90))...)
					if random.IntN(2) == 0 {
						p = append(p, '\n')
					}
				case 5: // one with colours that touch no value, the last of which may be cut off
					for range 1 + random.IntN(5) {
						p = append(append(p, strings.Repeat(".", random.IntN(60))...), "\x1b[0;32m"[:7-max(0, random.IntN(40)-33)]...)
					}
					if random.IntN(2) == 0 {
						p = append(p, strings.Repeat(".", random.IntN(60))...)
					}
				case 0:
					if len(values) > 0 {
						v := values[random.IntN(len(values))]
						p = append(p, v[:random.IntN(len(v)+1)]...)
					}
				case 1:
					if len(values) > 0 {
						v := values[random.IntN(len(values))]
						cut := random.IntN(len(v) + 1)
						p = append(append(append(p, v[:cut]...), []string{"\x1b[1m", "\x1b(B", "\x1b]0;ab\a", "\x1b]8;;a\x1b\\", "\x1b["}[random.IntN(5)]...), v[cut:]...)
					}
				default:
					p = append(p, word(8)...)
				}
			}
			fmt.Fprintf(&story, "\nwrite %q", p)
			if _, err := w.Write(p); err != nil {
				t.Error(err)
			}
			want.write(p, false)
		}
		if got.String() != string(want.out) {
			break
		}
	}
	if got.String() == string(want.out) {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		want.write(nil, true)
		story.WriteString("\nclose")
	}
	if got.String() != string(want.out) {
		t.Errorf("%s\ngave %q\nwant %q", story.String(), got.String(), want.out)
		return
	}
	if steady {
		for _, size := range []int{0, 1, 3, 7} {
			if again := cut(t, m, want.text, size); again != got.String() {
				t.Errorf("%s\ncut at %d gave %q\nwant %q", story.String(), size, again, got.String())
			}
		}
	}
}

// TestWriter_LongWrites holds long Writes, which are masked in other ways than short
// ones, against short ones of the same text.
func TestWriter_LongWrites(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for trial := range 80 {
		m := New(Encodings(false))
		values := make([]string, 1+random.IntN(30))
		for i := range values {
			values[i] = letters(random, []int{5, 12, 20, 40, 2000}[min(random.IntN(40)/9, 4)]+random.IntN(20))
			m.Add(values[i])
		}
		seldom := 1 + random.IntN(200)
		var text []byte
		for size := 20_000 + random.IntN(120_000); len(text) < size; {
			v := values[random.IntN(len(values))]
			at := random.IntN(len(v))
			switch random.IntN(4 * seldom) {
			case 0:
				text = append(text, v...)
			case 1:
				text = append(text, v[:at]...)
			case 2:
				text = append(append(append(text, v[:at]...), "\x1b[1m"...), v[at:]...)
			case 3:
				text = append(text, []string{"\x1b[", "\x1b]0;title\a", "\b", "\x1b[1m\x1b[K", "\r"}[random.IntN(5)]...)
			default:
				text = append(text, logLines[random.IntN(len(logLines))]...)
				if random.IntN(9) == 0 {
					text = text[:len(text)-1]
				}
			}
		}
		want := cut(t, m, text, 80)
		for _, size := range []int{0, 1 + random.IntN(7), 5000, 32 << 10, 64 << 10, 1 + random.IntN(len(text))} {
			if got := cut(t, m, text, size); got != want {
				at := 0
				for at < min(len(got), len(want)) && got[at] == want[at] {
					at++
				}
				t.Fatalf("trial %d, %d bytes in Writes of %d: from %d on it is %.80q, want %.80q", trial, len(text), size, at, got[at:], want[at:])
			}
		}
	}
}

// literal is what of value shall be masked without encodings.
func literal(value string, minimum int) (patterns []string) {
	if strings.TrimSpace(value) == "" || len(strings.TrimSpace(value)) < minimum {
		return nil
	}
	if !strings.ContainsAny(value, "\r\n") {
		patterns = append(patterns, value)
	}
	value = strings.TrimSpace(value)
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", "\n"), "\r", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	forms := append(slices.Clone(lines), strings.Join(lines, ""))
	for _, line := range lines {
		if line != "" && len(line) < minimum {
			forms = append(forms, strings.Join(lines, " "))
		}
	}
	for _, p := range forms {
		if len(p) >= minimum && p != "" {
			patterns = append(patterns, p)
		}
	}
	return patterns
}

// cut is text masked in Writes of size bytes; 0 is all at once.
func cut(t testing.TB, m *Masker, text []byte, size int) string {
	t.Helper()
	var out bytes.Buffer
	w := m.Writer(&out)
	if size == 0 {
		size = max(1, len(text))
	}
	for len(text) > 0 {
		n := min(size, len(text))
		if _, err := w.Write(text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
