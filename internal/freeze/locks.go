package freeze

import (
	_ "embed" // for the Ruby
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

//go:embed freeze.rb
var ruby string

// Preload is Ruby that, required before Kamal, adds the commands to it.
func Preload() string { return kamal.HostsPreload() + ruby }

// The commands of Kamal that Preload adds. LookCommand says which locks there are, for
// Parse; TakeCommand takes them, and then says so too; ThawCommand gives them back.
const (
	LookCommand = "kamal_op_locks"
	TakeCommand = "kamal_op_freeze"
	ThawCommand = "kamal_op_thaw"
)

// Locks are the deploy locks of an app on its hosts, the one of a whole deploy first.
type Locks struct {
	Place     kamal.LockPlace // without a host
	Places    []Place
	Unreached []Unreached

	first string // the host of a whole deploy's
}

// A Place is the lock on one host.
type Place struct {
	Host string
	Held bool
	Lock kamal.Lock // where Held

	output string
}

// Unreached is a host that could not be asked.
type Unreached struct {
	Host string `json:"host"`
	Why  string `json:"why"`
}

// wanted is what the commands are to do.
type wanted struct {
	Look     string            `json:"look,omitempty"`     // the command that reads a lock, less its directory
	Hosts    []string          `json:"hosts,omitempty"`    // to take the lock on
	Commands map[string]string `json:"commands,omitempty"` // to run, by host
}

func (w wanted) environment() []string {
	text, err := json.Marshal(w)
	if err != nil {
		panic(err) // texts always marshal
	}
	return []string{"KAMAL_OP_FREEZE=" + string(text)}
}

// LookEnvironment is what LookCommand needs in its environment.
func LookEnvironment() []string { return wanted{Look: kamal.LookScript()}.environment() }

// TakeEnvironment is what TakeCommand needs to take the lock on these hosts.
func TakeEnvironment(hosts []string) []string {
	return wanted{Look: kamal.LookScript(), Hosts: hosts}.environment()
}

// ThawEnvironment is what ThawCommand needs to give these locks back.
func (l Locks) ThawEnvironment(places []Place) []string {
	commands := map[string]string{}
	for _, p := range places {
		commands[p.Host] = kamal.ReleaseCommand(l.Place.Dir, p.Lock.Mark.Nonce)
	}
	return wanted{Commands: commands}.environment()
}

// Parse reads what a command has written to standard output, among Kamal's own lines.
func Parse(out []byte) (l Locks, err error) {
	var raw struct {
		Dir, Destination string
		Places           []struct{ Host, Output, Why string }
	}
	if err := kamal.ReadReport(out, "locks", "the deploy locks", &raw); err != nil {
		return l, err
	}
	l.Place = kamal.LockPlace{Dir: raw.Dir, Destination: raw.Destination}
	for _, p := range raw.Places {
		if l.first == "" {
			l.first = p.Host
		}
		if p.Why != "" {
			l.Unreached = append(l.Unreached, Unreached{p.Host, p.Why})
			continue
		}
		output, err := base64.StdEncoding.DecodeString(p.Output)
		if err != nil {
			return l, fmt.Errorf("kamal's report of the deploy lock on %s: %w", p.Host, err)
		}
		place := Place{Host: p.Host, output: string(output)}
		var details string
		if details, place.Held = kamal.ParseLook(place.output); place.Held {
			place.Lock = kamal.ParseLock(details)
		}
		l.Places = append(l.Places, place)
	}
	return l, nil
}

// Frozen are the places that have a freeze.
func (l Locks) Frozen() (places []Place) {
	for _, p := range l.Places {
		if p.Held && p.Lock.Owner == kamal.LockFrozen {
			places = append(places, p)
		}
	}
	return places
}

// Missing are the hosts on which the lock is to be taken for this freeze to hold. It is
// a problem where deploys are frozen already for another reason, or where the host that
// a whole deploy takes its lock on could not be reached.
func (l Locks) Missing(f kamal.Freeze, now time.Time) (hosts []string, err error) {
	if i := slices.IndexFunc(l.Unreached, func(u Unreached) bool { return u.Host == l.first }); i >= 0 {
		return nil, &problem.Problem{
			Message: "nothing is frozen: " + l.first + ", which the deploy lock lies on, could not be reached", Details: []string{l.Unreached[i].Why},
			Hint: "freeze when it is back", Status: problem.Partial,
		}
	}
	for _, p := range l.Places {
		switch frozen := p.Held && p.Lock.Owner == kamal.LockFrozen && !p.Lock.Mark.Freeze.Over(now); {
		case !frozen:
			hosts = append(hosts, p.Host)
		case !p.Lock.Mark.Freeze.Same(f):
			return nil, problem.New(p.Lock.Frozen(l.Place.App(), now), "kamal-op thaw ends that, if that is for you to say, and then freeze again")
		}
	}
	return hosts, nil
}
