package resolved_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
)

// asks gives the path of what a Kamal is given to load, where temporary files go to temp.
func asks(t *testing.T, temp string) string {
	t.Helper()
	dir := t.TempDir()
	kamal := filepath.Join(dir, "kamal")
	const script = "#!/bin/sh\necho \"$RUBYOPT\" >loads\nprintf '\\n%s{}\\n' \"$KAMAL_OP_RESOLVED\"\n"
	if err := os.WriteFile(kamal, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	q := resolved.Question{Kamal: kamal, Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + temp}}
	if _, err := q.Raw(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "loads"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(string(text)), "-r")
}

// What Kamal is asked with is code that it runs: it lies where no other user could put
// other code in its place, and where RUBYOPT can name it.
func TestQuestion_AvoidsPlacesAnotherUserCanChange(t *testing.T) {
	temp, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got := asks(t, temp); !strings.HasPrefix(got, temp+"/") {
		t.Errorf("it is %s", got)
	}
	open, spaced := filepath.Join(temp, "open"), filepath.Join(temp, "with a space")
	for _, dir := range []string{open, spaced} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{open, spaced} {
		if got := asks(t, dir); strings.HasPrefix(got, temp) || strings.Contains(got, " ") {
			t.Errorf("it is %s", got)
		}
	}
	if os.Geteuid() != 0 {
		return // only root can give a directory to another user
	}
	if err := os.Chown(spaced, 65534, -1); err != nil {
		t.Fatal(err)
	}
	anothers := filepath.Join(temp, "anothers")
	if err := os.Rename(spaced, anothers); err != nil {
		t.Fatal(err)
	}
	if got := asks(t, anothers); strings.HasPrefix(got, temp) {
		t.Errorf("it is %s", got)
	}
}
