package sshagent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

const (
	// keptEvents is how many events an agent remembers.
	keptEvents = 1000
	// keptUsers bounds the counts by user: with no list of users the names are
	// whatever clients send. Those beyond count as "".
	keptUsers = 100
)

// A journal keeps the newest events and counts them all.
type journal struct {
	log func(Event)
	// telling keeps the events in order for log. It is not the lock of the
	// counts, so that log may ask for them.
	telling sync.Mutex

	mu     sync.Mutex
	ring   []Event
	next   int // where the next event goes once the ring is full
	counts Counts
}

func (j *journal) add(e Event) {
	if j.log != nil {
		j.telling.Lock()
		defer j.telling.Unlock()
	}
	j.keep(e)
	if j.log != nil {
		j.log(e)
	}
}

func (j *journal) keep(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.ring) < keptEvents {
		j.ring = append(j.ring, e)
	} else {
		j.ring[j.next] = e
		j.next = (j.next + 1) % keptEvents
	}
	if !e.Signed {
		j.counts.Refused++
		return
	}
	j.counts.Signed++
	user := e.User
	if _, known := j.counts.Users[user]; !known && len(j.counts.Users) >= keptUsers {
		user = ""
	}
	if j.counts.Users == nil {
		j.counts.Users = make(map[string]int)
	}
	j.counts.Users[user]++
}

func (j *journal) events() []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append(slices.Clone(j.ring[j.next:]), j.ring[:j.next]...)
}

func (j *journal) total() Counts {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.counts
	c.Users = maps.Clone(c.Users)
	return c
}

// String is one line, as "3 signatures for root, 1 for deploy, 1 refused".
func (c Counts) String() string {
	var parts []string
	for _, user := range slices.Sorted(maps.Keys(c.Users)) {
		name := user
		if name == "" {
			name = "other users"
		}
		n := c.Users[user]
		what := ""
		if len(parts) == 0 {
			what = " signatures"
			if n == 1 {
				what = " signature"
			}
		}
		parts = append(parts, fmt.Sprintf("%d%s for %s", n, what, name))
	}
	if len(parts) == 0 {
		parts = append(parts, "no signatures")
	}
	if c.Refused > 0 {
		parts = append(parts, fmt.Sprintf("%d refused", c.Refused))
	}
	return strings.Join(parts, ", ")
}
