package kamal

import (
	"fmt"
	"iter"
	"strings"
)

// EnvFileValue is what a container's environment holds of a value that Kamal puts
// into a secret of env: Kamal::EnvFile escapes ASCII with Ruby's String#dump, and
// docker does not undo it. Newlines arrive as \n, tabs as \t, other control
// characters as \e or \x01, backslashes doubled; $, quotes, # and everything that
// is not ASCII arrive as they are. It is Kamal's contract with apps.
func EnvFileValue(value string) string {
	var b strings.Builder
	for part, ascii := range asciiParts(value) {
		if ascii {
			part = strings.ReplaceAll(strings.ReplaceAll(dump(part), `\"`, `"`), `\#`, `#`)
		}
		b.WriteString(part)
	}
	return b.String()
}

// asciiParts are the longest parts of a value that are ASCII, or not: Kamal escapes
// the former only.
func asciiParts(value string) iter.Seq2[string, bool] {
	return func(yield func(part string, ascii bool) bool) {
		for start := 0; start < len(value); {
			end := start
			ascii := value[start] < 0x80
			for end < len(value) && (value[end] < 0x80) == ascii {
				end++
			}
			if !yield(value[start:end], ascii) {
				return
			}
			start = end
		}
	}
}

// dump is Ruby's String#dump for ASCII, without the quotes around it.
func dump(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '#' && i+1 < len(text) && strings.IndexByte("{$@", text[i+1]) >= 0:
			b.WriteString(`\#`)
		case c >= 0x20 && c < 0x7f:
			b.WriteByte(c)
		case c == 0x1b:
			b.WriteString(`\e`)
		case c >= 0x07 && c <= 0x0d:
			b.WriteByte('\\')
			b.WriteByte("abtnvfr"[c-0x07])
		default:
			fmt.Fprintf(&b, `\x%02X`, c)
		}
	}
	return b.String()
}
