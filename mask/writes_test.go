package mask

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestWriter_KeepsNoLargeCopy has a long Write behind a byte that was held back.
func TestWriter_KeepsNoLargeCopy(t *testing.T) {
	m := New(Encodings(false))
	m.Add("hunter22")
	w := m.Writer(&counting{})
	for _, p := range [][]byte{[]byte("x h"), bytes.Repeat([]byte("a line\n"), 1<<20)} {
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if cap(w.work) > 2*blockSize {
		t.Errorf("%d bytes are kept", cap(w.work))
	}
}

// TestWriter_OneWriteUpTo4KiB counts what is held back to no Write's length.
func TestWriter_OneWriteUpTo4KiB(t *testing.T) {
	m := New(Encodings(false))
	m.Add("hunter22")
	var out counting
	w := m.Writer(&out)
	for i, p := range []string{"x hun", "k\n" + strings.Repeat(".", joinSize-11) + "\nn\x1b[1mt\n"} {
		if _, err := w.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
		if out.writes != i+1 {
			t.Errorf("%d Writes, the last of %d bytes, became %d", i+1, len(p), out.writes)
		}
	}
}

// TestWriter_NothingBehindAnError writes nothing behind an error, whichever call got it.
func TestWriter_NothingBehindAnError(t *testing.T) {
	broken := errors.New("broken")
	for name, fail := range map[string]func(w *Writer) error{
		"Flush":       func(w *Writer) error { return w.Flush() },
		"Write":       func(w *Writer) error { _, err := w.Write([]byte("a line of no interest\n")); return err },
		"short Write": func(w *Writer) error { _, err := w.Write([]byte("k\n")); return err },
		"long Write":  func(w *Writer) error { _, err := w.Write(bytes.Repeat([]byte("a line\n"), 1<<14)); return err },
	} {
		m := New(Encodings(false))
		m.Add("hunter22")
		failed := false
		w := m.Writer(writerFunc(func([]byte) (int, error) {
			if failed {
				t.Errorf("%s: something is written behind an error", name)
			}
			failed = true
			return 0, broken
		}))
		if _, err := w.Write([]byte("hun")); err != nil {
			t.Fatal(err)
		}
		if err := fail(w); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
		if n, err := w.Write([]byte("another line of no interest\n")); n != 0 || !errors.Is(err, broken) {
			t.Errorf("%s: then Write gives %d, %v", name, n, err)
		}
		if err := w.Close(); !errors.Is(err, broken) {
			t.Errorf("%s: then Close gives %v", name, err)
		}
	}
}
