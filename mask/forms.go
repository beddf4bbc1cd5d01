package mask

import (
	"fmt"
	"net/url"
	"strings"
)

// passwordMin is how long the password in a URL must be to be masked by itself,
// not only behind the user's name: short ones are words (postgres, redis).
const passwordMin = 8

// expand is every byte string that shall be masked for value, some of them more
// than once, and what was refused of value; the Reason is empty if nothing was.
//
// None holds a CR or LF. A value of several lines is masked line by line, which
// also finds it with other line ends, indented, or with something before each
// line; and whole where its line ends are something else, as in JSON.
func expand(value string, o *options) (patterns []string, skipped Skipped) {
	trimmed := strings.TrimSpace(value)
	switch {
	case value == "":
		return nil, Skipped{Reason: "empty"}
	case trimmed == "":
		return nil, Skipped{Reason: "white space only"}
	case len(trimmed) < o.minLength:
		return nil, Skipped{Reason: tooShort(o)}
	}
	f := forms{min: o.minLength}
	f.add(value) // dropped if it has several lines
	f.add(trimmed)
	lines := splitLines(value)
	for i, line := range lines {
		line = strings.TrimSpace(line)
		lines[i] = line
		switch {
		case line == "" || line == trimmed:
		case len(line) < o.minLength:
			skipped.Lines = append(skipped.Lines, i+1)
			skipped.Reason = tooShort(o)
		default:
			f.add(line)
		}
	}
	several := strings.ContainsAny(trimmed, "\r\n")
	if several {
		f.add(strings.Join(lines, ""))
		if skipped.Lines != nil {
			// Lines that are masked are so with spaces between them too.
			f.add(strings.TrimSpace(strings.Join(lines, " ")))
		}
	}
	if o.encodings {
		f.encode(value, trimmed)
		if several {
			for _, line := range lines {
				if len(line) >= o.minLength {
					f.addQuoted(line)
				}
			}
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
	list []string
	min  int
}

// add takes a form, unless it goes over lines or is too short to be told from
// chance.
func (f *forms) add(form string) {
	if len(form) < f.min || strings.IndexByte(form, '\n') >= 0 || strings.IndexByte(form, '\r') >= 0 {
		return
	}
	f.list = append(f.list, form)
}

// encode takes the encoded forms of a value.
func (f *forms) encode(value, trimmed string) {
	f.addBase64(trimmed)
	f.addBase64(trimmed + "\n") // as from echo, or of a file
	if value != trimmed && value != trimmed+"\n" {
		f.addBase64(value)
	}
	f.addHex(trimmed)
	f.addPercent(trimmed)
	f.addQuoted(trimmed)
	if strings.ContainsAny(trimmed, "\r\n") {
		// A form on a web page sends its line ends as CR LF; a file read on Windows
		// loses them.
		other := strings.Join(splitLines(trimmed), "\n")
		if other == trimmed {
			other = strings.ReplaceAll(trimmed, "\n", "\r\n")
		}
		f.addPercent(other)
		f.addQuoted(other)
	}
	f.addURL(trimmed)
}

// addURL takes what is secret of a value that is a URL with a user in it: user
// and password together, in all forms, since curl and others send them as base64
// of their own; and the password, unless it is so short that it may be a word.
func (f *forms) addURL(value string) {
	_, rest, isURL := strings.Cut(value, "://")
	if !isURL || strings.ContainsAny(value, " \t\r\n") {
		return
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return
	}
	user, password, has := strings.Cut(rest[:at], ":")
	if !has || password == "" {
		return
	}
	written := user + ":" + password
	f.addPart(written)
	f.addPassword(password)
	if meant, err := url.PathUnescape(password); err == nil && meant != password {
		if u, err := url.PathUnescape(user); err == nil {
			f.addPart(u + ":" + meant)
		}
		f.addPassword(meant)
	}
}

func (f *forms) addPassword(password string) {
	if len(password) >= max(passwordMin, f.min) && noise(password) == "" {
		f.addPart(password)
	}
}

// addPart takes a part of a value as if it were one.
func (f *forms) addPart(part string) {
	f.add(part)
	f.addBase64(part)
	f.addHex(part)
	f.addPercent(part)
	f.addQuoted(part)
}
