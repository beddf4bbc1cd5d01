package broker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// A HostVersions is what ran on a host in a role before Kamal booted the app there, and
// what runs there now: versions, "" is nothing.
type HostVersions struct {
	Host, Role    string
	Before, After string
	Unknown       bool // After is not known: the run ended in between
	RolledBack    bool // After is Before again, since the boot failed elsewhere
}

// A BootTime is when the app was booted on a host in a role, as Kamal reported it.
type BootTime struct {
	Host, Role   string
	Begun, Ended time.Time // Ended is zero where the run ended in between
	Failed       bool
}

// BootTimes are the boots, in the order in which they began. A rollback's is one of
// its own.
func (b *Broker) BootTimes() []BootTime {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.boots)
}

// recordBootTime records when a boot began and ended. A host may run several roles.
// Kamal reports it before it starts anything there, and when the boot is over.
func (b *Broker) recordBootTime(m *bootRequest) {
	now := b.o.Now()
	i := slices.IndexFunc(b.boots, func(t BootTime) bool {
		return t.Host == m.Host && t.Role == m.Role && t.Ended.IsZero()
	})
	switch {
	case i < 0 && m.State == "booted":
		return // its beginning was not reported
	case i < 0:
		b.boots = append(b.boots, BootTime{Host: m.Host, Role: m.Role, Begun: now})
	case m.State == "booted":
		b.boots[i].Ended = now
	case m.State == "kept":
		b.boots[i].Ended, b.boots[i].Failed = now, true
	}
}

// bootsPart is the part of the preload that reports boots, and rolls back.
const bootsPart = "telling what runs on each host"

// A bootRequest reports a boot of the app on a host in a role: the version that ran, and
// what has become of the new one.
type bootRequest struct {
	Host    string `json:"host"`
	Role    string `json:"role"`
	Version string `json:"version"`
	Before  string `json:"before"`
	State   string `json:"state"` // booted; kept, the one before; unknown, in between
}

// A rollbackRequest reports a rollback to a version on some hosts.
type rollbackRequest struct {
	Hosts   []string `json:"hosts"`
	Role    string   `json:"role"`
	Version string   `json:"version"` // "" where there was none
	Failed  bool     `json:"failed"`
}

// plainVersion is a version without what Kamal adds to the name of a container
// whose version is booted again; "" where it is no version.
func plainVersion(version string) string {
	if i := strings.LastIndex(version, "_replaced_"); i >= 0 {
		version = version[:i]
	}
	if !isTag(version) {
		return ""
	}
	return version
}

// isTag reports whether a version can be an image's tag: it comes from the server, and
// goes into commands that people copy.
func isTag(version string) bool {
	for i, r := range version {
		word := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
		if !word && (i == 0 || r != '.' && r != '-') {
			return false
		}
	}
	return version != "" && len(version) <= 128
}

// Versions are the hosts on which the app was booted, in order, once for each role.
func (b *Broker) Versions() []HostVersions {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ran)
}

// destination is the run's, as a flag.
func (b *Broker) destination() string {
	if b.o.Project == nil || b.o.Project.Destination == "" {
		return ""
	}
	return " --destination " + kamal.ShellWord(b.o.Project.Destination)
}

// recordBoot records a boot. What ran before the first of several counts.
func (b *Broker) recordBoot(m *bootRequest) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recordBootTime(m)
	before := plainVersion(m.Before)
	i := slices.IndexFunc(b.ran, func(h HostVersions) bool { return h.Host == m.Host && h.Role == m.Role })
	if i < 0 {
		i = len(b.ran)
		b.ran = append(b.ran, HostVersions{Host: m.Host, Role: m.Role, Before: before})
	}
	h := &b.ran[i]
	h.After, h.Unknown = "", false
	switch m.State {
	case "booted":
		h.After = m.Version
	case "kept":
		h.After = before
	default:
		h.Unknown = true
	}
	return struct{}{}
}

// recordRollback records a rollback, and reports it.
func (b *Broker) recordRollback(m *rollbackRequest) any {
	hosts := strings.Join(m.Hosts, ", ")
	switch {
	case m.Version == "":
		b.notify(Event{Kind: Warning, Message: fmt.Sprintf("the new version stays on %s (%s): nothing ran there before", hosts, m.Role)})
	case m.Failed:
		b.notify(Event{
			Kind: Warning, Message: fmt.Sprintf("the rollback to %s on %s (%s) failed", m.Version, hosts, m.Role),
			Hint: "why stands above; kamal-op rollback " + kamal.ShellWord(m.Version) + b.destination() +
				" --hosts " + kamal.ShellWord(strings.Join(m.Hosts, ",")) + " --roles " + kamal.ShellWord(m.Role) + " tries again",
		})
	default:
		b.mu.Lock()
		for i, h := range b.ran {
			if h.Role == m.Role && slices.Contains(m.Hosts, h.Host) {
				b.ran[i].RolledBack = true
			}
		}
		b.mu.Unlock()
		b.notify(Event{Kind: Notice, Message: fmt.Sprintf("rolled back to %s on %s (%s)", m.Version, hosts, m.Role)})
	}
	return struct{}{}
}
