package comment

import (
	"strings"
	"unicode"
)

// Line makes foreign text into one line without control characters, at most limit
// characters long.
func Line(s string, limit int) string {
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

// Code is foreign text as Markdown shows it and does nothing else with it: in a
// code span there are no mentions, no references, no links, no HTML.
func Code(s string) string {
	s = Line(s, 300)
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// Block is foreign lines as a code block of Markdown's.
func Block(lines []string) string {
	longest := 2
	var out []string
	for _, l := range lines {
		indent := l[:len(l)-len(strings.TrimLeft(l, " "))]
		l = indent[:min(len(indent), 20)] + Line(l, 300)
		out = append(out, l)
		longest = max(longest, longestRun(l))
	}
	fence := strings.Repeat("`", longest+1)
	return fence + "text\n" + strings.Join(out, "\n") + "\n" + fence
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
