//go:build !unix

package owner

import (
	"errors"
	"io/fs"
)

// Elsewhere it cannot be told who may change a file: nothing is trusted.

// Own reports whether a file is this user's.
func Own(fs.FileInfo) bool { return false }

// Private reports whether only root or this user can change a file.
func Private(fs.FileInfo) bool { return false }

// Replaceable reports whether another user could put another file in the place of one.
func Replaceable(string) error { return errors.ErrUnsupported }
