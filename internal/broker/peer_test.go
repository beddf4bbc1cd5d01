package broker

import (
	"errors"
	"strings"
	"testing"
)

// A family is processes by their numbers.
type family map[int]process

func (f family) look(pid int) (process, bool) {
	p, ok := f[pid]
	return p, ok
}

// ours is this process (100), the Kamal that it started, a hook of that, and a
// process of the same user beside them.
func ours() family {
	return family{1: {0, 1}, 50: {1, 5}, 100: {50, 10}, 110: {100, 20}, 120: {110, 30}, 60: {50, 40}}
}

func TestPeer_OnlyWhatThisRunStartedIsServed(t *testing.T) {
	for name, test := range map[string]struct {
		peer   peer
		any    bool
		change func(family)
		want   string // of the refusal; "" is served
	}{
		"ourselves":                      {peer: peer{pid: 100, uid: 7}},
		"a child":                        {peer: peer{pid: 110, uid: 7}},
		"a grandchild":                   {peer: peer{pid: 120, uid: 7}},
		"an orphan that came to us":      {peer: peer{pid: 120, uid: 7}, change: func(f family) { delete(f, 110); f[120] = process{100, 30} }},
		"we are PID 1 of a container":    {peer: peer{pid: 110, uid: 7}, change: func(f family) { f[100] = process{0, 10} }},
		"our parent":                     {peer: peer{pid: 50, uid: 7}, want: "process 50 was not started by this run"},
		"a sibling":                      {peer: peer{pid: 60, uid: 7}, want: "process 60 was not started by this run"},
		"init":                           {peer: peer{pid: 1, uid: 7}, want: "not started by this run"},
		"an orphan that came to another": {peer: peer{pid: 120, uid: 7}, change: func(f family) { f[120] = process{1, 30} }, want: "not started"},
		"one in another pid namespace":   {peer: peer{pid: 0, uid: 7}, want: "cannot be seen here"},
		"one that is not in /proc":       {peer: peer{pid: 999, uid: 7}, want: "process 999 was not started by this run"},
		"one that has ended":             {peer: peer{pid: 110, uid: 7, gone: true}, want: "has ended"},
		"another user's child of ours":   {peer: peer{pid: 110, uid: 8}, want: "it is from user 8"},
		"root's child of ours":           {peer: peer{pid: 110, uid: 0}, want: "it is from user 0"},
		"the user is not known":          {peer: peer{pid: 60, uid: -1}, want: "not started"},
		"a parent's number taken again": {
			peer:   peer{pid: 60, uid: 7}, // 60's parent ended, and 50 is a new child of ours
			change: func(f family) { f[50] = process{100, 90} }, want: "not started",
		},
		"any peer of this user":                        {peer: peer{pid: 60, uid: 7}, any: true},
		"any peer, in a container, of root":            {peer: peer{pid: 0, uid: 0}, any: true},
		"any peer, but another user's":                 {peer: peer{pid: 60, uid: 8}, any: true, want: "it is from user 8"},
		"a process whose parents lead round in a ring": {peer: peer{pid: 61, uid: 7}, change: func(f family) { f[61] = process{62, 9}; f[62] = process{61, 9} }, want: "not started"},
	} {
		t.Run(name, func(t *testing.T) {
			f := ours()
			if test.change != nil {
				test.change(f)
			}
			test.peer.handle = -1
			err := test.peer.judge(7, 100, test.any, f.look)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("it is turned away: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("the refusal is %v, want %q", err, test.want)
			case err != nil && !errors.As(err, new(*stranger)):
				t.Errorf("%v is no refusal", err)
			}
		})
	}
}

// A parent ends while it is looked at, and its number becomes that of a child of
// ours: what was read then is of two different processes.
func TestPeer_AWalkThatIsOvertakenIsTakenAgain(t *testing.T) {
	f := ours()
	f[60] = process{50, 40}
	looks := 0
	look := func(pid int) (process, bool) {
		looks++
		p, ok := f.look(pid)
		if pid == 60 && looks == 1 {
			f[60], f[50] = process{1, 40}, process{100, 15} // reparented; 50 is now a child of ours, and seems the elder
		}
		return p, ok
	}
	if descends(60, 100, look) {
		t.Error("a stranger is taken for ours by the number of its former parent")
	}
	if looks < 4 {
		t.Errorf("%d looks: it did not walk again", looks)
	}
	// One that is ours and becomes an orphan meanwhile stays ours.
	f = ours()
	looks = 0
	look = func(pid int) (process, bool) {
		looks++
		p, ok := f.look(pid)
		if pid == 120 && looks == 1 {
			delete(f, 110)
			f[120] = process{100, 30}
		}
		return p, ok
	}
	if !descends(120, 100, look) {
		t.Error("an orphan of ours is turned away")
	}
	// What changes for ever is not served.
	n := uint64(0)
	if descends(120, 100, func(int) (process, bool) { n++; return process{110, n}, true }) {
		t.Error("a walk that never ends well is served")
	}
}

func TestPeer_AChainAsLongAsHooksMakeIt(t *testing.T) {
	f := family{100: {1, 1}}
	for pid := 101; pid <= 100+longestChain-1; pid++ {
		f[pid] = process{pid - 1, uint64(pid)}
	}
	if !descends(100+longestChain-1, 100, f.look) {
		t.Error("a long chain of ours is turned away")
	}
	f[100+longestChain] = process{100 + longestChain - 1, 1000}
	if descends(100+longestChain, 100, f.look) {
		t.Error("the walk has no end")
	}
}
