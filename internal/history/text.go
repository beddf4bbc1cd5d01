package history

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// moment is how a person reads when something was.
const moment = "2006-01-02 15:04 UTC"

// Text is a table of the deploys, at most limit of them.
func (h History) Text(limit, width int) string {
	var b strings.Builder
	var rows [][]string
	for i, d := range h.Deploys {
		if i == limit {
			break
		}
		command := d.Command
		if command == "" {
			command = "(in Kamal's log)"
		}
		row := []string{d.Ended.UTC().Format(moment), short(d.Version), command, d.ending(), strings.Join(d.Hosts, ","), d.By, d.Link}
		for i, cell := range row {
			row[i] = gate.OneLine(cell)
		}
		rows = append(rows, row)
	}
	b.WriteString(gate.Table(rows, false, width))
	if n := len(h.Deploys) - limit; n > 0 {
		fmt.Fprintf(&b, "%d more: --last shows them\n", n)
	}
	if len(h.Deploys) == 0 {
		b.WriteString("the hosts have no history: each deploy from now on leaves a line\n")
	}
	if len(h.Without) > 0 && len(h.Deploys) > 0 {
		fmt.Fprintf(&b, "%s: no line of any deploy, as on a host that is new\n", gate.Visible(strings.Join(h.Without, ", ")))
	}
	for _, u := range h.Unreached {
		fmt.Fprintf(&b, "%s: could not be asked\n  %s\n", gate.Visible(u.Host), gate.OneLine(u.Why))
	}
	return b.String()
}

// short is a version that is a commit in twelve digits, and any other as it is.
func short(version string) string {
	if len(version) == 40 && strings.Trim(version, "0123456789abcdef") == "" {
		return version[:12]
	}
	return version
}

// Text is what differs, for a person.
func (d Diff) Text(colour bool) string {
	var b strings.Builder
	paint := gate.Painter(colour)
	for _, of := range []Deploy{d.From, d.To} {
		fmt.Fprintf(&b, "%s, %s at %s by %s\n", gate.OneLine(of.Version), gate.OneLine(of.How), of.Ended.UTC().Format(moment), gate.OneLine(of.By))
	}
	switch {
	case d.CommitsUnknown != "":
		fmt.Fprintf(&b, "commits unknown: %s\n", gate.OneLine(d.CommitsUnknown))
	default:
		fmt.Fprintf(&b, "commits: %d\n", len(d.Commits))
		for _, c := range d.Commits {
			fmt.Fprintf(&b, "  %s\n", gate.OneLine(c))
		}
	}
	if d.NotKnown != "" {
		fmt.Fprintf(&b, "secrets: %s\n", gate.OneLine(d.NotKnown))
	}
	colours := map[string]string{"new": "32", "gone": "31", "other": "33"}
	tell := func(what string, changes []Change) {
		fmt.Fprintf(&b, "%s that differ: %d\n", what, len(changes))
		for _, c := range changes {
			fmt.Fprintln(&b, strings.TrimRight("  "+paint(colours[c.What], c.sign())+" "+gate.OneLine(c.Name)+"  "+gate.OneLine(c.sides()), " "))
		}
	}
	if d.NotKnown == "" {
		tell("secrets", d.Secrets)
	}
	tell("roles on hosts", d.Places)
	return b.String()
}
