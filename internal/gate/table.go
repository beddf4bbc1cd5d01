package gate

import (
	"strings"
	"unicode/utf8"
)

// Table lays rows out in columns. Where a terminal of so many columns has no room for one
// of them, each row is as many lines as it needs, which break between cells: columns that
// a terminal has torn are read by nobody. The first row is then left out where it is the
// columns' names. A width of 0 has room for all.
func Table(rows [][]string, named bool, width int) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, 0, len(rows))
	fits := true
	for _, row := range rows {
		line := aligned(row, widths)
		fits = fits && (width <= 0 || utf8.RuneCountInString(line) <= width)
		lines = append(lines, line+"\n")
	}
	if fits {
		return strings.Join(lines, "")
	}
	if named {
		rows = rows[1:]
	}
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(packed(row, width))
	}
	return b.String()
}

// aligned is a row in columns.
func aligned(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(cell)
		b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
	}
	return strings.TrimRight(b.String(), " ")
}

// packed is a row whose cells stand in as few lines as they need. A row whose first cell
// is empty goes on with the one above.
func packed(row []string, width int) string {
	const between = "  "
	var b strings.Builder
	at := 0
	for i, cell := range row {
		if cell == "" {
			continue
		}
		shown := utf8.RuneCountInString(cell)
		switch {
		case at == 0 && i > 0:
			b.WriteString(between)
			at = len(between)
		case at > 0 && at+len(between)+shown > width:
			b.WriteString("\n" + between)
			at = len(between)
		case at > 0:
			b.WriteString(between)
			at += len(between)
		}
		b.WriteString(cell)
		at += shown
	}
	return b.String() + "\n"
}
