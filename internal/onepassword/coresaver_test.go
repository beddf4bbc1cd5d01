//go:build unix

package onepassword

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// home is a home directory without links, closed to others.
func home(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// names are the files below a directory, all of them.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && path != dir {
			all = append(all, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCoreSaver_KeepsOthersOut(t *testing.T) {
	dir := filepath.Join(home(t), ".cache", "kamal-op", "core")
	content := bytes.Repeat([]byte("code"), 1<<20)
	k := &coreSaver{dir: dir}
	k.add(entryName([32]byte{1}), bytes.NewReader(content))
	k.settle(time.Minute)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Dir(dir): 0o700, filepath.Join(dir, entryName([32]byte{1})): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info, err, want)
		}
	}
	reader := &cacheReader{keep: &coreSaver{}}
	root, err := openPrivate(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	reader.roots = append(reader.roots, root)
	entry, ok, err := reader.Get([32]byte{1})
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if got, err := io.ReadAll(entry); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
	if err := entry.Close(); err != nil {
		t.Error(err)
	}
}

// TestCoreSaver_MakesNothingWhereOthersCanChangeIt: where somebody else could change what is kept, or where
// nothing can be, nothing is made at all.
func TestCoreSaver_MakesNothingWhereOthersCanChangeIt(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, home string) string{
		"a home open to the group": func(t *testing.T, home string) string {
			if err := os.Chmod(home, 0o770); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(home, ".cache", "core")
		},
		"a directory open to all": func(t *testing.T, home string) string {
			dir := filepath.Join(home, "core")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		"a directory that others read": func(t *testing.T, home string) string {
			dir := filepath.Join(home, "core")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		"a link to where others write": func(t *testing.T, home string) string {
			open := filepath.Join(home, "open")
			if err := os.Mkdir(open, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(open, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(open, filepath.Join(home, ".cache")); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(home, ".cache", "core")
		},
		"a file in its place": func(t *testing.T, home string) string {
			if err := os.WriteFile(filepath.Join(home, ".cache"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(home, ".cache", "core")
		},
		"no directory": func(*testing.T, string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			home := home(t)
			k := &coreSaver{dir: prepare(t, home)}
			before := names(t, home)
			k.add(entryName([32]byte{1}), strings.NewReader("code"))
			k.settle(time.Minute)
			if after := names(t, home); len(after) != len(before) {
				t.Errorf("there is more: %q", after)
			}
		})
	}
}

// TestCoreSaver_WorksTwiceAtOnce: each writes all of it, and nobody ever reads a part.
func TestCoreSaver_WorksTwiceAtOnce(t *testing.T) {
	dir, name, content := filepath.Join(home(t), "core"), entryName([32]byte{1}), bytes.Repeat([]byte("code"), 1<<20)
	var over sync.WaitGroup
	for range 4 {
		over.Go(func() {
			k := &coreSaver{dir: dir}
			k.add(name, bytes.NewReader(content))
			k.settle(time.Minute)
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
			}
		})
	}
	over.Wait()
	if all := names(t, dir); len(all) != 1 {
		t.Errorf("left: %q", all)
	}
}

// endless is content without an end.
type endless struct {
	read chan struct{} // closed with the first read
	once sync.Once
}

func (e *endless) Read(p []byte) (int, error) {
	e.once.Do(func() { close(e.read) })
	time.Sleep(time.Millisecond) // the disk is not to be filled
	return min(len(p), 64<<10), nil
}

// TestCoreSaver_EndsWithTheProgram: the end of the program ends it, and no part is left.
func TestCoreSaver_EndsWithTheProgram(t *testing.T) {
	dir := filepath.Join(home(t), "core")
	k, content := &coreSaver{dir: dir}, &endless{read: make(chan struct{})}
	k.add(entryName([32]byte{1}), content)
	<-content.read
	k.settle(0)
	k.settle(time.Minute) // however long that takes here
	k.add(entryName([32]byte{2}), strings.NewReader("late"))
	if all := names(t, dir); len(all) != 0 {
		t.Errorf("left: %q", all)
	}
}

// TestCoreSaver_RemovesOldEntries: what other versions have kept goes when it is old, and so do
// parts of runs that were killed; what is not ours stays.
func TestCoreSaver_RemovesOldEntries(t *testing.T) {
	dir := filepath.Join(home(t), "core")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	name := func(n byte) string { return entryName([32]byte{n}) }
	stays := map[string]bool{name(3): true}
	for file, age := range map[string]struct {
		age   time.Duration
		stays bool
	}{
		name(1):                {31 * 24 * time.Hour, false},
		name(2):                {24 * time.Hour, true},
		name(4):                {31 * 24 * time.Hour, true}, // used by this program
		name(3) + ".AAAA.part": {time.Hour, false},
		name(3) + ".BBBB.part": {time.Minute, true},
		"notes":                {365 * 24 * time.Hour, true},
	} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age.age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
		if age.stays {
			stays[file] = true
		}
	}
	k := &coreSaver{dir: dir}
	k.use(name(4))
	k.add(name(3), strings.NewReader("code"))
	k.settle(time.Minute)
	all := names(t, dir)
	for _, file := range all {
		if !stays[file] {
			t.Errorf("%s is still there", file)
		}
	}
	if len(all) != len(stays) {
		t.Errorf("left: %q, want %v", all, stays)
	}
}
