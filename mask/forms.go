package mask

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
)

// expand is every byte string that shall be masked for value, without those that
// are too short, and what was refused of it; the Reason is empty if nothing was.
func expand(value string, o *options) (patterns []string, skipped Skipped) {
	trimmed := strings.TrimSpace(value)
	if trimmed == "" {
		return nil, Skipped{Reason: "empty"}
	}
	if len(trimmed) < o.minLength {
		return nil, Skipped{Reason: tooShort(o)}
	}
	lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 1 {
		patterns = append(patterns, lines[0], trimmed)
	} else {
		for i, line := range strings.Split(strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", "\n"), "\r", "\n"), "\n") {
			line = strings.TrimSpace(line)
			switch {
			case line == "":
			case len(line) < o.minLength:
				skipped.Lines = append(skipped.Lines, i+1)
				skipped.Reason = tooShort(o)
			default:
				patterns = append(patterns, line)
			}
		}
	}
	if o.encodings {
		patterns = append(patterns, base64.StdEncoding.EncodeToString([]byte(value)), hex.EncodeToString([]byte(value)), url.QueryEscape(value))
	}
	return patterns, skipped
}

func tooShort(o *options) string { return fmt.Sprintf("shorter than %d bytes", o.minLength) }
