package freeze

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// A Report is whether deploys are frozen, and what of it was changed.
type Report struct {
	App       string      `json:"app"`     // service (destination)
	Frozen    bool        `json:"frozen"`  // as far as the hosts could be reached
	Changed   bool        `json:"changed"` // by this command
	By        string      `json:"by,omitempty"`
	Since     time.Time   `json:"since,omitzero"`
	Message   string      `json:"message,omitempty"`
	Until     time.Time   `json:"until,omitzero"`
	Hosts     []string    `json:"hosts"`  // that are frozen, or were
	Others    []Other     `json:"others"` // locks that are none of a freeze, and stay
	Unreached []Unreached `json:"unreached"`

	lock kamal.Lock // of the freeze
}

// An Other is a deploy lock that is none of a freeze.
type Other struct {
	Host  string `json:"host"`
	Whose string `json:"whose"`
}

// Report is what the locks say.
func (l Locks) Report(now time.Time) Report {
	r := Report{App: l.Place.App(), Hosts: []string{}, Others: []Other{}, Unreached: append([]Unreached{}, l.Unreached...)}
	for _, p := range l.Places {
		switch {
		case !p.Held:
		case p.Lock.Owner != kamal.LockFrozen:
			r.Others = append(r.Others, Other{p.Host, p.Lock.Describe(now)})
		default:
			if !r.Frozen {
				r.Frozen, r.lock = true, p.Lock
				r.By, r.Since, r.Message, r.Until = p.Lock.By, p.Lock.Since, p.Lock.Mark.Freeze.Why, p.Lock.Mark.Freeze.Until
			}
			r.Hosts = append(r.Hosts, p.Host)
		}
	}
	return r
}

// Thawed is the report once ThawCommand has run, and the hosts that keep their freeze,
// since it could not be removed.
func (r Report) Thawed(after Locks) (Report, []string) {
	kept, others := []string{}, []string{}
	for _, p := range after.Places {
		switch how, ran := kamal.ParseRelease(p.output); {
		case !ran || how == kamal.ReleaseFails:
			kept = append(kept, p.Host)
		case how == kamal.ReleasedNot:
			others = append(others, p.Host)
			r.Others = append(r.Others, Other{p.Host, "somebody else has taken it in the meantime"})
		}
	}
	r.Unreached = append(r.Unreached, after.Unreached...)
	lost := func(host string) bool {
		return slices.Contains(kept, host) || slices.Contains(others, host) || slices.ContainsFunc(after.Unreached, func(u Unreached) bool { return u.Host == host })
	}
	r.Hosts = slices.DeleteFunc(slices.Clone(r.Hosts), lost)
	r.Frozen, r.Changed = len(kept)+len(after.Unreached) > 0, len(r.Hosts) > 0
	return r, kept
}

// FrozenText is the report of a freeze for a person.
func (r Report) FrozenText(now time.Time) string {
	var b strings.Builder
	already := ""
	if !r.Changed {
		already = "already: "
	}
	fmt.Fprintf(&b, "%s%s\n  on %s; kamal-op thaw ends it\n", already, gate.OneLine(r.lock.Frozen(r.App, now)), gate.Visible(strings.Join(r.Hosts, ", ")))
	return b.String() + r.unreached()
}

// ThawedText is the report of a thaw for a person.
func (r Report) ThawedText(now time.Time) string {
	var b strings.Builder
	if r.Changed {
		fmt.Fprintf(&b, "%s can be deployed again, on %s\n  %s\n", gate.Visible(r.App), gate.Visible(strings.Join(r.Hosts, ", ")), gate.OneLine("it was so: "+r.lock.Frozen(r.App, now)))
	} else if !r.Frozen {
		fmt.Fprintf(&b, "deploys of %s are not frozen\n", gate.Visible(r.App))
	}
	for _, o := range r.Others {
		fmt.Fprintf(&b, "the deploy lock on %s is none of a freeze, and stays: %s\n", gate.Visible(o.Host), gate.OneLine(o.Whose))
	}
	return b.String() + r.unreached()
}

func (r Report) unreached() string {
	var b strings.Builder
	for _, u := range r.Unreached {
		fmt.Fprintf(&b, "%s: could not be asked\n  %s\n", gate.Visible(u.Host), gate.OneLine(u.Why))
	}
	return b.String()
}
