package e2e

import (
	"strings"
	"sync"
	"testing"
)

// A lane is the servers that one test at a time has for itself: those of tests that
// run side by side never meet.
type lane struct{ servers []*server }

// lanes hands lanes to tests. There are as many as tests have run side by side.
type lanes struct {
	mu   sync.Mutex
	all  []*lane
	free []*lane
	held map[string]*lane // by the name of the test
}

// of gives a test its lane until it ends; subtests share that of their test.
func (l *lanes) of(t *testing.T) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, more := t.Name(), true; more; {
		if held := l.held[name]; held != nil {
			return held
		}
		slash := strings.LastIndexByte(name, '/')
		if more = slash >= 0; more {
			name = name[:slash]
		}
	}
	if len(l.free) == 0 {
		added := new(lane)
		l.all, l.free = append(l.all, added), append(l.free, added)
	}
	// The last that was given back: its servers run already.
	given := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	l.held[t.Name()] = given
	t.Cleanup(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, t.Name())
		l.free = append(l.free, given)
	})
	return given
}

// server gives the nth server of the test's lane, from 0; it is started when first
// asked for, and kept for the tests that come after.
func (r *rig) server(t *testing.T, n int) *server {
	t.Helper()
	mine := r.lanes.of(t)
	for len(mine.servers) <= n {
		s, err := startServer(r.registry)
		if err != nil {
			t.Fatal(err)
		}
		mine.servers = append(mine.servers, s)
	}
	return mine.servers[n]
}

// A test has a lane until it ends, its subtests the same, and one that runs beside
// it another.
func TestLanes(t *testing.T) {
	l := lanes{held: map[string]*lane{}}
	t.Run("one", func(one *testing.T) {
		mine := l.of(one)
		one.Run("subtest", func(sub *testing.T) {
			if l.of(sub) != mine {
				sub.Error("a subtest has another lane than its test")
			}
		})
		t.Run("beside it", func(other *testing.T) {
			if l.of(other) == mine {
				other.Error("two tests have the same lane")
			}
		})
	})
	t.Run("later", func(later *testing.T) {
		if l.of(later); len(l.all) != 2 || len(l.free) != 1 {
			later.Errorf("there are %d lanes, %d of them free", len(l.all), len(l.free))
		}
	})
}
