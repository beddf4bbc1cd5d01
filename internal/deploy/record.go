package deploy

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/history"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// A recording is what is known of a deploy once its hosts have kept it: what they keep,
// and what one of them has kept of those before.
type recording struct {
	mu     sync.Mutex
	phases *ci.Phases // of the command under way
	now    history.Record
	past   history.Past
}

// record is what the hosts keep of a deploy that is over. A person at a terminal is shown
// it beside those before, which a log that is read later is not.
func (r *runner) record(ctx context.Context, e broker.Result) broker.Record {
	kept, hosts, worth := newRecord(r.locks.Mark(), e, r.broker.Versions(), r.secretsUsed(ctx), time.Now())
	if !worth {
		return broker.Record{}
	}
	r.recording.mu.Lock()
	defer r.recording.mu.Unlock()
	if r.recording.phases != nil {
		for _, p := range r.recording.phases.All() {
			kept.Phases = append(kept.Phases, history.Phase{Name: p.Name, Seconds: tenths(p.Took)})
		}
	}
	r.recording.now = kept
	return broker.Record{Line: gate.Cleaned(r.Gate, kept).Line(), Hosts: hosts, Past: e.How == "done" && ci.ShowsClosing(r.System)}
}

// setPhases records the phases of the command that begins.
func (r *recording) setPhases(phases *ci.Phases) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phases = phases
}

// readPast reads what a host has kept of earlier deploys.
func (r *runner) readPast(log string) {
	r.recording.mu.Lock()
	defer r.recording.mu.Unlock()
	r.recording.past = history.ReadPast(log, r.job.Project.Destination, r.locks.Mark().Nonce)
}

// addHistory adds to a report what the hosts have kept of earlier deploys.
func (r *runner) addHistory(report *ci.Report) {
	r.recording.mu.Lock()
	defer r.recording.mu.Unlock()
	if len(r.recording.past) == 0 {
		return
	}
	report.Before = r.recording.past.Times(r.recording.now.Command)
	changed, known := r.recording.past.Secrets(r.recording.now)
	if known && len(changed) == 0 {
		report.Changed = []string{"no secret has changed since the last deploy"}
	}
	for _, c := range changed {
		report.Changed = append(report.Changed, c.String())
	}
}

// tenths are seconds as they are kept.
func tenths(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }

// newRecord is what is to be kept of a deploy. Not worth it is a rollback to a version
// that is not there, which ends with 0 and has done nothing, and a rotation that has
// booted nothing. Where Kamal was told of one host alone, to lock it, as by a rotation,
// the hosts are those that were booted.
func newRecord(mark kamal.Mark, e broker.Result, boots []broker.HostVersions, secrets []ci.SecretReport, now time.Time) (kept history.Record, hosts []string, worth bool) {
	if len(boots) == 0 && (e.Command == "rollback" && e.How == "done" || e.Command == "rotate") {
		return kept, nil, false
	}
	kept = history.Record{
		Run: mark.Nonce, Command: e.Command, Version: e.Version, How: e.How, By: mark.By(), Link: mark.Link,
		Ended: now.UTC().Truncate(time.Second), Took: tenths(e.Took),
	}
	for _, b := range boots {
		after := b.After
		if b.Unknown {
			after = "?"
		}
		kept.Boots = append(kept.Boots, history.Boot{Host: b.Host, Role: b.Role, Before: b.Before, After: after})
		if e.Command == "rotate" && !slices.Contains(hosts, b.Host) {
			hosts = append(hosts, b.Host)
		}
	}
	for _, s := range secrets {
		if slices.Contains([]string{sshKeyRow, readRow}, s.Name) {
			continue // no secret of the app's
		}
		from := s.Item
		if s.Vault != "" {
			from = s.Vault + "/" + s.Item
		}
		kept.Add(s.Name, from, s.ItemVersion)
	}
	return kept, hosts, true
}
