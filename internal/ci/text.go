package ci

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Level is how much a problem matters.
type Level int

// The levels.
const (
	Notice  Level = iota // worth knowing
	Warning              // may be wrong
	Error                // ended the run, or part of it
)

// mark begins a problem of a level.
func (l Level) mark() string { return [...]string{"•", "!", "✗"}[l] }

// The colours of a terminal.
const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	faint  = "\x1b[2m"
	normal = "\x1b[0m"
)

// colour is that of a level's mark.
func (l Level) colour() string { return [...]string{cyan, yellow, red}[l] }

// Text is a problem as people read it, without the last line's end:
//
//	✗ DATABASE_PASSWORD is named in config/deploy.yml:18 but the item has no such field
//	  op://MyApp/Production has: DATABASE_PASSWRD, RAILS_MASTER_KEY
//	  hint: rename the field in 1Password
//
// The place stands beneath the message where the message does not name it.
// Control characters are shown, not obeyed: names come from vaults and files.
func Text(level Level, p *problem.Problem, colour bool) string {
	return text(level, problemLines(p), colour)
}

// text is a problem's lines behind the mark of its level.
func text(level Level, lines []string, colour bool) string {
	mark := level.mark()
	if colour {
		mark = level.colour() + mark + normal
	}
	var b strings.Builder
	b.WriteString(mark + " " + lines[0])
	for _, line := range lines[1:] {
		b.WriteString("\n  ")
		for _, begins := range []string{hint, help} {
			if rest, ok := strings.CutPrefix(line, begins); ok && colour {
				line = cyan + begins + normal + rest
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// hint begins the next step, help the page on which more is written.
const (
	hint = "hint: "
	help = "help: "
)

// problemLines are a problem's lines: message, place, details, hint.
func problemLines(p *problem.Problem) []string {
	lines := visibleLines(p.Message)
	if len(lines) == 0 {
		lines = []string{"something is wrong"}
	}
	if at := p.Place.String(); at != "" && !strings.Contains(p.Message, place(p.Place)) {
		lines = append(lines, visibleLines("at "+at)...)
	}
	for _, detail := range p.Details {
		lines = append(lines, visibleLines(detail)...)
	}
	for i, line := range visibleLines(p.Hint) {
		if i == 0 {
			line = hint + line
		}
		lines = append(lines, line)
	}
	return lines
}

// place is what a message names at least if it names a place: file and line.
func place(at problem.Place) string {
	at.Column = 0
	return at.String()
}

// visibleLines is a text's lines that are not empty, with everything in them that a
// terminal would obey made visible.
func visibleLines(text string) []string {
	var lines []string
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimRight(gate.Visible(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
