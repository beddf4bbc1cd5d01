package program

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden sets what holds for the whole process. Its memory holds keys and
// secrets: without these settings another process of the user could read it, and
// a crash would write it to a file. Orphans of what we start become our children,
// so that they can be ended with the run. What a sandbox refuses is told.
func harden() (refused []error) {
	for _, setting := range []struct {
		lost string
		set  func() error
	}{
		{
			"other processes of this user can read this one's memory, in which secrets are (PR_SET_DUMPABLE)",
			func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) },
		},
		{
			"a crash may write secrets to a core file (RLIMIT_CORE)",
			func() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) },
		},
		{
			"what Kamal or a hook leaves running may outlive the run (PR_SET_CHILD_SUBREAPER)",
			func() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) },
		},
	} {
		if err := setting.set(); err != nil {
			refused = append(refused, fmt.Errorf("the system refused a setting of this process, so that %s: %w", setting.lost, err))
		}
	}
	return refused
}
