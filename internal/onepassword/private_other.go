//go:build !unix

package onepassword

import (
	"errors"
	"io/fs"
)

// Elsewhere it cannot be told who may change a file: the core is compiled.

func isPrivate(fs.FileInfo) bool { return false }

func isOwn(fs.FileInfo) bool { return false }

func privateAbove(string) error { return errors.ErrUnsupported }
