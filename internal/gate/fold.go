package gate

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// colouring is what has no width on a terminal.
var colouring = lazy.Regexp("\x1b\\[[0-9;]*m")

// Fold has the lines of a text break between words where a terminal of so many columns
// would break them within one. What is put there are spaces up to the edge and none of a
// line end: whoever copies a command out of a folded line has one line.
func Fold(text string, width int) string {
	if width < 20 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if columns(line, colouring()) > width {
			lines[i] = fold(line, width)
		}
	}
	return strings.Join(lines, "\n")
}

func fold(line string, width int) string {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	indent = min(indent+2, width/2)
	var b strings.Builder
	at, began := 0, false
	for i, word := range strings.SplitAfter(line, " ") {
		shown := columns(strings.TrimRight(word, " "), colouring())
		// A word that is too long for any line goes on where it is.
		switch {
		case i == 0:
		case began && at < indent: // the space behind the last word is in this row already
			b.WriteString(strings.Repeat(" ", indent-at))
			at = indent
		case at > indent && at+shown > width && indent+shown <= width:
			b.WriteString(strings.Repeat(" ", width-at+indent))
			at = indent
		}
		b.WriteString(word)
		began = at+shown == width
		if at += columns(word, colouring()); at > width {
			at %= width
		}
	}
	return b.String()
}

// columns is how wide a text is on a terminal.
func columns(text string, without *regexp.Regexp) int {
	return utf8.RuneCountInString(without.ReplaceAllString(text, ""))
}
