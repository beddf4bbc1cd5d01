package kamal

import (
	"strings"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A textEdit replaces the bytes from..to of a text.
type textEdit struct {
	from, to int
	text     string
}

func (s textEdit) apply(text string) string { return text[:s.from] + s.text + text[s.to:] }

// offsetOf is the offset of a place in a text whose lines start at lines; ok is
// false where the text has no such place.
func offsetOf(text string, lines []int, at problem.Place) (offset int, ok bool) {
	if at.Line < 1 || at.Line > len(lines) || at.Column < 1 {
		return 0, false
	}
	offset = lines[at.Line-1]
	for range at.Column - 1 {
		if offset >= len(text) || text[offset] == '\n' {
			return 0, false
		}
		_, size := utf8.DecodeRuneInString(text[offset:])
		offset += size
	}
	return offset, true
}

// lineAround is the line that offset is in, its end of line with it.
func lineAround(text string, offset int) (from, to int) {
	from = strings.LastIndexByte(text[:offset], '\n') + 1
	if end := strings.IndexByte(text[offset:], '\n'); end >= 0 {
		return from, offset + end + 1
	}
	return from, len(text)
}

// endOfLine is how the lines around offset end: as the file's others do.
func endOfLine(text string, offset int) string {
	from, to := lineAround(text, offset)
	if line := text[from:to]; strings.HasSuffix(line, "\n") {
		if strings.HasSuffix(line, "\r\n") {
			return "\r\n"
		}
		return "\n"
	}
	if strings.Contains(text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// insertLines puts whole lines in at offset, which is a line's start or the end
// of the text. A last line without an end of line stays one.
func insertLines(text string, offset int, eol string, lines ...string) textEdit {
	s := textEdit{from: offset, to: offset}
	if offset > 0 && text[offset-1] != '\n' {
		s.text = eol + strings.Join(lines, eol)
	} else {
		s.text = strings.Join(lines, eol) + eol
	}
	return s
}

// removeLines takes whole lines out.
func removeLines(text string, from, to int) textEdit {
	if to == len(text) && from > 0 && !strings.HasSuffix(text[from:to], "\n") {
		from--
		if from > 0 && text[from-1] == '\r' {
			from--
		}
	}
	return textEdit{from: from, to: to}
}

// oldLines reports whether lines of a text end in CR alone, which no program of
// today writes: such a text is not changed.
func oldLines(text string) bool {
	return strings.Count(text, "\r") != strings.Count(text, "\r\n")
}
