//go:build unix

package owner

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Own reports whether a file is this user's.
func Own(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// Private reports whether only root or this user can change a file.
func Private(info fs.FileInfo) bool { return trusted(info) && info.Mode().Perm()&0o022 == 0 }

// Replaceable reports whether another user could put another file in the place of one of
// root's or this user's that lies in a directory; nil where none could. The directory
// and all above it are root's or this user's, and closed to the writing of others
// unless they are sticky, as /tmp is: there only its owner renames a file. The path
// is absolute and has no link in it.
func Replaceable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !trusted(info) || info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
			return fmt.Errorf("%s can be changed by others, and so can what is in it", dir)
		}
		above := filepath.Dir(dir)
		if above == dir {
			return nil
		}
		dir = above
	}
}

// trusted reports whether a file is root's or this user's.
func trusted(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid())
}
