package gate

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible is foreign text as it is shown within a line of ours: control characters,
// line ends among them, what turns the direction of text, and bytes that are no
// text are shown and not obeyed.
func Visible(text string) string { return visible(text, obeyed) }

// OneLine is text without line ends, the rest of it Visible.
func OneLine(text string) string {
	return Visible(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " "))
}

// lines is Visible, with its line ends kept.
func lines(text string) string {
	return visible(text, func(r rune) bool { return r != '\n' && obeyed(r) })
}

func visible(text string, obeyed func(rune) bool) string {
	clean := true
	for _, r := range text {
		clean = clean && !obeyed(r) && r != utf8.RuneError
	}
	if clean {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r < 0x80 && obeyed(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case obeyed(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// obeyed says what does something to a terminal or to the lines around it.
func obeyed(r rune) bool {
	return r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029')
}

// painted are the colours of our own reports.
var painted = [...]string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"}

// Painter gives a text one of the colours of our own reports, by its number (31 is red,
// 32 green, 33 yellow), or leaves it as it is where there are to be none.
func Painter(colour bool) func(code, text string) string {
	return func(code, text string) string {
		if !colour {
			return text
		}
		return "\x1b[" + code + "m" + text + painted[0]
	}
}

// colours is lines in which nothing is obeyed but, where they are kept, the colours
// of our own reports.
func colours(text string, kept bool) string {
	var b strings.Builder
	for text != "" {
		at := strings.IndexByte(text, 0x1b)
		if at < 0 || !kept {
			b.WriteString(lines(text))
			break
		}
		b.WriteString(lines(text[:at]))
		text = text[at:]
		n := 0
		for _, colour := range painted {
			if strings.HasPrefix(text, colour) {
				n = len(colour)
				b.WriteString(colour)
			}
		}
		if n == 0 {
			n = 1
			b.WriteString(lines(text[:1]))
		}
		text = text[n:]
	}
	return b.String()
}
