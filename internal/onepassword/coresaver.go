package onepassword

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/owner"
)

// How long what lies in a user's own cache stays there, once something else is kept:
// an entry that this program did not use, for the sake of another version of it, and
// a part, which is of a run that is writing, or that was killed while it did.
const (
	keptFor = 30 * 24 * time.Hour
	partFor = 10 * time.Minute
)

// settleTime is how long the end of a program waits for what is being kept. It is
// written in hundredths of a second where nothing hangs.
const settleTime = time.Second

// errSettled is why an entry is not kept: the program ends.
var errSettled = errors.New("the run is over")

// A coreSaver keeps what a run has compiled in the user's own cache directory. It
// works beside the run, and that it cannot, for whatever reason, is no matter of the
// run's: the core is compiled again next time, as it is without a cache.
type coreSaver struct {
	dir string // "" keeps nothing

	mu      sync.Mutex
	closed  bool            // nothing more is begun
	cut     bool            // nor is anything ended
	used    map[string]bool // entries of this program
	writing sync.WaitGroup
}

// use notes an entry as one of this program's.
func (k *coreSaver) use(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.used == nil {
		k.used = map[string]bool{}
	}
	k.used[name] = true
}

// add begins to keep an entry. Nobody else reads the content.
func (k *coreSaver) add(name string, content io.Reader) {
	k.use(name)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dir == "" || k.closed {
		return
	}
	k.writing.Go(func() {
		root, err := makePrivate(k.dir)
		if err != nil {
			return // see the type: others can change it, or it cannot be written
		}
		defer root.Close() //nolint:errcheck // a directory
		if err := k.write(root, name, content); err == nil {
			k.tidy(root, time.Now())
		}
	})
}

// write writes an entry so that nobody ever sees a part of it under its name. It is
// not synced: an entry that a crash of the machine leaves incomplete has a wrong
// checksum, and is compiled and written anew.
func (k *coreSaver) write(root *os.Root, name string, content io.Reader) error {
	// Two runs at once write the same, each its own.
	part := name + "." + rand.Text() + partSuffix
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(k.copy(f, content), f.Close()); err == nil {
		err = root.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(part))
	}
	return nil
}

// copy copies all of an entry, or as much as there is time for.
func (k *coreSaver) copy(to *os.File, content io.Reader) error {
	for {
		k.mu.Lock()
		cut := k.cut
		k.mu.Unlock()
		if cut {
			return errSettled
		}
		if _, err := io.CopyN(to, content, 1<<20); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// tidy takes away what nobody uses any more. What cannot be taken away stays until
// the next time.
func (k *coreSaver) tidy(root *os.Root, now time.Time) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, entry := range entries {
		old := keptFor
		if strings.HasSuffix(entry.Name(), partSuffix) {
			old = partFor
		}
		if info, err := entry.Info(); err != nil || !isEntry(entry) || k.used[entry.Name()] || now.Sub(info.ModTime()) < old {
			continue
		}
		_ = root.Remove(entry.Name()) // see above
	}
}

// settle lets what is being kept be written, for that long, and ends it then: no
// part of it is left.
func (k *coreSaver) settle(within time.Duration) {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.writing.Wait()
	}()
	select {
	case <-done:
		return
	case <-time.After(within):
	}
	k.mu.Lock()
	k.cut = true
	k.mu.Unlock()
	select {
	case <-done:
	case <-time.After(within): // a file system that hangs
	}
}

// Settle ends what the SDK's core does beside a run: a program calls it as the last
// that it does.
func Settle() { core.keep.settle(settleTime) }

// makePrivate opens a directory that is this user's and closed to all others, and
// makes it where it is not there. Nothing is made where another user could put
// something else in its place.
func makePrivate(dir string) (*os.Root, error) {
	there := dir
	for {
		if _, err := os.Lstat(there); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		there = filepath.Dir(there)
	}
	real, err := filepath.EvalSymlinks(there)
	if err != nil {
		return nil, err
	}
	if err := owner.Replaceable(real); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return openPrivate(dir, true)
}
