package kamal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// argumentRoom is what the arguments of a program, and the variables that Kamal adds for
// a hook, may need beside the environment.
const argumentRoom = 4 << 10

// TooLongTogether is a problem where an environment, of which the length of each value is
// known, is more than most, what execve(2) takes, so that what is to be started cannot
// be. It names the longest of the values that are ours.
func TooLongTogether(env, ours map[string]int, most int, started string) *problem.Problem {
	size := argumentRoom
	for name, n := range env {
		size += entrySize(name, n)
	}
	if most == 0 || size <= most || len(ours) == 0 {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(ours), func(a, b string) int {
		return cmp.Or(cmp.Compare(ours[b], ours[a]), cmp.Compare(a, b))
	})
	p := problem.Newf("the secrets are too long together: %d bytes with the rest of the environment, the system takes %d: they cannot be given to %s", size, most, started).About(problem.LongValue)
	const told = 5
	for _, name := range names[:min(told, len(names))] {
		p.Details = append(p.Details, fmt.Sprintf("%s: %d bytes", name, ours[name]))
	}
	if more := len(names) - told; more > 0 {
		p.Details = append(p.Details, fmt.Sprintf("and %d more", more))
	}
	p.Hint = "keep what is long in a file of the image or a volume, and a key to it in a secret; a larger stack (ulimit -s) takes more, up to 6 MiB"
	return p
}

// entrySize is what an entry takes: its end and a pointer to it count.
func entrySize(name string, value int) int { return len(name) + len("=") + value + 1 + 8 }
