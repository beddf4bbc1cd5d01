package history

import (
	"encoding/json"
	"strings"
	"time"
)

// A bootLine is what Kamal has written of a boot.
type bootLine struct {
	at                      time.Time
	host, role, by, version string
}

// readLog reads the lines of an audit log that tell of deploys. What is no such line,
// or was cut off, is passed over: anybody who may log in can have written it.
func readLog(log, host string) (records []Record, boots []bootLine) {
	for line := range strings.Lines(log) {
		tags, text := cutTags(strings.TrimRight(line, "\r\n"))
		if len(tags) < 2 {
			continue
		}
		at, err := time.Parse(time.RFC3339, tags[0])
		if err != nil {
			continue
		}
		if version, ok := strings.CutPrefix(text, "Booted app version "); ok {
			boot := bootLine{at: at, host: host, by: tags[1], version: version}
			if len(tags) > 2 {
				boot.role = tags[len(tags)-1]
			}
			boots = append(boots, boot)
			continue
		}
		_, text, ok := strings.Cut(text, marker)
		var r Record
		if !ok || json.Unmarshal([]byte(text), &r) != nil || r.Run == "" || r.Version == "" || r.Ended.IsZero() {
			continue
		}
		if r.By == "" {
			r.By = tags[1] // as Kamal calls who runs it
		}
		records = append(records, r)
	}
	return records, boots
}

// cutTags takes off the tags that a line of Kamal's audit log begins with: when, who,
// the destination, the role.
func cutTags(line string) (tags []string, text string) {
	for {
		rest, ok := strings.CutPrefix(line, "[")
		if !ok {
			return tags, line
		}
		tag, after, ok := strings.Cut(rest, "]")
		if !ok {
			return tags, line
		}
		tags, line = append(tags, tag), strings.TrimPrefix(after, " ")
	}
}
