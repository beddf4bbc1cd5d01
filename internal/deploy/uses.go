package deploy

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/sshagent"
)

// mostUses bounds the uses that are listed at the end: a hook may ask for ever.
const mostUses = 200

// useLog are what the secrets and the key of a run were used for. The same use by the
// same process is one, with how often.
type useLog struct {
	mu     sync.Mutex
	kept   []ci.Use
	more   int // that there was no room for
	logged bool
}

func (u *useLog) add(use ci.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	use.Times = 1
	i := slices.IndexFunc(u.kept, func(k ci.Use) bool {
		k.Time, k.Times = use.Time, 1
		return k == use
	})
	switch {
	case i >= 0:
		u.kept[i].Times++
	case len(u.kept) < mostUses:
		u.kept = append(u.kept, use)
	default:
		u.more++
	}
}

// all are the uses until now, and how many more there were.
func (u *useLog) all() ([]ci.Use, int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.kept), u.more
}

// log shows the uses at the end of the log, once.
func (u *useLog) log(system ci.System) {
	all, more := u.all()
	u.mu.Lock()
	told := u.logged
	u.logged = true
	u.mu.Unlock()
	if !told {
		ci.LogUses(system, all, more)
	}
}

// noteBrokerEvent records an event of the broker, and reports it at once to programs.
func (s *resources) noteBrokerEvent(e broker.Event) {
	kind, known := map[broker.EventKind]ci.UseKind{
		broker.Lookup: ci.Lookup, broker.Failed: ci.Refusal, broker.Attach: ci.Attached, broker.Checked: ci.Checked, broker.Login: ci.Login,
	}[e.Kind]
	if !known {
		return // a person has read it already
	}
	// The reason for a refusal is shown to the person, and in the summary.
	s.noteUse(ci.Use{Time: time.Now(), Kind: kind, What: cmp.Or(e.Of, e.Message), Process: e.Process})
}

// noteSignature records a signature, or one that was refused. Its host is known
// where the client shows the server's key and --host-keys has it by name.
func (s *resources) noteSignature(e sshagent.Event) {
	use := ci.Use{Time: e.Time, Kind: ci.Signature, What: "a login with " + e.Key, User: e.User, Host: e.HostKey}
	if !e.Signed {
		use.Kind, use.What = ci.Refusal, e.Request+": "+e.Reason
	}
	if s.pins != nil && e.HostKey != "" {
		if host := s.pins.Name(e.HostKey); host != "" {
			use.Host = host
		}
	}
	if e.Peer.PID > 0 {
		name := "process"
		if e.Peer.Executable != "" {
			name = filepath.Base(e.Peer.Executable)
		}
		use.Process = fmt.Sprintf("%s (%d)", name, e.Peer.PID)
	}
	s.noteUse(use)
}

func (s *resources) noteUse(use ci.Use) {
	s.uses.add(use)
	ci.ReportUse(s.System, use)
}

// addBootPhases adds behind each boot a phase for every host: Kamal boots several hosts
// side by side, and the log shows them as one.
func addBootPhases(phases []ci.Phase, boots []broker.BootTime, now time.Time) []ci.Phase {
	var all []ci.Phase
	for i, p := range phases {
		all = append(all, p)
		if p.Name != kamal.Booting && p.Name != kamal.RollingBack {
			continue
		}
		ends := now
		if i+1 < len(phases) {
			ends = phases[i+1].Begun
		}
		for _, b := range boots {
			if b.Begun.Before(p.Begun) || !b.Begun.Before(ends) {
				continue
			}
			ended := b.Ended
			if ended.IsZero() {
				ended = now
			}
			all = append(all, ci.Phase{
				Name: p.Name + " " + b.Role, Host: b.Host, Begun: b.Begun, Took: ended.Sub(b.Begun), Failed: b.Failed || b.Ended.IsZero(),
			})
		}
	}
	return all
}
