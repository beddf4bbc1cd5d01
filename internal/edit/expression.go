package edit

import (
	"fmt"
	"strings"
)

// hide puts a mark in the place of each expression.
func (s *script) hide(text string) string {
	var b strings.Builder
	for {
		start := strings.Index(text, "${{")
		end := -1
		if start >= 0 {
			end = endOfExpression(text[start:])
		}
		if end < 0 {
			b.WriteString(text)
			return b.String()
		}
		fmt.Fprintf(&b, "%s%c%d%c", text[:start], markStart, len(s.expressions), markEnd)
		s.expressions = append(s.expressions, text[start:start+end])
		text = text[start+end:]
	}
}

// endOfExpression is the length of the expression that a text begins with. In its
// strings, which stand in single quotes, }} ends nothing.
func endOfExpression(text string) int {
	quoted := false
	for i := len("${{"); i < len(text); i++ {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case !quoted && strings.HasPrefix(text[i:], "}}"):
			return i + 2
		}
	}
	return -1
}

// show puts the expressions back.
func (s *script) show(text string) string {
	for i, e := range s.expressions {
		text = strings.ReplaceAll(text, fmt.Sprintf("%c%d%c", markStart, i, markEnd), e)
	}
	return text
}
