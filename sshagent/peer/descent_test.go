package peer

import "testing"

// A family is processes by their numbers.
type family map[int]Process

func (f family) look(pid int) (Process, bool) {
	p, ok := f[pid]
	return p, ok
}

func born(parent int, start uint64) Process { return Process{Parent: parent, Start: start} }

// ours is this process (100), the Kamal that it started, a hook of that, and a
// process of the same user beside them.
func ours() family {
	return family{1: born(0, 1), 50: born(1, 5), 100: born(50, 10), 110: born(100, 20), 120: born(110, 30), 60: born(50, 40)}
}

// A number of a process means that process only while it lives: what descends from us
// is what was started by us, not what has the number of such a one now.
func TestDescends(t *testing.T) {
	for name, test := range map[string]struct {
		pid  int
		want bool
		// before the look of this number, from 1, the family changes
		at     int
		change func(family)
	}{
		"ourselves":                      {pid: 100, want: true},
		"a child":                        {pid: 110, want: true},
		"a grandchild":                   {pid: 120, want: true},
		"our parent":                     {pid: 50},
		"a sibling":                      {pid: 60},
		"init":                           {pid: 1},
		"one in another pid namespace":   {pid: 0},
		"nobody":                         {pid: 999},
		"we are PID 1 of a container":    {pid: 110, want: true, at: 1, change: func(f family) { f[100] = born(0, 10) }},
		"an orphan that came to us":      {pid: 120, want: true, at: 1, change: func(f family) { delete(f, 110); f[120] = born(100, 30) }},
		"an orphan that came to another": {pid: 120, at: 1, change: func(f family) { f[120] = born(1, 30) }},
		"a ring": {pid: 61, at: 1, change: func(f family) {
			f[61], f[62] = born(62, 9), born(61, 9)
		}},
		"a parent's number taken again": { // 60's parent ended, and 50 is a new child of ours
			pid: 60, at: 1, change: func(f family) { f[50] = born(100, 90) },
		},
		"an ended child's number a stranger's, between two looks": {pid: 120, at: 3, change: func(f family) { f[120] = born(60, 600) }},
		"an orphan given to us meanwhile":                         {pid: 120, want: true, at: 2, change: func(f family) { delete(f, 110); f[120] = born(100, 30) }},
		"an orphan given to init meanwhile":                       {pid: 120, at: 2, change: func(f family) { delete(f, 110); f[120] = born(1, 30) }},
		"a stranger's parent ends, and its number is our child's, which seems the elder": {
			pid: 60, at: 2, change: func(f family) { f[60], f[50] = born(1, 40), born(100, 15) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, looks := ours(), 0
			got := descends(test.pid, 100, func(pid int) (Process, bool) {
				if looks++; looks == test.at {
					test.change(f)
				}
				return f.look(pid)
			})
			if got != test.want {
				t.Errorf("descends: %v", got)
			}
		})
	}
	// What changes for ever is not ours.
	n := uint64(0)
	if descends(120, 100, func(int) (Process, bool) { n++; return born(110, n), true }) {
		t.Error("a walk that never ends well ends at us")
	}
}

func TestDescends_AChainAsLongAsHooksMakeIt(t *testing.T) {
	f := family{100: born(1, 1)}
	for pid := 101; pid <= 100+longestChain-1; pid++ {
		f[pid] = born(pid-1, uint64(pid))
	}
	if !descends(100+longestChain-1, 100, f.look) {
		t.Error("a long chain of ours is none")
	}
	f[100+longestChain] = born(100+longestChain-1, 1000)
	if descends(100+longestChain, 100, f.look) {
		t.Error("the walk has no end")
	}
}
