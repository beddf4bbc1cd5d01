package history

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// A bootLine is what Kamal has written of a boot.
type bootLine struct {
	at                      time.Time
	host, role, by, version string
}

// What comes behind the tags of the lines that tell of deploys. Neither can stand in what
// comes behind it, a version or JSON: the last one in a line is Kamal's or ours.
const (
	bootText   = "] Booted app version "
	recordText = marker + `{"run":"`
)

// What a line of a deploy is within. Linux takes no argument that is longer, as which Kamal
// and we have a line written, and a year is longer than any deploy.
const (
	longest = 128 << 10
	slowest = float64(365 * 24 * time.Hour / time.Second)
)

// readLog reads the lines of an audit log that tell of deploys. What is no such line,
// or was cut off, is passed over: anybody who may log in can have written it.
func readLog(log, host, destination string) (records []Record, boots []bootLine) {
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > longest {
			continue
		}
		if tags, version, ok := cutLast(line, bootText); ok && kamal.IsVersion(version) {
			if boot, ok := readBoot(tags, destination); ok {
				boot.host, boot.version = host, version
				boots = append(boots, boot)
			}
		} else if r, ok := readRecord(line, destination); ok {
			records = append(records, r)
		}
	}
	return records, boots
}

// readBoot reads the tags of a boot's line, of which the role's is the last.
func readBoot(tags, destination string) (boot bootLine, ok bool) {
	if rest, role, ok := cutLast(tags, "] ["); ok && strings.Contains(rest, "] [") {
		tags, boot.role = rest, role
	}
	boot.at, boot.by, ok = cutTags(tags, destination)
	return boot, ok
}

// readRecord reads a line of ours.
func readRecord(line, destination string) (r Record, ok bool) {
	head, text, _ := cutLast(line, recordText)
	tags, _, _ := cutLast(head, "] ")
	_, performer, ok := cutTags(tags, destination)
	if !ok || json.Unmarshal([]byte(`{"run":"`+text), &r) != nil || r.Run == "" || !kamal.IsVersion(r.Version) || !inTime(r) {
		return Record{}, false
	}
	if r.Ended, ok = inUTC(r.Ended); !ok {
		return Record{}, false
	}
	if r.By == "" {
		r.By = performer // as Kamal calls who runs it
	}
	return r, true
}

// inTime tells whether a deploy and each of its phases took what a deploy can take.
func inTime(r Record) bool {
	within := func(seconds float64) bool { return seconds >= 0 && seconds <= slowest }
	return within(r.Took) && !slices.ContainsFunc(r.Phases, func(p Phase) bool { return !within(p.Seconds) })
}

// cutTags parts the tags that each line of Kamal's audit log begins with: when, who, and
// the destination. Who is any text, as git's user.email is: a robot's of GitHub has
// brackets in it, so that the tags around it are what is known.
func cutTags(tags, destination string) (at time.Time, performer string, ok bool) {
	when, performer, _ := strings.Cut(strings.TrimPrefix(tags, "["), "] [")
	at, err := time.Parse(time.RFC3339, when)
	at, ok = inUTC(at)
	if destination != "" {
		performer = strings.TrimSuffix(performer, "] ["+destination)
	}
	return at, performer, ok && err == nil && performer != "" && strings.HasPrefix(tags, "[")
}

// inUTC is a time as JSON can have it: not every year that can be read can be written,
// and not every zone.
func inUTC(at time.Time) (utc time.Time, ok bool) {
	utc = at.UTC()
	return utc, !utc.IsZero() && utc.Year() >= 0 && utc.Year() <= 9999
}

// cutLast is strings.Cut at the last of its separators.
func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}
