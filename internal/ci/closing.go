package ci

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Close tells a person at a terminal what a run has changed, as its last lines. Elsewhere
// the page beside the log does, or the events.
func Close(s System, r Report) {
	t, ok := s.(*terminal)
	if !ok {
		return
	}
	if text := r.closing(); text != "" {
		t.Info(text)
	}
}

// closing are those lines: what was done, on which hosts, how long each phase took,
// where the app answers, how to go back. Of a run that failed it is how to go back alone:
// what failed stands above, and is to be read.
func (r Report) closing() string {
	var lines []string
	if r.Status == problem.Done {
		service := r.Service
		if r.Destination != "" && service != "" {
			service += " (" + r.Destination + ")"
		}
		lines = append(lines, "✓ "+strings.Join(subject(r.Command, "of", service, r.Result()), " ")+" in "+took(r.Took))
		lines = append(lines, r.moves()...)
		var phases []string
		for _, p := range r.Phases {
			phases = append(phases, p.Title()+" "+took(p.Took))
		}
		if len(phases) > 0 {
			lines = append(lines, "  "+strings.Join(phases, ", "))
		}
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

// moves are what ran and what runs now, a line for all hosts of a role of which the same
// is true.
func (r Report) moves() []string {
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
	return cut(version, most)
}
