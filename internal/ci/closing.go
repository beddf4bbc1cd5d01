package ci

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// ShowsClosing reports whether ShowClosing prints anything on a system.
func ShowsClosing(s System) bool {
	_, ok := s.(*terminal)
	return ok
}

// ShowClosing tells a person at a terminal what a run has changed, as its last lines.
// Elsewhere the page beside the log does, or the events.
func ShowClosing(s System, r Report) {
	t, ok := s.(*terminal)
	if !ok {
		return
	}
	if text := r.closing(); text != "" {
		t.Info(text)
	}
}

// closing is the text of those lines: what was done, on which hosts, how long each phase
// took, where the app answers, how to go back. After a failure it is how to go back
// alone: the lines above say what failed.
func (r Report) closing() string {
	var lines []string
	if r.Status == problem.Done {
		service := r.Service
		if r.Destination != "" && service != "" {
			service += " (" + r.Destination + ")"
		}
		lines = append(lines, "✓ "+strings.Join(subject(r.Command, "of", service, r.Result()), " ")+" in "+durationText(r.Took))
		lines = append(lines, r.versionChanges()...)
		for _, changed := range r.Changed {
			lines = append(lines, "  "+changed)
		}
		lines = append(lines, r.phaseTimes()...)
		if r.URL != "" {
			lines = append(lines, "  at "+r.URL)
		}
	}
	for i, command := range strings.Split(r.Rollback, "\n") {
		switch {
		case command == "":
		case i == 0:
			lines = append(lines, "  to go back: "+command)
		default:
			lines = append(lines, "              "+command)
		}
	}
	for i, line := range lines {
		lines[i] = gate.OneLine(line)
	}
	return strings.Join(lines, "\n")
}

// phaseTimes are the phases with the time that each took: in one line, or each beside its
// times in earlier deploys.
func (r Report) phaseTimes() (lines []string) {
	widest := 0
	var all []string
	for _, p := range r.Phases {
		widest = max(widest, utf8.RuneCountInString(p.Title()))
		all = append(all, p.Title()+" "+durationText(p.Took))
	}
	if len(all) > 0 && len(r.Before) == 0 {
		return []string{"  " + strings.Join(all, ", ")}
	}
	for _, p := range r.Phases {
		line := fmt.Sprintf("  %-*s %8s", widest, p.Title(), durationText(p.Took))
		if times := r.Before[p.Name]; len(times) > 0 && p.Host == "" {
			line += fmt.Sprintf("  last %d: %s", len(times), timeRange(times))
		}
		lines = append(lines, line)
	}
	return lines
}

// timeRange is the shortest and the longest of some times.
func timeRange(times []time.Duration) string {
	least, most := durationText(slices.Min(times)), durationText(slices.Max(times))
	if least == most {
		return most
	}
	return least + " to " + most
}

// versionChanges are what ran and what runs now: one line for all hosts of a role with the
// same change.
func (r Report) versionChanges() []string {
	var order []string
	hosts := map[string][]string{}
	for _, h := range r.Hosts {
		before, after := shortVersion(h.Before), shortVersion(h.After)
		var move string
		switch {
		case h.Unknown:
			move = before + " → not known"
		case h.Before == h.After:
			move = after + ", as before"
		default:
			move = before + " → " + after
		}
		if h.Role != "" {
			move = h.Role + ": " + move
		}
		if hosts[move] == nil {
			order = append(order, move)
		}
		hosts[move] = append(hosts[move], h.Host)
	}
	const most = 3
	var lines []string
	for _, move := range order {
		on := strings.Join(hosts[move], ", ")
		if n := len(hosts[move]); n > most {
			on = fmt.Sprintf("%d hosts", n)
		}
		lines = append(lines, "  "+move+" on "+on)
	}
	return lines
}

// shortVersion is enough of a version to know it by.
func shortVersion(version string) string {
	const most = 12
	if version == "" {
		return "nothing"
	}
	return truncate(version, most)
}
