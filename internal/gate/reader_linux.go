package gate

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pipeReader is the name of the program of this job that reads the other end of a
// pipe, where that is positively seen: it is a process that belongs to the same job
// as we, by its environment, and that we do not come from. "" is everything else: the
// runner, a process that may not be looked at, one of another container.
func pipeReader(f *os.File, env map[string]string) string {
	var run string                                                    // what every process of this job has in its environment
	for _, name := range []string{"GITHUB_RUN_ID", "BUILD_BUILDID"} { // GitHub's, Azure's
		if id := env[name]; run == "" && id != "" {
			run = name + "=" + id
		}
	}
	if f == nil || run == "" {
		return ""
	}
	var stat unix.Stat_t
	if unix.Fstat(int(f.Fd()), &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return ""
	}
	pipe := "pipe:[" + strconv.FormatUint(stat.Ino, 10) + "]"
	ancestors := map[int]bool{os.Getpid(): true}
	for pid := os.Getppid(); pid > 0 && !ancestors[pid]; pid = parent(pid) {
		ancestors[pid] = true
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err != nil || to != pipe {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || ancestors[pid] || !reads(dir, filepath.Base(fd)) || !ofJob(dir, run) {
			continue
		}
		if name, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil {
			return strings.TrimSpace(string(name))
		}
	}
	return ""
}

// reads reports whether a process has a descriptor open for reading.
func reads(dir, fd string) bool {
	info, err := os.ReadFile(filepath.Join(dir, "fdinfo", fd))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(info)) {
		if rest, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(rest), 8, 64)
			return err == nil && flags&unix.O_ACCMODE != unix.O_WRONLY
		}
	}
	return false
}

// ofJob reports whether a process was started in a step of this run.
func ofJob(dir, run string) bool {
	environ, err := os.ReadFile(filepath.Join(dir, "environ"))
	return err == nil && bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+run+"\x00"))
}

// parent is the parent of a process, 0 where it is not known.
func parent(pid int) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold anything.
	_, rest, _ := strings.Cut(string(text[max(0, bytes.LastIndexByte(text, ')')):]), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	pid, _ = strconv.Atoi(fields[1])
	return pid
}
