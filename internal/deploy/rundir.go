package deploy

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/internal/owner"
)

// runDirPrefix begins the name of every private directory of a run. The sweep
// looks at nothing else.
const runDirPrefix = "kamal-op-run-"

// sweepAfter is how old a directory must be before another run may take it for
// left behind: a run locks its directory right after making it, not at once.
const sweepAfter = time.Minute

// marker is a file that only we write, into a run's directory: by its name alone a
// person's own directory could be taken for one.
const (
	marker     = "kamal-op.run"
	markerText = "A run of kamal-op made this directory, and it goes with the run.\n"
)

// room is what a run may need in its directory at least: a place in memory that is
// full is left for the next.
const room = 1 << 20

// A runDir is the private directory of one run: mode 0700, memory-backed where
// there is such a place, locked for as long as the run lives, removed at its end.
// In it lie sockets, names of this program, the preload and docker's client
// configuration. Kamal's `docker login` puts the registry's password into the
// latter: for the length of the run, and in memory where the system has a place
// for that.
type runDir struct {
	path   string
	lock   *os.File // the directory itself, flocked
	parent *os.Root // where it is to be removed from
}

// newRunDir makes the directory in the first of the places that will have it.
func newRunDir(env map[string]string) (*runDir, error) {
	var errs []error
	for _, place := range runDirPlaces(env) {
		dir, err := makeRunDir(place)
		if err == nil {
			return dir, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("making a private directory: %w", errors.Join(errs...))
}

// makeRunDir makes it in a place, by the place's descriptor. What it leaves where
// it fails is removed.
func makeRunDir(place string) (_ *runDir, err error) {
	parent, path, err := openPlace(place)
	if err != nil {
		return nil, err
	}
	name := runDirPrefix + rand.Text()[:10]
	d := &runDir{path: filepath.Join(path, name), parent: parent}
	if err := parent.Mkdir(name, 0o700); err != nil {
		return nil, errors.Join(err, parent.Close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, parent.RemoveAll(name), parent.Close())
		}
	}()
	root, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if d.lock, err = lockDir(root); err != nil {
		return nil, fmt.Errorf("locking the run's directory: %w", err)
	}
	if err := errors.Join(root.WriteFile("room", make([]byte, room), 0o600), root.Remove("room")); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	if err := root.WriteFile(marker, []byte(markerText), 0o600); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

// remove takes the directory away, with all that is in it. Kamal's children may
// be writing still when they are killed: it tries again for a moment.
func (d *runDir) remove() error {
	defer func() { _, _ = d.lock.Close(), d.parent.Close() }() // nothing was written to them
	var err error
	for range 20 {
		if err = d.parent.RemoveAll(filepath.Base(d.path)); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("removing the run's directory: %w", err)
}

// sub makes a directory below, private as well.
func (d *runDir) sub(name string) (string, error) {
	path := filepath.Join(d.path, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", err
	}
	return path, nil
}

// lockDir locks a directory; the lock is held for as long as the file is open, and
// no longer than the process lives. It fails where another process holds the lock.
func lockDir(root *os.Root) (*os.File, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// Sweep removes the directories that killed runs of this user have left, and gives
// their number. Every run does so at its beginning.
func Sweep(env map[string]string) int { return sweep(env, time.Now()) }

// sweep removes the directories that killed runs of this user have left: those
// whose lock is free. It gives the number removed; what cannot be removed is left
// to the next run.
func sweep(env map[string]string, now time.Time) int {
	swept := 0
	for _, place := range runDirPlaces(env) {
		swept += sweepPlace(place, now)
	}
	return swept
}

// sweepPlace sweeps one of the places.
func sweepPlace(path string, now time.Time) int {
	parent, _, err := openPlace(path)
	if err != nil {
		return 0 // no run makes its directory there either
	}
	defer func() { _ = parent.Close() }() // nothing was written to it
	dir, err := parent.Open(".")
	if err != nil {
		return 0
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0
	}
	swept := 0
	for _, name := range names {
		if strings.HasPrefix(name, runDirPrefix) && sweepOne(parent, name, now) {
			swept++
		}
	}
	return swept
}

// sweepOne removes one directory if it is this user's, marked as a run's, old
// enough, and nobody holds its lock.
func sweepOne(parent *os.Root, name string, now time.Time) bool {
	if info, err := parent.Lstat(name); err != nil || !info.IsDir() {
		return false
	}
	root, err := parent.OpenRoot(name)
	if err != nil {
		return false
	}
	defer func() { _ = root.Close() }() // nothing was written to it
	info, err := root.Stat(".")
	if err != nil || info.Mode().Perm()&0o077 != 0 || !owner.Own(info) || now.Sub(info.ModTime()) < sweepAfter || !hasMarker(root) {
		return false
	}
	lock, err := lockDir(root)
	if err != nil {
		return false
	}
	defer func() { _ = lock.Close() }()
	return parent.RemoveAll(name) == nil
}

// hasMarker reports whether a directory has our marker.
func hasMarker(root *os.Root) bool {
	info, err := root.Lstat(marker)
	if err != nil || !info.Mode().IsRegular() || !owner.Own(info) || info.Size() != int64(len(markerText)) {
		return false
	}
	text, err := root.ReadFile(marker)
	return err == nil && string(text) == markerText
}

// runDirPlaces are the places to try, the best first: memory that only this user
// can enter, memory, then where temporary files go.
func runDirPlaces(env map[string]string) []string {
	var places []string
	for _, path := range []string{env["XDG_RUNTIME_DIR"], "/dev/shm"} {
		// A path with a space cannot stand in RUBYOPT, a long one not in the
		// address of a socket (108 bytes on Linux, 104 on macOS).
		if path != "" && !strings.ContainsAny(path, " \t\n") && len(path) < 48 && inMemory(path) {
			places = append(places, path)
		}
	}
	if temp := env["TMPDIR"]; temp != "" && !strings.ContainsAny(temp, " \t\n") && len(temp) < 64 {
		places = append(places, temp)
	}
	return append(places, "/tmp")
}

// openPlace opens a directory where nobody but root and this user can put another
// in the place of one that we make: neither there nor anywhere on the way to it. It
// gives the path without links, which a client could otherwise be led along: what
// the run starts is told of its directory by name.
func openPlace(path string) (root *os.Root, resolved string, err error) {
	if resolved, err = filepath.Abs(path); err != nil {
		return nil, "", err
	}
	if resolved, err = filepath.EvalSymlinks(resolved); err != nil {
		return nil, "", err
	}
	if root, err = os.OpenRoot(resolved); err != nil {
		return nil, "", err
	}
	if err := checkOwners(root, resolved); err != nil {
		return nil, "", errors.Join(err, root.Close())
	}
	return root, resolved, nil
}

// checkOwners says who could change the opened directory or what is above it.
func checkOwners(root *os.Root, path string) error {
	opened, err := root.Stat(".")
	if err != nil {
		return err
	}
	named, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(opened, named) {
		return fmt.Errorf("%s is replaced while it is looked at", path)
	}
	return owner.Replaceable(path)
}
