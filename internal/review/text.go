package review

import (
	"strings"
	"unicode"
)

// line makes foreign text into one line without control characters, at most limit
// characters long.
func line(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > limit {
			b.WriteString("…")
			break
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// short is a line that fits into a message.
func short(s string) string { return line(s, 80) }

// code is foreign text as Markdown shows it and does nothing else with it: in a
// code span there are no mentions, no references, no links, no HTML.
func code(s string) string {
	s = line(s, 300)
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// block is foreign lines as a code block of Markdown's.
func block(lines []string) string {
	longest := 2
	for i, l := range lines {
		lines[i] = line(l, 300)
		longest = max(longest, longestRun(lines[i]))
	}
	fence := strings.Repeat("`", longest+1)
	return fence + "text\n" + strings.Join(lines, "\n") + "\n" + fence
}

// longestRun is the length of the longest run of backticks.
func longestRun(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
