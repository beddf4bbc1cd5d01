package kamal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A file that is too long is not read in part.
func TestReadBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for length, want := range map[int]error{0: nil, 9: nil, 10: nil, 11: syscall.EFBIG, 50: syscall.EFBIG} {
		if err := os.WriteFile(path, []byte(strings.Repeat("x", length)), 0o600); err != nil {
			t.Fatal(err)
		}
		if text, err := readBounded(path, 10); !errors.Is(err, want) || err == nil && len(text) != length {
			t.Errorf("%d: %d bytes, %v", length, len(text), err)
		}
	}
}

// With a cache a file is read once; without one it is read again.
func TestProjectOptions_CacheHoldsWhatWasRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "deploy.yml")
	cached, plain := ProjectOptions{Dir: dir, Cache: &Cache{}}, ProjectOptions{Dir: dir}
	for i, text := range []string{"service: one\n", "service: [\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := cached.config("deploy.yml"); err != nil {
			t.Errorf("%d, with a cache: %v", i, err)
		}
		if _, err := plain.config("deploy.yml"); (err != nil) != (i == 1) {
			t.Errorf("%d, without one: %v", i, err)
		}
	}
}

// What $NAME is in a line is what stands before it in the same file, the last of it.
func TestSecrets_BeforeIsTheLastBefore(t *testing.T) {
	file := ParseSecrets("s", "A=1\nA=2\nX=$A\nA=3\n", nil)
	other := ParseSecrets("t", "A=4\nB=5\n", nil)
	s := &Secrets{Files: []*SecretsFile{other, file}}
	d := file.Definitions
	for i, want := range []int{0, 1, 2, 2} { // the line of A before each
		got, ok := s.Before(d[i], "A")
		if ok != (want > 0) || got.Place.Line != want || ok && got.Place.File != "s" {
			t.Errorf("before line %d: %+v, %v", i+1, got.Place, ok)
		}
	}
	if got, ok := s.Before(d[3], "B"); ok {
		t.Errorf("%+v is another file's", got.Place)
	}
}
