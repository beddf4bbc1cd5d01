package mask

import (
	"bytes"
	"testing"
)

func TestWriter_EveryCut(t *testing.T) {
	for _, tt := range []struct {
		name     string
		values   []string
		in, want string
	}{
		{"none", nil, "hello", "hello"},
		{"one", []string{"hunter22"}, "pw=hunter22;", "pw=***;"},
		{"border", []string{"aaab"}, "aaaab", "a***"},
		{"prefix of another", []string{"abcd", "abcdef"}, "abcdabcdefabcde", "***e"},
		{"overlap", []string{"abcdef", "defghi"}, "xabcdefghix", "x***x"},
		{"touching", []string{"abcd", "efgh"}, "abcdefgh", "***"},
		{"lines", []string{"line one\r\n  line two\n"}, "1 line one\n2 line two\n", "1 ***\n2 ***\n"},
	} {
		for _, size := range []int{0, 1, 3, 7} {
			m := New(Encodings(false))
			for _, v := range tt.values {
				m.Add(v)
			}
			var got bytes.Buffer
			w := m.Writer(&got)
			in := []byte(tt.in)
			for len(in) > 0 {
				n := len(in)
				if size > 0 {
					n = min(size, n)
				}
				if _, err := w.Write(in[:n]); err != nil {
					t.Fatal(err)
				}
				in = in[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if got.String() != tt.want {
				t.Errorf("%s, cut at %d: %q, want %q", tt.name, size, got.String(), tt.want)
			}
		}
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
