package deploy

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// clockSlack is how far the time stamps of a file system may lag behind our clock:
// the kernel takes them from the last tick.
const clockSlack = 20 * time.Millisecond

// OwnFolder reports whether a folder is this process's user's. One that cannot be looked
// at counts as ours: what is wrong with it is told elsewhere.
func OwnFolder(dir string) bool {
	var info unix.Stat_t
	return unix.Stat(dir, &info) != nil || int(info.Uid) == os.Geteuid()
}

// ReturnFiles gives the files below dir that root has made since then to the
// owner of dir, and says how many. In the container of an action we are root, and
// so are hooks and git: what they write into the workspace of a self-hosted runner
// its user could not remove, and the next checkout fails.
//
// Older files, those of others, links' targets and other file systems mounted
// below dir are left alone; so is everything where the file system does not know
// when a file was made, and where dir is root's or we are not.
func ReturnFiles(dir string, since time.Time) (int, error) {
	if os.Geteuid() != 0 {
		return 0, nil
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	var top unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &top); err != nil {
		_ = unix.Close(fd)
		return 0, &os.PathError{Op: "statx", Path: dir, Err: err}
	}
	if top.Uid == 0 {
		_ = unix.Close(fd)
		return 0, nil
	}
	r := ownerWalk{uid: int(top.Uid), gid: int(top.Gid), major: top.Dev_major, minor: top.Dev_minor, since: since.Add(-clockSlack)}
	r.below(fd, dir)
	return r.returned, errors.Join(r.errs...)
}

// An ownerWalk is one walk. Every step is relative to an open directory and follows
// no link, so that nobody can lead it elsewhere meanwhile.
type ownerWalk struct {
	uid, gid     int
	major, minor uint32
	since        time.Time
	returned     int
	errs         []error // the first few
}

// below walks an open directory, and closes it.
func (r *ownerWalk) below(fd int, path string) {
	dir := os.NewFile(uintptr(fd), path)
	defer func() { _ = dir.Close() }() // it was only read
	for {
		names, err := dir.Readdirnames(512)
		for _, name := range names {
			r.entry(fd, name, path+"/"+name)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.note(err)
			}
			return
		}
	}
}

// entry looks at one name of a directory.
func (r *ownerWalk) entry(dir int, name, path string) {
	var found unix.Statx_t
	const what = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	if unix.Statx(dir, name, unix.AT_SYMLINK_NOFOLLOW, what, &found) != nil || found.Dev_major != r.major || found.Dev_minor != r.minor {
		return // it has gone meanwhile, or is another file system's
	}
	if r.isNew(&found) {
		// Looked at again through the descriptor that it is changed through.
		fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		if err = unix.Statx(fd, "", unix.AT_EMPTY_PATH, what, &found); err == nil && r.isNew(&found) {
			if err = unix.Fchownat(fd, "", r.uid, r.gid, unix.AT_EMPTY_PATH); err == nil {
				r.returned++
			}
		}
		_ = unix.Close(fd)
		if err != nil {
			r.note(&os.PathError{Op: "chown", Path: path, Err: err})
		}
	}
	if found.Mode&unix.S_IFMT == unix.S_IFDIR {
		if fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
			r.below(fd, path)
		}
	}
}

// isNew reports whether root has made a file since the beginning.
func (r *ownerWalk) isNew(found *unix.Statx_t) bool {
	return found.Uid == 0 && found.Mask&unix.STATX_BTIME != 0 &&
		!time.Unix(found.Btime.Sec, int64(found.Btime.Nsec)).Before(r.since)
}

// note keeps the first errors.
func (r *ownerWalk) note(err error) {
	if len(r.errs) < 5 {
		r.errs = append(r.errs, err)
	}
}
