package onepassword

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// SharedCacheDir is where the published image carries the SDK's core compiled,
// owned by root and read-only.
const SharedCacheDir = "/usr/local/share/kamal-op/core"

// A WarmedCache says what WarmCache left.
type WarmedCache struct {
	Dir     string
	Entries int
	Bytes   int64
	Took    time.Duration
}

// WarmCache compiles the SDK's core into a directory, from which CacheDirs loads it
// in a tenth of a second. The directory is made if it is not there (0700), and
// refused unless it is this user's and closed to all others: what lies there is
// run in a process that holds secrets. Entries of earlier versions are removed.
//
// An entry serves every machine of the same operating system, architecture and
// features, of which wazero tells apart on amd64 SSE4.1, BMI1, and BMI2 with POPCNT
// (all or nothing on processors since 2013 and on every hosted runner), and on
// arm64 the atomic instructions. On others the core is compiled as without a cache.
//
// With shared every user of the machine may read it, none but its owner change it:
// for an image, whose runs may be any user's.
//
// It must be the first use of the SDK in the process. The error is a
// *problem.Problem.
func WarmCache(dir string, shared bool) (WarmedCache, error) {
	const private = "name a directory that is yours alone: chmod 700, in a directory that others cannot change"
	w := WarmedCache{Dir: dir}
	if dir == "" {
		return w, problem.Usagef("name a directory", "the cache has no directory")
	}
	directory, file := fs.FileMode(0o700), fs.FileMode(0o600)
	if shared {
		directory, file = 0o755, 0o644
	}
	if err := os.MkdirAll(dir, directory); err != nil {
		return w, &problem.Problem{Message: "the cache directory " + quoteReference(dir) + " cannot be made", Hint: private, Status: problem.Usage, Cause: err}
	}
	root, err := openPrivate(dir, !shared)
	if err != nil {
		return w, &problem.Problem{Message: "the cache directory is refused: " + err.Error(), Hint: private, Status: problem.Usage, Cause: err}
	}
	defer root.Close() //nolint:errcheck // what was written was synced
	began := time.Now()
	writer := &cacheWriter{root: root, written: map[string]int64{}}
	err = errors.New("the core was loaded already")
	core.once.Do(func() {
		defer close(core.done)
		core.started.Store(true)
		err = withCache(writer, touchCore)
		core.err = err
	})
	switch {
	case errors.Is(err, errGuard):
		return w, &problem.Problem{Message: "this build cannot cache the core: " + err.Error(), Hint: "use a released binary", Status: problem.Found, Cause: err, Help: problem.CoreCache}
	case err != nil:
		return w, &problem.Problem{Message: "compiling the core: " + err.Error(), Status: problem.Found, Cause: err, Help: problem.CoreCache}
	case len(writer.written) == 0:
		return w, &problem.Problem{Message: "this machine has nothing to cache: wazero compiles for amd64 and arm64 only", Status: problem.Found, Help: problem.CoreCache}
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return w, &problem.Problem{Message: "reading the cache directory: " + err.Error(), Status: problem.Found, Cause: err, Help: problem.CoreCache}
	}
	for _, entry := range entries {
		if _, ours := writer.written[entry.Name()]; !ours && isEntry(entry) {
			if err := root.Remove(entry.Name()); err != nil {
				return w, &problem.Problem{Message: "removing an old entry: " + err.Error(), Status: problem.Found, Cause: err, Help: problem.CoreCache}
			}
		}
	}
	for name, n := range writer.written {
		if err := root.Chmod(name, file); err != nil {
			return w, &problem.Problem{Message: "setting the mode of an entry: " + err.Error(), Status: problem.Found, Cause: err, Help: problem.CoreCache}
		}
		w.Entries++
		w.Bytes += n
	}
	w.Took = time.Since(began)
	return w, nil
}
