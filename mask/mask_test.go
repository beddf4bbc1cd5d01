package mask

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
)

const stars = "***"

// TestWriter_EveryCut masks each text whole and in pieces of 1, 3 and 7 bytes.
func TestWriter_EveryCut(t *testing.T) {
	key := "-----BEGIN TEST KEY-----\nAAAAbbbbCCCCdddd0001\nEEEEffffGGGGhhhh0002\n-----END TEST KEY-----\n"
	for _, tt := range []struct {
		name     string
		values   []string
		in, want string
		opts     []Option
	}{
		{name: "no value", in: "hello", want: "hello"},
		{name: "one", values: []string{"hunter22"}, in: "pw=hunter22;", want: "pw=***;"},
		{name: "at both ends", values: []string{"hunter22"}, in: "hunter22 hunter22", want: "*** ***"},
		{name: "once more, nearly", values: []string{"hunter22"}, in: "hunter2hunter22hunter2", want: "hunter2***hunter2"},
		{name: "border", values: []string{"aaab"}, in: "aaaaab", want: "aa***"},
		{name: "border of two", values: []string{"abcabd"}, in: "abcabcabd", want: "abc***"},
		{name: "run", values: []string{"aaaa"}, in: "aaaaaaaaab", want: "***b"},
		{name: "self overlap", values: []string{"ababa"}, in: "abababa.", want: "***."},
		{name: "prefix of another", values: []string{"abcd", "abcdefgh"}, in: "abcdabcdefgh abcdefg", want: "*** ***efg"},
		{name: "within another", values: []string{"abcdefgh", "cdef"}, in: "abcdefg cdef", want: "ab***g ***"},
		{name: "overlap", values: []string{"abcdef", "defghi"}, in: "xabcdefghix", want: "x***x"},
		{name: "chain", values: []string{"abcd", "cdef", "efgh"}, in: "abcdefgh", want: "***"},
		{name: "touching", values: []string{"abcd", "efgh"}, in: "abcdefghabcd", want: "***"},
		{name: "binary", values: []string{"\x00\xff\xfe\x80"}, in: "a\x00\xff\xfe\x80\x00b", want: "a***\x00b"},
		{name: "half a character", values: []string{"\xa9\xa9\xa9\xa9"}, in: "\xc3\xa9\xa9\xa9\xa9", want: "\xc3***"},
		{name: "trimmed", values: []string{"  hunter22\t\n"}, in: "[hunter22]", want: "[***]"},
		{name: "as is", values: []string{" hunter22 "}, in: "[ hunter22 ]", want: "[***]"},

		{name: "lines", values: []string{key}, in: key, want: "***\n***\n***\n***\n"},
		{name: "CR LF", values: []string{key}, in: strings.ReplaceAll(key, "\n", "\r\n"), want: "***\r\n***\r\n***\r\n***\r\n"},
		{name: "CR", values: []string{key}, in: strings.ReplaceAll(key, "\n", "\r"), want: "***\r***\r***\r***\r"},
		{name: "CR LF, printed with LF", values: []string{strings.ReplaceAll(key, "\n", "\r\n")}, in: key, want: "***\n***\n***\n***\n"},
		{name: "indented", values: []string{key}, in: strings.ReplaceAll("\n"+key, "\n", "\n\t  "), want: "\n\t  ***\n\t  ***\n\t  ***\n\t  ***\n\t  "},
		{name: "prefixes", values: []string{key}, in: "#12 0.3 AAAAbbbbCCCCdddd0001\n#12 0.4 EEEEffffGGGGhhhh0002\n", want: "#12 0.3 ***\n#12 0.4 ***\n"},
		{name: "stripped", values: []string{key}, in: strings.ReplaceAll(key, "\n", ""), want: "***"},
		{name: "as spaces", values: []string{key}, in: "x " + strings.ReplaceAll(key, "\n", " "), want: "x *** *** *** *** "},
		{name: "as \\n", values: []string{key}, in: strings.ReplaceAll(strings.TrimSpace(key), "\n", `\n`), want: "***"},
		{name: "as \\r\\n", values: []string{key}, in: strings.ReplaceAll(strings.TrimSpace(key), "\n", `\r\n`), want: "***"},
		{name: "short lines", values: []string{"{\n  \"a\": 1234,\n}"}, in: "{\n  \"a\": 1234,\n}", want: "{\n  ***\n}"},
		{name: "short lines joined", values: []string{"ab\ncd\nef"}, in: "abcdef ab cd ef ab\ncd", want: "*** *** ab\ncd"},

		{name: "colour within", values: []string{"hunter22"}, in: "x hun\x1b[31mter\x1b[0m22 y", want: "x ***\x1b[31m\x1b[0m y"},
		{name: "colour of a part", values: []string{"hunter22"}, in: "\x1b[31mhunt\x1b[0mer22 y", want: "\x1b[31m***\x1b[0m y"},
		{name: "every character", values: []string{"abcd"}, in: "\x1b[38;2;1;2;3ma\x1b[39mb\x1b[1;2mc\x1b[md.", want: "\x1b[38;2;1;2;3m***\x1b[39m\x1b[1;2m\x1b[m."},
		{name: "erasing", values: []string{"hunter22"}, in: "hun\x1b[Kter22", want: "***\x1b[K"},
		{name: "link", values: []string{"hunter22"}, in: "hun\x1b]8;;http://x\x1b\\ter22\x1b]8;;\a", want: "***\x1b]8;;http://x\x1b\\\x1b]8;;\a"},
		{name: "title", values: []string{"hunter22"}, in: "hun\x1b]0;hunter22\ater22", want: "***\x1b]0;\a"},
		{name: "character set", values: []string{"hunter22"}, in: "hun\x1b(B\x1b[mter22", want: "***\x1b(B\x1b[m"},
		{name: "overstruck", values: []string{"hunter22"}, in: "h\bhu\bun\bnt\bte\ber\br2\b22\b2.", want: "***\b2."},
		{name: "overstruck space", values: []string{"two words"}, in: "two \b words two \bwords", want: "*** two \bwords"},
		{name: "sequence broken off", values: []string{"hunter22"}, in: "hun\x1b[31\nhunter22", want: "hun\x1b[31\n***"},
		{name: "a token touches a sequence", values: []string{"hunter22"}, in: "hunter22\x1b[0mhunter22", want: "***\x1b[0m***"},
		{name: "a value with ESC", values: []string{"a\x1b[31mb"}, in: "a\x1b[31mb a\x1b[32mb", want: "*** a\x1b[32mb"},

		{name: "token", values: []string{"hunter22"}, in: "hunter22", want: "[gone]", opts: []Option{withToken("[gone]")}},
		{name: "no token", values: []string{"hunter22"}, in: "a hunter22.", want: "a .", opts: []Option{withToken("")}},
		{name: "shorter", values: []string{"ab"}, in: "abc", want: "***c", opts: []Option{withMinLength(2)}},
		{name: "one byte", values: []string{"a"}, in: "banana", want: "b***n***n***", opts: []Option{withMinLength(1)}},
		{name: "URL", values: []string{"postgres://app:s3cr3tpass@db/x"}, in: "connect app:s3cr3tpass at db, s3cr3tpass", want: "connect *** at db, ***"},
		{name: "URL, encoded", values: []string{"redis://:p%40ss%2Fword@db"}, in: "password p@ss/word", want: "password ***"},
		{name: "URL, a word", values: []string{"postgres://app:postgres@db/x"}, in: "postgres: app:postgres", want: "postgres: ***"},
		{name: "docker login", values: []string{"dckr-pass-0001"}, in: base64.StdEncoding.EncodeToString([]byte("user:dckr-pass-0001")), want: "dXNlcjp***"},
		{name: "whole URL user in base64", values: []string{"https://user:dckr-pass-0001@h/"}, in: base64.StdEncoding.EncodeToString([]byte("user:dckr-pass-0001")), want: "***"},
	} {
		for _, size := range []int{0, 1, 3, 7} {
			m := New(tt.opts...)
			for _, v := range tt.values {
				m.Add(v)
			}
			if got := cut(t, m, []byte(tt.in), size); got != tt.want {
				t.Errorf("%s, cut at %d: %q, want %q", tt.name, size, got, tt.want)
			}
			if got := m.String(tt.in); got != tt.want {
				t.Errorf("%s, String: %q, want %q", tt.name, got, tt.want)
			}
		}
	}
}

func TestWriter_HoldsBackOnlyWhatMayBegin(t *testing.T) {
	m := New(Encodings(false))
	m.Add("password-hunter22")
	m.Add("xyxz\x1b")
	for in, want := range map[string]string{
		"Password: ":        "Password: ",
		"enter a pass":      "enter a ",
		"pass\x1b[1m":       "",
		"pass\x1b[1mx":      "pass\x1b[1m",
		"prompt\x1b[1":      "prompt\x1b[1",
		"password-hunter22": "***",
		"line\n":            "line\n",
		"xyxyx":             "xy",
	} {
		var out bytes.Buffer
		w := m.Writer(&out)
		if _, err := io.WriteString(w, in); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("of %q %q is let out, want %q", in, out.String(), want)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := m.String(in); out.String() != want {
			t.Errorf("of %q %q is let out by Flush, want %q", in, out.String(), want)
		}
	}
}

func TestWriter_AddWhileOpen(t *testing.T) {
	m := New(Encodings(false))
	m.Add("hunter22")
	var out bytes.Buffer
	w := m.Writer(&out)
	write := func(s string) {
		t.Helper()
		if _, err := io.WriteString(w, s); err != nil {
			t.Fatal(err)
		}
	}
	write("other-value hun")
	m.AddBytes([]byte("other-value"))
	m.Add("ghost")
	write("ter22 other-value")
	write(" hunt")
	m.Add("hunting") // what is held back is looked at again
	write("ing\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "other-value *** *** ***\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestWriter_OneWriteEach(t *testing.T) {
	m := New()
	m.Add("hunter22")
	var out counting
	w := m.Writer(&out)
	for i, p := range []string{"a hunter22 b hunter22 c\n", "plain\n", "a\x1b[1mhun\x1b[0mter22\n", "x hun", "ter22\n"} {
		if _, err := io.WriteString(w, p); err != nil {
			t.Fatal(err)
		}
		if out.writes != i+1 {
			t.Errorf("%d Writes became %d", i+1, out.writes)
		}
	}
}

type counting struct{ writes, bytes int }

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	c.bytes += len(p)
	return len(p), nil
}

// TestWriter_PassesOnTheCallersSlice wants no copy made of what holds no value.
func TestWriter_PassesOnTheCallersSlice(t *testing.T) {
	m := New()
	m.Add("hunter22")
	var got []byte
	w := m.Writer(writerFunc(func(p []byte) (int, error) {
		got = p
		return len(p), nil
	}))
	p := []byte("nothing here\n")
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(p) || &got[0] != &p[0] {
		t.Error("a copy was written")
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWriter_LargeWrites(t *testing.T) {
	m := New(Encodings(false))
	long := strings.Repeat("long value, ", 1000)
	m.Add("hunter22")
	m.Add(long)
	var in, want bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&in, "line %d of hunter22 and %s\n", i, strings.Repeat("x", i%90))
		fmt.Fprintf(&want, "line %d of *** and %s\n", i, strings.Repeat("x", i%90))
		if i%500 == 0 {
			in.WriteString(long[:len(long)-2] + "\n")
			in.WriteString(long[:len(long)-1] + "\n")
			want.WriteString(long[:len(long)-2] + "\n***\n")
		}
	}
	for _, size := range []int{0, 1000, 4096, 5000, 64 << 10, 65537, 100_000} {
		if got := cut(t, m, in.Bytes(), size); got != want.String() {
			t.Errorf("cut at %d: differs", size)
		}
	}
}

func TestWriter_ErrorStays(t *testing.T) {
	broken := errors.New("broken")
	m := New()
	m.Add("hunter22")
	w := m.Writer(&failing{after: 1, err: broken})
	if _, err := io.WriteString(w, "fine\n"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"x hunter22 y\n", "x hunter22 y\n", "a line that holds nothing\n"} {
		if n, err := io.WriteString(w, p); n != 0 || !errors.Is(err, broken) {
			t.Errorf("%q: %d, %v, want 0 and the first error", p, n, err)
		}
	}
	w = m.Writer(&failing{err: broken})
	for range 2 {
		if n, err := io.WriteString(w, "a line that holds nothing\n"); n != 0 || !errors.Is(err, broken) {
			t.Errorf("a line: %d, %v, want 0 and the first error", n, err)
		}
	}
	if err := w.Flush(); !errors.Is(err, broken) {
		t.Errorf("Flush: %v, want the first error", err)
	}
	if err := w.Close(); !errors.Is(err, broken) {
		t.Errorf("Close: %v, want the first error", err)
	}

	short := m.Writer(&failing{})
	if _, err := io.WriteString(short, "some text\n"); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a short write: %v, want %v", err, io.ErrShortWrite)
	}
}

func TestWriter_Closed(t *testing.T) {
	m := New()
	m.Add("hunter22")
	var out bytes.Buffer
	w := m.Writer(&out)
	if _, err := io.WriteString(w, "hunter"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if out.String() != "hunter" {
		t.Errorf("Close lets out %q", out.String())
	}
	for _, p := range []string{"x", "a line that holds nothing\n"} {
		if n, err := io.WriteString(w, p); n != 0 || !errors.Is(err, ErrClosed) {
			t.Errorf("Write of %q after Close: %d, %v", p, n, err)
		}
	}
	if err := w.Flush(); !errors.Is(err, ErrClosed) {
		t.Errorf("Flush after Close: %v", err)
	}
}

// TestMasker_Concurrently is for the race detector: streams, one of them shared,
// are written to, flushed and closed while values are added.
func TestMasker_Concurrently(t *testing.T) {
	m := New()
	m.Add("hunter22")
	var shared bytes.Buffer
	w := m.Writer(&shared)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			var own bytes.Buffer
			o := m.Writer(&own)
			for k := range 50 {
				for _, to := range []io.Writer{w, o} {
					if _, err := fmt.Fprintf(to, "%d %d hunter22 \x1b[1mhun\x1b[0mter22\n", i, k); err != nil && !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
				}
				if k%10 == 0 {
					m.AddSecret(NewSecret(fmt.Sprint("N", k), fmt.Sprintf("another-value-%d", k)))
					_, _, _, _ = m.Skipped(), m.Noisy(), m.Patterns(), m.String("hunter22")
				}
			}
			if err := o.Close(); err != nil {
				t.Error(err)
			}
			if strings.Contains(own.String(), "hunter22") || strings.Count(own.String(), stars) != 100 {
				t.Error("a stream of its own was not masked")
			}
		})
	}
	wait.Go(func() {
		for range 20 {
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
		}
	})
	wait.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shared.String(), "hunter22") || strings.Count(shared.String(), stars) != 400 {
		t.Error("the shared stream was not masked")
	}
}

func TestMasker_Skipped(t *testing.T) {
	m := New()
	m.AddSecret(NewSecret("EMPTY", ""))
	m.AddSecret(NewSecret("BLANK", " \t\n "))
	m.AddSecret(NewSecret("SHORT", "abc"))
	m.AddSecret(NewSecret("SPACED", "  abc  "))
	m.AddSecret(NewSecret("JSON", "{\n\"a\": 1234\n}\n\n"))
	m.AddSecret(NewSecret("FINE", "hunter22"))
	m.Add("xy\nlong enough")
	var got []string
	for _, s := range m.Skipped() {
		got = append(got, s.String())
	}
	want := []string{
		"EMPTY is empty",
		"BLANK is white space only",
		"SHORT is shorter than 4 bytes",
		"SPACED is shorter than 4 bytes",
		"JSON: lines 1, 3 are shorter than 4 bytes",
		"a value: line 1 is shorter than 4 bytes",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if s := m.String("abc { } xy hunter22"); s != "abc { } xy ***" {
		t.Errorf("refused values were masked: %q", s)
	}
}

func TestMasker_Noisy(t *testing.T) {
	m := New()
	for value, name := range map[string]string{
		"production": "WORD", "Postgres": "WORD2", "db.example.com": "HOSTNAME", "203.0.113.7": "ADDRESS",
		"2001:db8::1": "ADDRESS6", "------": "DASHES", "0000": "ZEROS", "5432": "PORT",
		"hunter22": "", "SG.aBc.dEf": "", "123456789": "", "token.with.AB": "", "https://x.example.com": "",
	} {
		if name == "" {
			m.Add(value)
		} else {
			m.AddSecret(NewSecret(name, value))
		}
	}
	var got []string
	for _, n := range m.Noisy() {
		got = append(got, n.String())
	}
	slices.Sort(got)
	want := []string{
		"ADDRESS is the name or address of a host", "ADDRESS6 is the name or address of a host",
		"DASHES is one character, repeated", "HOSTNAME is the name or address of a host",
		"PORT is a short number",
		"WORD is a common word", "WORD2 is a common word", "ZEROS is one character, repeated",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if s := m.String("production"); s != stars {
		t.Errorf("%q: a noisy value is not masked", s)
	}
	if !slices.IsSorted(commonWords) {
		t.Error("the common words are not sorted")
	}
}

func TestWriter_AllocatesNothing(t *testing.T) {
	m := New()
	m.Add("hunter22")
	m.Add("a longer value, of which there is a part")
	w := m.Writer(io.Discard)
	writes := [][]byte{
		[]byte("nothing to mask in this line\n"), []byte("a line with hunter22 in it\n"),
		[]byte("no end of line a lon"), []byte("ger value, and "), []byte("\x1b[1mhun\x1b[0mter22 and \x1b[32mmore\x1b[0m\n"),
	}
	n := testing.AllocsPerRun(100, func() {
		for _, p := range writes {
			if _, err := w.Write(p); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations in %d Writes, want none", n, len(writes))
	}
}

// failing writes so many times and then no more.
type failing struct {
	after int
	err   error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return len(p) / 2, f.err
	}
	return len(p), nil
}
