package history

import (
	"cmp"
	"slices"
	"time"
)

// compared is how many deploys before a deploy is held beside.
const compared = 5

// A Past is what a host has kept of the deploys before one, the newest first.
type Past []Record

// ReadPast reads the lines of an audit log that tell of deploys before the one of a run.
func ReadPast(log, destination, run string) (past Past) {
	records, _ := readLog(log, "", destination)
	past = slices.DeleteFunc(records, func(r Record) bool { return r.Run == run })
	slices.SortStableFunc(past, func(a, b Record) int { return b.Ended.Compare(a.Ended) })
	return past
}

// Times are how long each phase took in those of the last five deploys with phases, done by
// the same command, that had it. That of a deploy that failed says nothing. A line that names
// a phase more than once counts once.
func (p Past) Times(command string) map[string][]time.Duration {
	times := map[string][]time.Duration{}
	deploys := 0
	for _, r := range p {
		if r.Command != command || r.How != "done" || len(r.Phases) == 0 {
			continue
		}
		if deploys++; deploys > compared {
			break
		}
		for n, phase := range r.Phases {
			if slices.ContainsFunc(r.Phases[:n], func(p Phase) bool { return p.Name == phase.Name }) {
				continue
			}
			times[phase.Name] = append(times[phase.Name], time.Duration(phase.Seconds*float64(time.Second)))
		}
	}
	return times
}

// Secrets are those that are new or gone since the last deploy that was done, or that come
// from another version of their item; those of one item are one change. known is false where there is no such deploy.
func (p Past) Secrets(now Record) (changed []Change, known bool) {
	i := slices.IndexFunc(p, func(r Record) bool { return r.How == "done" && r.Command != "rotate" && r.Command != "rollback" })
	if i < 0 {
		return nil, false
	}
	for _, c := range changes(p[i].secrets(), now.secrets()) {
		same := slices.IndexFunc(changed, func(d Change) bool { return d.What == c.What && d.From == c.From && d.To == c.To })
		if same >= 0 {
			changed[same].Name += ", " + c.Name
			continue
		}
		changed = append(changed, c)
	}
	slices.SortStableFunc(changed, func(a, b Change) int { return cmp.Compare(a.What, b.What) })
	return changed, true
}
