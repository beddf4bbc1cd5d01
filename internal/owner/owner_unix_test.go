//go:build unix

package owner_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/owner"
)

// tree makes a directory in a directory, and gives both without links.
func tree(t *testing.T) (above, dir string) {
	t.Helper()
	above, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(above, "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return above, dir
}

func TestReplaceable(t *testing.T) {
	if err := owner.Replaceable("/"); err != nil {
		t.Fatalf("root's own directory: %v", err)
	}
	for name, mode := range map[string]struct {
		above, dir fs.FileMode
		want       string // which of the two
	}{
		"closed":                             {0o700, 0o700, ""},
		"readable":                           {0o755, 0o755, ""},
		"open and sticky, as /tmp":           {0o700, 0o777 | fs.ModeSticky, ""},
		"in one that is open and sticky":     {0o777 | fs.ModeSticky, 0o700, ""},
		"open to the group":                  {0o700, 0o770, "dir"},
		"open to all":                        {0o700, 0o777, "dir"},
		"closed, in one open to the group":   {0o770, 0o700, "above"},
		"closed, in one open to all":         {0o707, 0o700, "above"},
		"sticky, but in one that is not one": {0o777, 0o777 | fs.ModeSticky, "above"},
	} {
		t.Run(name, func(t *testing.T) {
			above, dir := tree(t)
			for path, mode := range map[string]fs.FileMode{above: mode.above, dir: mode.dir} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			err := owner.Replaceable(dir)
			culprit := map[string]string{"dir": dir, "above": above}[mode.want]
			if (err == nil) != (mode.want == "") || err != nil && !strings.HasPrefix(err.Error(), culprit+" can be changed") {
				t.Errorf("%v, want %q", err, culprit)
			}
		})
	}
	if err := owner.Replaceable(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there is one")
	}
}

func TestReplaceable_WhatIsAnothersIsHis(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	above, dir := tree(t)
	for _, path := range []string{dir, above} {
		if err := os.Chown(path, 65534, -1); err != nil {
			t.Fatal(err)
		}
		if err := owner.Replaceable(dir); err == nil || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s is another's: %v", path, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner.Own(info) || owner.Private(info) {
			t.Errorf("what is another's is taken for ours: %v %v", owner.Own(info), owner.Private(info))
		}
		if err := os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPrivate_AndOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[fs.FileMode]bool{0o600: true, 0o644: true, 0o620: false, 0o602: false, 0o666: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner.Private(info) != want || !owner.Own(info) {
			t.Errorf("%v: private %v, own %v", mode, owner.Private(info), owner.Own(info))
		}
	}
}

// The first that is nobody else's, by its path without links.
func TestPlace(t *testing.T) {
	above, dir := tree(t)
	open := filepath.Join(above, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil { // Mkdir heeds the umask
		t.Fatal(err)
	}
	link := filepath.Join(above, "link")
	if err := os.Symlink("in", link); err != nil {
		t.Fatal(err)
	}
	for _, places := range [][]string{{dir}, {link}, {"", open, filepath.Join(above, "none"), dir}} {
		if got, err := owner.Place(places...); got != dir || err != nil {
			t.Errorf("%q: %s, %v", places, got, err)
		}
	}
	if got, err := owner.Place(open, filepath.Join(above, "none")); err == nil {
		t.Errorf("it is %s", got)
	}
}
