package ci

import (
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"
)

// A Phase is a part of a run that has a name and takes time: "build and push",
// "boot" on a host.
type Phase struct {
	Name   string
	Host   string // "" where it is not of one host
	Begun  time.Time
	Took   time.Duration // so far, for the one that is under way
	Failed bool
}

// Title is the phase with its host.
func (p Phase) Title() string {
	if p.Host == "" {
		return p.Name
	}
	return p.Name + " on " + p.Host
}

// MarshalJSON is the phase as the output `phases` has it: begun in UTC, the
// time it took in seconds.
func (p Phase) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name    string  `json:"name"`
		Host    string  `json:"host,omitempty"`
		Begun   string  `json:"begun"`
		Seconds float64 `json:"seconds"`
		Failed  bool    `json:"failed,omitempty"`
	}{p.Name, p.Host, p.Begun.UTC().Format("2006-01-02T15:04:05.000Z"), math.Round(p.Took.Seconds()*1000) / 1000, p.Failed})
}

// Phases shows the phases of a run as they come: each is a group of the log, a
// terminal's status line meanwhile, and a line with its time at its end.
//
// Whoever follows a program's output calls Begin before it passes on the line
// that a phase begins with, so that the line stands in the phase's group. There
// is one phase at a time.
type Phases struct {
	// Title stands before the phases of one of several runs in a log; "" for none.
	Title string

	system System
	now    func() time.Time

	mu  sync.Mutex
	all []Phase
	on  bool // the last one is under way
}

// NewPhases shows phases on a system. now is the clock; nil is time.Now.
func NewPhases(system System, now func() time.Time) *Phases {
	if now == nil {
		now = time.Now
	}
	return &Phases{system: system, now: now}
}

// Begin begins a phase; the one before has ended well.
func (p *Phases) Begin(name, host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(false)
	phase := Phase{Name: name, Host: host, Begun: p.now()}
	p.all, p.on = append(p.all, phase), true
	title := phase.Title()
	if p.Title != "" {
		title = p.Title + ": " + title
	}
	p.system.Group(title)
	p.system.Status(title)
}

// End ends the phase under way, if there is one: it went well.
func (p *Phases) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(false)
}

// Fail ends the phase under way, if there is one: it failed. Its group stays
// open where a system can have that.
func (p *Phases) Fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(true)
}

// end is End and Fail with mu held.
func (p *Phases) end(failed bool) {
	if !p.on {
		return
	}
	p.on = false
	last := &p.all[len(p.all)-1]
	last.Took, last.Failed = p.now().Sub(last.Begun), failed
	p.system.Status("")
	if failed {
		p.system.KeepOpen()
	}
	p.system.EndGroup()
	if failed {
		p.system.Info(fmt.Sprintf("✗ %s, after %s", last.Title(), durationText(last.Took)))
		return
	}
	p.system.Info(fmt.Sprintf("✓ %s, %s", last.Title(), durationText(last.Took)))
}

// All are the phases until now.
func (p *Phases) All() []Phase {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := append([]Phase{}, p.all...)
	if p.on {
		last := &all[len(all)-1]
		last.Took = p.now().Sub(last.Begun)
	}
	return all
}

// durationText is a time that is over: "0.4 s", "12.3 s", "3 min 4 s".
func durationText(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return seconds(d)
}
