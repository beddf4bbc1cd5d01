package sshagent

import "testing"

// A number of a process means that process only while it lives: what descends
// from us is what was started by us, not what has the number of such a one now.
func TestDescends(t *testing.T) {
	// 10 is us, 11 our child, 12 its child; 20 a stranger.
	table := map[int]process{
		1: {parent: 0, start: 1}, 10: {parent: 1, start: 100}, 11: {parent: 10, start: 110},
		12: {parent: 11, start: 120}, 20: {parent: 1, start: 50},
	}
	for name, c := range map[string]struct {
		pid  int
		want bool
		// before the look of this number the table changes
		at     int
		change func(map[int]process)
	}{
		"ourselves":           {pid: 10, want: true},
		"a child":             {pid: 11, want: true},
		"a grandchild":        {pid: 12, want: true},
		"a stranger":          {pid: 20},
		"init":                {pid: 1},
		"another namespace's": {pid: 0},
		"nobody":              {pid: 99},
		"a parent whose number was given to a younger one": {pid: 12, at: 1, change: func(m map[int]process) {
			m[11] = process{parent: 10, start: 500}
		}},
		"a child that ended, its number a stranger's, between two looks": {pid: 12, at: 3, change: func(m map[int]process) {
			m[12] = process{parent: 20, start: 600}
		}},
		"an orphan given to us meanwhile": {pid: 12, want: true, at: 2, change: func(m map[int]process) {
			delete(m, 11)
			m[12] = process{parent: 10, start: 120}
		}},
		"an orphan given to init meanwhile": {pid: 12, at: 2, change: func(m map[int]process) {
			delete(m, 11)
			m[12] = process{parent: 1, start: 120}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			now, looks := map[int]process{}, 0
			for pid, p := range table {
				now[pid] = p
			}
			got := descends(c.pid, 10, func(pid int) (process, bool) {
				if looks++; looks == c.at {
					c.change(now)
				}
				p, ok := now[pid]
				return p, ok
			})
			if got != c.want {
				t.Errorf("descends: %v", got)
			}
		})
	}
}
