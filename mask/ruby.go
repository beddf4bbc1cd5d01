package mask

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addRuby takes value as Go and Ruby programs print it, and as Kamal hands it on:
// Kamal dumps the parts of a value that are ASCII and leaves the others, then
// takes back some of the escapes in the file it gives to docker, and adds some on
// a command line.
func (f *forms) addRuby(value string) {
	unquoted := func(quoted string) string { return quoted[1 : len(quoted)-1] }
	f.add(unquoted(strconv.Quote(value)))
	f.add(unquoted(strconv.QuoteToASCII(value)))

	f.add(rubyString(value, rubyInspect))
	f.add(rubyString(value, rubyDump))
	dumped := rubyString(value, rubyDumpASCII)
	f.add(dumped)
	if strings.IndexByte(dumped, '\\') >= 0 {
		f.add(strings.NewReplacer(`\"`, `"`, `\#`, `#`).Replace(dumped)) // in docker's env file
	}
	f.add(kamalShell(dumped))
	if quoted := kamalShell(rubyString(value, rubyDumpParts)); len(quoted) > 1 {
		f.add(strings.Trim(quoted, `"`))
	}
}

// The ways of Ruby to write a string.
type rubyStyle int

const (
	rubyInspect   rubyStyle = iota // inspect: characters that can be printed stay
	rubyDump                       // dump: ASCII only
	rubyDumpASCII                  // dump of the parts that are ASCII; others stay
	rubyDumpParts                  // the same, with each of those parts between quotes
)

// rubyString is value as Ruby writes it between double quotes.
func rubyString(value string, style rubyStyle) string {
	b := make([]byte, 0, len(value)+8)
	quote := func(i int) {
		if style == rubyDumpParts && i > 0 && i < len(value) && (value[i] < utf8.RuneSelf) != (value[i-1] < utf8.RuneSelf) {
			b = append(b, '"')
		}
	}
	for i := 0; i < len(value); {
		r, n := utf8.DecodeRuneInString(value[i:])
		c := value[i]
		quote(i)
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(append(b, `\x`...), number(rune(c), upperDigits, 2)...)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '#' && i+1 < len(value) && strings.IndexByte("{$@", value[i+1]) >= 0:
			b = append(b, '\\', c)
		case strings.IndexByte("\n\r\t\f\v\b\a\x1b", c) >= 0:
			b = append(b, '\\', "nrtfvbae"[strings.IndexByte("\n\r\t\f\v\b\a\x1b", c)])
		case r < ' ' || r == 0x7f:
			if style == rubyInspect {
				b = append(append(b, `\u`...), number(r, upperDigits, 4)...)
			} else {
				b = append(append(b, `\x`...), number(r, upperDigits, 2)...)
			}
		case r < utf8.RuneSelf:
			b = append(b, c)
		case style >= rubyDumpASCII, style == rubyInspect && (unicode.IsPrint(r) || unicode.Is(unicode.Zs, r)):
			b = append(b, value[i:i+n]...)
		case r >= 0x10000:
			b = append(append(append(b, `\u{`...), number(r, upperDigits, 0)...), '}')
		default:
			b = append(append(b, `\u`...), number(r, upperDigits, 4)...)
		}
		i += n
	}
	return string(b)
}

// kamalShell is what Kamal makes of a dumped string on a command line: a backslash
// before each backquote, and before each $ that does not begin a ${…}.
func kamalShell(dumped string) string {
	b := make([]byte, 0, len(dumped)+8)
	for i := range len(dumped) {
		c := dumped[i]
		braces := strings.HasPrefix(dumped[i:], "${") && strings.IndexByte(dumped[i:], '}') >= 0
		if c == '`' || c == '$' && !braces {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(b)
}
