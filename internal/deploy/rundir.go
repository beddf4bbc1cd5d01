package deploy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// runDirPrefix begins the name of every private directory of a run. The sweep
// looks at nothing else.
const runDirPrefix = "kamal-op-run-"

// sweepAfter is how old a directory must be before another run may take it for
// left behind: a run locks its directory right after making it, not at once.
const sweepAfter = time.Minute

// A runDir is the private directory of one run: mode 0700, memory-backed where
// there is such a place, locked for as long as the run lives, removed at its end.
// In it lie sockets, names of this program, the preload and docker's client
// configuration. Kamal's `docker login` puts the registry's password into the
// latter: for the length of the run, and in memory where the system has a place
// for that.
type runDir struct {
	path   string
	memory bool     // whether it lies in memory
	lock   *os.File // the directory itself, flocked
}

// newRunDir makes the directory in the first of the places that will have it.
func newRunDir(env map[string]string) (*runDir, error) {
	var errs []error
	for _, place := range runDirPlaces(env) {
		path, err := os.MkdirTemp(place.path, runDirPrefix)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		// MkdirTemp gives 0700 less the umask; the socket's path must not be a
		// link, or a client that resolves it could be led elsewhere.
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			path = resolved
		}
		lock, err := lockDir(path)
		if err != nil {
			_ = os.Remove(path)
			return nil, fmt.Errorf("locking the run's directory: %w", err)
		}
		return &runDir{path: path, memory: place.memory, lock: lock}, nil
	}
	return nil, fmt.Errorf("making a private directory: %w", errors.Join(errs...))
}

// remove takes the directory away, with all that is in it. Kamal's children may
// be writing still when they are killed: it tries again for a moment.
func (d *runDir) remove() error {
	defer func() { _ = d.lock.Close() }()
	var err error
	for range 20 {
		if err = os.RemoveAll(d.path); err == nil {
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

// lockDir opens a directory and locks it; the lock is held for as long as the
// file is open, and no longer than the process lives. It fails where another
// process holds the lock.
func lockDir(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = dir.Close()
		return nil, err
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
		swept += sweepPlace(place.path, now)
	}
	return swept
}

// sweepPlace sweeps one of the places.
func sweepPlace(path string, now time.Time) int {
	entries, err := os.ReadDir(path)
	if err != nil {
		return 0
	}
	swept := 0
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), runDirPrefix) && sweepOne(filepath.Join(path, entry.Name()), now) {
			swept++
		}
	}
	return swept
}

// sweepOne removes one directory if it is this user's, old enough, and nobody
// holds its lock.
func sweepOne(path string, now time.Time) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < sweepAfter {
		return false
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() {
		return false
	}
	lock, err := lockDir(path)
	if err != nil {
		return false
	}
	defer func() { _ = lock.Close() }()
	return os.RemoveAll(path) == nil
}

// A place is where run directories may be made.
type place struct {
	path   string
	memory bool
}

// runDirPlaces are the places to try, the best first: memory that only this user
// can enter, memory, then where temporary files go.
func runDirPlaces(env map[string]string) []place {
	var places []place
	for _, path := range []string{env["XDG_RUNTIME_DIR"], "/dev/shm"} {
		// A path with a space cannot stand in RUBYOPT, a long one not in the
		// address of a socket (108 bytes on Linux, 104 on macOS).
		if path != "" && !strings.ContainsAny(path, " \t\n") && len(path) < 48 && inMemory(path) {
			places = append(places, place{path, true})
		}
	}
	temp := env["TMPDIR"]
	if temp == "" || strings.ContainsAny(temp, " \t\n") || len(temp) >= 64 {
		temp = "/tmp"
	}
	return append(places, place{temp, false})
}
