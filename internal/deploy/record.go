package deploy

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/history"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// record is the line that hosts keep of a deploy that is over, and which hosts these
// are where not all of the command's.
func (r *ready) record(ctx context.Context, e broker.Ended) (line string, hosts []string) {
	kept, hosts, worth := recordOf(r.locks.Mark(), e, r.broker.Versions(), r.secretsUsed(ctx), time.Now())
	if !worth {
		return "", nil
	}
	return gate.Cleaned(r.Gate, kept).Line(), hosts
}

// recordOf is what is to be kept of a deploy. Not worth it is a rollback to a version
// that is not there, which ends with 0 and has done nothing, and a rotation that has
// booted nothing. Where Kamal was told of one host alone, to lock it, as by a rotation,
// the hosts are those that were booted.
func recordOf(mark kamal.Mark, e broker.Ended, boots []broker.HostVersions, secrets []ci.SecretReport, now time.Time) (kept history.Record, hosts []string, worth bool) {
	if len(boots) == 0 && (e.Command == "rollback" && e.How == "done" || e.Command == "rotate") {
		return kept, nil, false
	}
	kept = history.Record{
		Run: mark.Nonce, Command: e.Command, Version: e.Version, How: e.How, By: mark.By(), Link: mark.Link,
		Ended: now.UTC().Truncate(time.Second), Took: math.Round(e.Took.Seconds()*10) / 10,
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
