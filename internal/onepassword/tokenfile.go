package onepassword

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// maxTokenFile is far above any token's length.
const maxTokenFile = 64 << 10

// ReadTokenFile reads a token from a file, without one newline at its end. A file
// that the group or others may read is refused, and one that is no regular file
// too, but for a pipe: `<(…)` of a shell. The error is a *problem.Problem of wrong
// usage, with the file system's error as its cause where there is one.
func ReadTokenFile(path string) (string, error) {
	refuse := func(cause error, hint, format string, args ...any) (string, error) {
		p := problem.Usagef(hint, "the token file %s %s", quoteReference(path), fmt.Sprintf(format, args...)).About(problem.BrokenToken)
		p.Cause = cause
		return "", p
	}
	// The file is opened first and looked at through its descriptor, so that it
	// cannot be another one by the time it is read.
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse(err, "write its path from the working directory, or absolute", "does not exist")
	case errors.Is(err, fs.ErrPermission):
		return refuse(err, "give it to the user that runs this", "may not be read")
	case err != nil:
		return refuse(err, "", "cannot be read")
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return refuse(err, "", "cannot be read")
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return refuse(nil, "name the file in it", "is a directory")
	case !mode.IsRegular() && mode&fs.ModeNamedPipe == 0:
		return refuse(nil, "name a regular file", "is no regular file")
	case mode.IsRegular() && mode.Perm()&0o077 != 0:
		return refuse(nil, "chmod 600 "+path, "can be read by others: its mode is %04o", mode.Perm())
	}
	content, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return refuse(err, "", "cannot be read")
	}
	if len(content) > maxTokenFile {
		return refuse(nil, "name the file that holds nothing but the token", "is larger than any token")
	}
	token := strings.TrimSuffix(string(content), "\n")
	token = strings.TrimSuffix(token, "\r")
	if token == "" {
		return refuse(nil, "put the token there", "is empty")
	}
	return token, nil
}
