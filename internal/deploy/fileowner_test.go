//go:build linux

package deploy

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestReturnFiles(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root leaves files that nobody else can remove")
	}
	const owner, other = 12345, 23456
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	write := func(name string, uid int) {
		t.Helper()
		path := name
		if !filepath.IsAbs(name) {
			path = filepath.Join(dir, name)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	write("old/of-root", 0)
	write("old/of-owner", owner)
	write("old/rewritten", 0)
	if err := os.Chown(dir, owner, owner); err != nil {
		t.Fatal(err)
	}
	write(outside, 0)
	time.Sleep(2 * clockSlack)
	since := time.Now()
	time.Sleep(2 * clockSlack) // as the time stamps of file systems lag
	write("old/new", 0)
	write("old/of-other", other)
	write("old/rewritten", 0)
	write("new/deep/er/file", 0)
	// git replaces its index: a new file of that name.
	write("old/index.lock", 0)
	if err := os.Rename(filepath.Join(dir, "old/index.lock"), filepath.Join(dir, "old/of-owner")); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"new/link": outside, "new/dangling": "/nowhere", "new/up": filepath.Dir(outside)} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	n, err := ReturnFiles(dir, since)
	if err != nil {
		t.Fatal(err)
	}
	if want := 9; n != want {
		t.Errorf("%d returned, want %d", n, want)
	}
	for name, want := range map[string]uint32{
		"old": 0, "old/of-root": 0, "old/rewritten": 0, "old/of-other": other, outside: 0, filepath.Dir(outside): 0,
		"old/new": owner, "old/of-owner": owner, "new": owner, "new/deep": owner, "new/deep/er": owner, "new/deep/er/file": owner,
		"new/link": owner, "new/dangling": owner, "new/up": owner,
	} {
		path := name
		if !filepath.IsAbs(name) {
			path = filepath.Join(dir, name)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d, want %d", name, got, want)
		}
	}
	if err := os.Chown(dir, 0, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := ReturnFiles(dir, since); n != 0 || err != nil {
		t.Errorf("in root's own directory: %d, %v", n, err)
	}
	if _, err := ReturnFiles(filepath.Join(dir, "nowhere"), since); err == nil {
		t.Error("a directory that is not there is no error")
	}
}
