package kamal

import (
	"path"
	"strings"
	"time"
)

// A Freeze is what a mark says of a lock that keeps all from deploying until somebody
// takes it away, or its time is over.
type Freeze struct {
	Why   string    `json:"why"`
	Until time.Time `json:"until,omitzero"` // zero is without an end
}

// LongestWhy is how much the reason of a freeze may be, in characters: it stands in
// one line of the lock's details.
const LongestWhy = longestField

// momentFormat is a moment as a person reads it.
const momentFormat = "2006-01-02 15:04:05 UTC"

// Over reports whether the time of the freeze is over.
func (f Freeze) Over(now time.Time) bool { return !f.Until.IsZero() && !now.Before(f.Until) }

// Same reports whether another freeze says the same.
func (f Freeze) Same(other Freeze) bool { return f.Why == other.Why && f.Until.Equal(other.Until) }

// String is why, and until when.
func (f Freeze) String() string {
	if f.Until.IsZero() {
		return f.Why
	}
	return f.Why + ", until " + f.Until.UTC().Format(momentFormat)
}

// Message is the lock's message: what Kamal itself shows of it. Of a freeze it is all
// that people without kamal-op read, and what their Kamal tells from a deploy's.
func (m Mark) Message() string {
	if m.Freeze == nil {
		return automaticLock
	}
	return "Deploys are frozen: " + m.Clean().Freeze.String() + " (kamal-op thaw ends it)"
}

// App is the service that the lock is of, and its destination, for a person.
func (p LockPlace) App() string {
	service := strings.TrimPrefix(path.Base(p.Dir), "lock-")
	if p.Destination == "" {
		return cleanField(service)
	}
	return cleanField(strings.TrimSuffix(service, "-"+p.Destination) + " (" + p.Destination + ")")
}

// Frozen is a freeze in one line: of what, by whom, since when, why, until when.
func (l Lock) Frozen(app string, now time.Time) string {
	text := "deploys of " + app + " are frozen by " + orSomebody(l.By) + l.age(now)
	if l.Mark.Freeze != nil {
		text += ": " + l.Mark.Freeze.String()
	}
	return text
}

// age is since when the lock is held, with the words around it.
func (l Lock) age(now time.Time) string {
	if l.Since.IsZero() {
		return ""
	}
	text := " since " + l.Since.UTC().Format(momentFormat)
	if age := now.Sub(l.Since).Round(time.Second); age > 0 {
		text += ", " + age.String() + " ago"
	}
	return text
}
