package mask

import (
	"fmt"
	"strings"
)

// expand is every byte string that shall be masked for value, some of them more
// than once, and what was refused of value.
//
// None holds a CR or LF. A value of several lines is masked line by line, which
// also finds it with other line ends, indented, or with something before each
// line; and whole where its line ends are something else, as in JSON.
func expand(value string, o *options) (patterns []string, skipped []Skipped) {
	trimmed := strings.TrimSpace(value)
	switch {
	case value == "":
		return nil, []Skipped{{Reason: "empty"}}
	case trimmed == "":
		return nil, []Skipped{{Reason: "white space only"}}
	case len(trimmed) < o.minLength:
		return nil, []Skipped{{Reason: tooShort(o)}}
	}
	f := forms{min: o.minLength, list: make([]string, 0, 64)}
	f.add(value) // dropped if it has several lines
	f.add(trimmed)
	lines := splitLines(value)
	var short []int
	for i, line := range lines {
		line = strings.TrimSpace(line)
		lines[i] = line
		switch {
		case line == "" || line == trimmed:
		case len(line) < o.minLength:
			short = append(short, i+1)
		default:
			f.add(line)
		}
	}
	if strings.ContainsAny(trimmed, "\r\n") {
		f.add(strings.Join(lines, ""))
	}
	if short != nil {
		skipped = append(skipped, Skipped{Lines: short, Reason: tooShort(o)})
		// Lines that are masked are so with spaces between them too.
		f.add(strings.TrimSpace(strings.Join(lines, " ")))
	}
	if o.encodings {
		if value != trimmed && value != trimmed+"\n" {
			f.addBase64(value)
		}
		f.addEncoded(trimmed)
		f.addBase64Twice(trimmed)
		f.addBase32(trimmed)
		f.addInner(trimmed)
		if f.within > 0 {
			skipped = append(skipped, Skipped{Within: f.within, Reason: "too short, too common or too many to be masked by themselves"})
		}
	}
	return f.list, skipped
}

func tooShort(o *options) string { return fmt.Sprintf("shorter than %d bytes", o.minLength) }

// splitLines is text between its line ends, which may be CR, LF or both.
func splitLines(text string) []string {
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return strings.Split(text, "\n")
}

// forms gathers the patterns of a value.
type forms struct {
	list   []string
	min    int
	within int // inner values that were refused
}

// add takes a form, unless it goes over lines or is too short to be told from
// chance.
func (f *forms) add(form string) {
	if len(form) < f.min || strings.IndexByte(form, '\n') >= 0 || strings.IndexByte(form, '\r') >= 0 {
		return
	}
	f.list = append(f.list, form)
}

// addEncoded takes the encoded forms of a value, and of its lines.
func (f *forms) addEncoded(value string) {
	f.addBase64(value)
	f.addBase64(value + "\n") // as from echo, or of a file
	f.addHex(value)
	f.addPercent(value)
	f.addQuoted(value)
	if !strings.ContainsAny(value, "\r\n") {
		f.addFolded(value)
		return
	}
	// A form on a web page sends its line ends as CR LF; a file read on Windows
	// loses them.
	lines := splitLines(value)
	other := strings.Join(lines, "\n")
	if other == value {
		other = strings.ReplaceAll(value, "\n", "\r\n")
	}
	f.addPercent(other)
	f.addQuoted(other)
	for _, line := range lines {
		if line = strings.TrimSpace(line); len(line) >= f.min {
			f.addQuoted(line)
			f.addFolded(line)
		}
	}
}
