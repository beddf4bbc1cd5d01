//go:build unix

package onepassword

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// isPrivate says whether only root or this user can change the file.
func isPrivate(info fs.FileInfo) bool {
	if info.Mode().Perm()&0o022 != 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid())
}

// isOwn says whether the file is this user's.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// privateAbove says whether nobody else can put another directory in the place of
// this one: all above it are root's or this user's, and not open to others unless
// they are sticky, as /tmp is.
func privateAbove(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		open := info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0
		if !ok || open || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
			return fmt.Errorf("%s can be changed by others, and so can what is in it", parent)
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}
