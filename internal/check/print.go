package check

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// marks are the states as a person sees them.
var marks = map[State]string{Yes: "✓", No: "✗", None: "–", Unknown: "?"}

// WriteText writes the report for a person: a table a destination, then what is
// wrong. With colour, marks and levels are in colour. width is that of the terminal, 0
// where there is none.
func WriteText(w io.Writer, r Report, colour bool, width int) error {
	var b strings.Builder
	paint := gate.Painter(colour)
	r.writeMatrices(&b, paint, width)
	r.writeFindings(&b, paint)
	for _, at := range r.Unknown {
		fmt.Fprintf(&b, "? %s: ERB decides here: what depends on it is not known without running it\n", gate.Visible(at.String()))
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "· %s was not checked %s: %s\n", gate.Visible(s.File), s.As, gate.Visible(s.Why))
	}
	b.WriteString(r.conclusion(paint) + "\n")
	_, err := io.WriteString(w, gate.Fold(b.String(), width))
	return err
}

// columnsWidth is that of the table behind the names.
const columnsWidth = len("  vault  fetch  file  deploy.yml")

// writeMatrices writes for each destination who has which secret: as a table, or where the
// terminal is too narrow for that, each secret by itself.
func (r Report) writeMatrices(b *strings.Builder, paint func(code, text string) string, terminal int) {
	codes := map[State]string{Yes: "32", No: "31", None: "2", Unknown: "33"}
	painted := map[State]string{}
	for s, mark := range marks {
		painted[s] = paint(codes[s], mark)
	}
	for _, m := range r.Matrices {
		if m.Destination != "" || len(r.Matrices) > 1 {
			fmt.Fprintf(b, "%s\n", paint("1", gate.Visible(destinationTitle(m.Destination))))
		}
		width := len("secret")
		for _, row := range m.Rows {
			width = max(width, len(gate.Visible(row.Secret)))
		}
		spaces := strings.Repeat(" ", width)
		from := ""
		if slices.ContainsFunc(m.Rows, func(row Row) bool { return row.From != "" }) {
			from = "  from"
		}
		if narrow := terminal > 0 && 2+width+columnsWidth > terminal; narrow {
			for _, row := range m.Rows {
				fmt.Fprintf(b, "  %s\n", strings.TrimSpace(gate.Visible(row.Secret)+" "+gate.Visible(row.From)))
				fmt.Fprintf(b, "    vault %s fetch %s file %s deploy.yml %s\n", painted[row.Vault], painted[row.Fetch], painted[row.File], painted[row.Config])
			}
			b.WriteByte('\n')
			continue
		}
		fmt.Fprintf(b, "  %-*s  vault  fetch  file  deploy.yml%s\n", width, "secret", from)
		for _, row := range m.Rows {
			name := gate.Visible(row.Secret)
			b.WriteString("  " + name + spaces[:width-len(name)] + "  ")
			b.WriteString(painted[row.Vault] + "      " + painted[row.Fetch] + "      " + painted[row.File] + "     " + painted[row.Config])
			if row.From != "" {
				b.WriteString("           " + gate.Visible(row.From))
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
}

// writeFindings writes what was found, each page of the documentation once.
func (r Report) writeFindings(b *strings.Builder, paint func(code, text string) string) {
	pages := map[string]bool{}
	for _, f := range r.Findings {
		sign, code := "✗", "31"
		switch f.Level {
		case Warning:
			sign, code = "!", "33"
		case Note:
			sign, code = "·", "36"
		}
		at := ""
		if f.Problem.Place.File != "" {
			at = gate.Visible(f.Problem.Place.String()) + ": "
		}
		fmt.Fprintf(b, "%s %s%s%s\n", paint(code, sign), at, gate.Visible(f.Problem.Message), gate.Visible(inDestinations(r, f)))
		for _, detail := range f.Problem.Details {
			fmt.Fprintf(b, "  %s\n", gate.Visible(detail))
		}
		if f.Problem.Hint != "" {
			fmt.Fprintf(b, "  hint: %s\n", gate.Visible(f.Problem.Hint))
		}
		if page := f.Problem.URL(); f.Level == Error && !pages[page] {
			pages[page] = true
			fmt.Fprintf(b, "  help: %s\n", page)
		}
	}
}

func destinationTitle(destination string) string {
	if destination == "" {
		return "without a destination"
	}
	return "destination " + destination
}

// inDestinations says where a finding holds, if not everywhere.
func inDestinations(r Report, f Finding) string {
	if len(f.Destinations) == len(r.Matrices) {
		return ""
	}
	names := make([]string, len(f.Destinations))
	for i, d := range f.Destinations {
		names[i] = destinationTitle(d)
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// conclusion is the last line: how much is wrong, or that nothing is as far as was
// looked, and what 1Password was not asked for.
func (r Report) conclusion(paint func(code, text string) string) string {
	count := map[Level]int{}
	for _, f := range r.Findings {
		count[f.Level]++
	}
	text := paint("32", "✓") + " every secret is named in all its places"
	wrong := count[Error]+count[Warning] > 0
	switch {
	case wrong:
		text = plural(count[Error], "problem") + ", " + plural(count[Warning], "warning")
		if count[Note] > 0 {
			text += ", " + plural(count[Note], "note")
		}
	case count[Note] > 0:
		text = paint("32", "✓") + " nothing is wrong, as far as was looked; " + plural(count[Note], "note")
	case len(r.Unknown) > 0:
		text = paint("32", "✓") + " nothing is wrong, as far as was looked"
	}
	asked, unseen := r.asked()
	switch {
	case len(unseen) == 0, len(asked) == 0 && wrong:
	case len(asked) == 0:
		text += "; 1Password was not asked"
	default:
		text += "; 1Password was not asked for " + gate.Visible(strings.Join(slices.Sorted(maps.Keys(unseen)), ", "))
	}
	return text
}

// asked are the secrets that 1Password was asked for, and those that it was not,
// though their values may come from there.
func (r Report) asked() (asked, unseen map[string]bool) {
	asked, unseen = map[string]bool{}, map[string]bool{}
	for _, m := range r.Matrices {
		for _, row := range m.Rows {
			switch row.Vault {
			case Yes, No:
				asked[row.Secret] = true
			case Unknown:
				unseen[row.Secret] = true
			}
		}
	}
	return asked, unseen
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

type jsonFinding struct {
	Rule         string   `json:"rule"`
	Level        Level    `json:"level"`
	Secret       string   `json:"secret,omitempty"`
	Destinations []string `json:"destinations"`
	Message      string   `json:"message"`
	Details      []string `json:"details,omitempty"`
	Hint         string   `json:"hint,omitempty"`
	Help         string   `json:"help"`
	File         string   `json:"file,omitempty"`
	Line         int      `json:"line,omitempty"`
	Column       int      `json:"column,omitempty"`
}

type jsonRow struct {
	Secret string `json:"secret"`
	Vault  State  `json:"vault"`
	Fetch  State  `json:"fetch"`
	File   State  `json:"file"`
	Config State  `json:"config"`
	From   string `json:"from,omitempty"`
}

type jsonMatrix struct {
	Destination string    `json:"destination"`
	Secrets     []jsonRow `json:"secrets"`
}

type jsonPlace struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

type jsonSkipped struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// WriteJSON writes the report for a program. No value stands in it.
func WriteJSON(w io.Writer, r Report) error {
	out := struct {
		Failed       bool          `json:"failed"`
		Destinations []jsonMatrix  `json:"destinations"`
		Findings     []jsonFinding `json:"findings"`
		Unknown      []jsonPlace   `json:"unknown"`
		Skipped      []jsonSkipped `json:"skipped"`
	}{Failed: r.Failed(), Destinations: []jsonMatrix{}, Findings: []jsonFinding{}, Unknown: []jsonPlace{}, Skipped: []jsonSkipped{}}
	for _, m := range r.Matrices {
		j := jsonMatrix{Destination: m.Destination, Secrets: []jsonRow{}}
		for _, row := range m.Rows {
			j.Secrets = append(j.Secrets, jsonRow(row))
		}
		out.Destinations = append(out.Destinations, j)
	}
	for _, f := range r.Findings {
		p := f.Problem
		out.Findings = append(out.Findings, jsonFinding{
			f.Rule, f.Level, f.Secret, f.Destinations, p.Message, p.Details, p.Hint, p.URL(), p.Place.File, p.Place.Line, p.Place.Column,
		})
	}
	for _, s := range r.Skipped {
		out.Skipped = append(out.Skipped, jsonSkipped{s.File, s.Why})
	}
	for _, at := range r.Unknown {
		out.Unknown = append(out.Unknown, jsonPlace(at))
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
