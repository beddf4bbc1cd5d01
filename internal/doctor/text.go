package doctor

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// Text is the report for a person: the findings by their areas, what is well of one
// host in one line.
func (r Report) Text(colour bool) string {
	var b strings.Builder
	paint := gate.Painter(colour)
	signs := map[State]string{Well: paint("32", "✓"), Notice: paint("33", "!"), Wrong: paint("31", "✗"), Unseen: paint("33", "?")}
	area, pages := "", map[string]bool{}
	for _, f := range joined(r.Findings) {
		if f.Area != area {
			if area != "" {
				b.WriteString("\n")
			}
			area = f.Area
			fmt.Fprintln(&b, paint("1", gate.OneLine(area)))
		}
		text := f.Text
		if f.About != "" {
			text = f.About + ": " + text
		}
		if f.Place != "" {
			text = f.Place + ": " + text
		}
		fmt.Fprintf(&b, "  %s %s\n", signs[f.State], gate.OneLine(text))
		for _, d := range f.Details {
			fmt.Fprintf(&b, "      %s\n", gate.OneLine(d))
		}
		switch {
		case f.Hint != "" && f.State == Unseen:
			fmt.Fprintf(&b, "    %s\n", gate.OneLine(f.Hint))
		case f.Hint != "":
			fmt.Fprintf(&b, "    hint: %s\n", gate.OneLine(f.Hint))
		}
		if f.Help != "" && !pages[f.Help] {
			pages[f.Help] = true // once is enough to read
			fmt.Fprintf(&b, "    help: %s\n", gate.OneLine(f.Help))
		}
	}
	fmt.Fprintf(&b, "\n%d well, %d to know, %d wrong, %d not looked at\n", r.Counts[Well], r.Counts[Notice], r.Counts[Wrong], r.Counts[Unseen])
	return b.String()
}

// joined has what is well of one thing in one finding.
func joined(found []Finding) (out []Finding) {
	for _, f := range found {
		if last := len(out) - 1; last >= 0 && f.About != "" && f.State == Well && out[last].State == Well &&
			f.Area == out[last].Area && f.About == out[last].About && len(f.Details)+len(out[last].Details) == 0 {
			out[last].Text += "; " + f.Text
			continue
		}
		out = append(out, f)
	}
	return out
}
