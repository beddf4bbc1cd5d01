package peer

// A Process is what the kernel says of one.
type Process struct {
	Name   string // which a process can give itself: for people, and decides nothing
	Parent int
	Start  uint64 // when it began, in whatever unit the kernel counts
	Zombie bool   // it has ended, and is not waited for yet
}

// A looker finds what the kernel says of a process.
type looker func(pid int) (Process, bool)

// LookUp reads what the kernel says of a process.
func LookUp(pid int) (Process, bool) { return lookUp(pid) }

// Began is when a living process began, in a unit of the system's own: with its number
// that tells it from every later one.
func Began(pid int) (start uint64, ok bool) {
	p, ok := lookUp(pid)
	return p.Start, ok && !p.Zombie
}

// longestChain bounds the walk from a process up to its ancestor.
const longestChain = 256

// descends says whether a process is the ancestor or descends from it. Processes
// end meanwhile, their children are given to others, and their numbers are given
// away: a step counts only where the child still has this parent after the parent
// was looked at, and where the parent is not the younger of the two. Where something
// has changed the walk begins again.
func descends(pid, ancestor int, look looker) bool {
	for range 5 {
		if found, changed := climb(pid, ancestor, look); !changed {
			return found
		}
	}
	return false
}

// climb walks up once. changed says that something did on the way.
func climb(pid, ancestor int, look looker) (found, changed bool) {
	if pid <= 0 {
		return false, false // of another namespace
	}
	if pid == ancestor {
		return true, false
	}
	child, ok := look(pid)
	if !ok {
		return false, false
	}
	for range longestChain {
		if pid == ancestor {
			return true, false
		}
		if child.Parent <= 0 {
			return false, false
		}
		parent, ok := look(child.Parent)
		if again, still := look(pid); !ok || !still || again != child || parent.Start > child.Start {
			return false, true
		}
		pid, child = child.Parent, parent
	}
	return false, false
}
