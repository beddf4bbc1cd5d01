package kamal

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// shellIn notes what the sh that runs a command need not know, and a command that ends
// too early: Kamal counts parentheses, also those between quotes.
func (r *secretsReader) shellIn(command span, d *Definition) {
	if at := openQuoteIn(command.text); at >= 0 {
		d.Shell = append(d.Shell, Shell{Kind: CutQuote, Text: command.text[at : at+1], Place: r.at(command.at(at))})
		return
	}
	if inlined().MatchString(command.text) {
		return // its words may stand on several lines
	}
	r.joinedLines(command, d)
	if ownShell().MatchString(command.text) {
		return
	}
	plain := quoted().ReplaceAllStringFunc(command.text, func(q string) string { return strings.Repeat("x", len(q)) })
	if m := bashOnly().FindStringSubmatchIndex(plain); m != nil {
		for m[2] < 0 {
			m = m[2:] // another alternative
		}
		d.Shell = append(d.Shell, Shell{Kind: BashOnly, Text: command.text[m[2]:m[3]], Place: r.at(command.at(m[2]))})
	}
}

// joinedLines notes a backslash at the end of a line within double quotes: dotenv takes
// it off, and what follows is a line of its own.
func (r *secretsReader) joinedLines(v span, d *Definition) {
	for i := range len(v.text) {
		at := v.from[i]
		if v.text[i] == '\n' && at > 0 && r.text[at-1] == '\\' && (i == 0 || v.from[i-1] < at-1) {
			d.Shell = append(d.Shell, Shell{Kind: Continuation, Text: `\`, Place: r.at(at - 1)})
			return
		}
	}
}

// bashOnly are here-strings, commands in the place of files, $(<file), [[ and arrays:
// bash has them, and the sh of Debian and Alpine does not.
var bashOnly = lazy.Regexp(`(<<<)|(?:^|[^<>\w])([<>]\()|^\s*(<)\s*[^\s<>&(]+\s*$|(?:^|[;&|]|then|do)\s*(\[\[)\s|(?:^|[;&|\s])[A-Za-z_]\w*(=\()`)

// openQuoteIn is where a quote begins in a command that nothing closes, or -1. What
// is a comment or a here-document in it is text of its own.
func openQuoteIn(text string) int {
	if strings.Contains(text, "<<") || strings.Contains(text, "#") {
		return -1
	}
	open := -1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && (open < 0 || text[open] == '"'):
			i++
		case open >= 0 && c == text[open]:
			open = -1
		case open < 0 && (c == '\'' || c == '"'):
			open = i
		}
	}
	return open
}
