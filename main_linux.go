package main

import "golang.org/x/sys/unix"

// harden sets what holds for the whole process. Its memory holds keys and
// secrets: without these settings another process of the user could read it, and
// a crash would write it to a file. Orphans of what we start become our children,
// so that they can be ended with the run.
func harden() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}
