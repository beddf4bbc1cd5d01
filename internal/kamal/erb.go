package kamal

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// erbFiller stands, rune for rune, where a tag gave text: so columns stay as they
// are, and a scalar that holds it is known to depend on ERB. It is a character
// for private use that no configuration has.
const erbFiller = '\uE0EB'

// What opens a block in a tag of ERB, which an `end` or a } closes.
var (
	erbOpens   = lazy.Regexp(`^\s*(if|unless|case|while|until|for|begin|def)\b|\bdo\s*(\|[^|]*\|)?\s*$|\{\s*(\|[^|]*\|)?\s*$`)
	erbCloses  = lazy.Regexp(`^\s*(end\b|\})`)
	erbOneLine = lazy.Regexp(`\bend\s*$`)
)

// passERB takes the tags of ERB out of a template and keeps every line and column
// where it is. A tag that gives text becomes erbFiller, or white space where
// it stands alone on its line and may give anything; what a block of tags holds
// (a condition, a loop) is blank, since whether and how often it is there is not
// known here. The places are those of the tags that something depends on.
func passERB(text string) (string, []problem.Place) { return passTags(text, false) }

// openERB is passERB, but what blocks of tags hold stays: as if every branch were
// taken, and every loop once.
func openERB(text string) string {
	open, _ := passTags(text, true)
	return open
}

func passTags(text string, open bool) (string, []problem.Place) {
	if !strings.Contains(text, "<%") {
		return text, nil
	}
	var (
		out      []rune
		places   []problem.Place
		line     = 1
		column   = 1
		depth    int // of blocks
		rest     = text
		lineHead = true // only white space so far on this line of the output
	)
	put := func(s string, as func(r rune) rune) {
		for _, r := range s {
			if r == '\n' {
				out = append(out, '\n')
				line, column, lineHead = line+1, 1, true
				continue
			}
			r = as(r)
			out = append(out, r)
			column++
			lineHead = lineHead && (r == ' ' || r == '\t' || r == '\r')
		}
	}
	same := func(r rune) rune { return r }
	blank := func(r rune) rune {
		if r == '\r' {
			return r
		}
		return ' '
	}
	for rest != "" {
		start := strings.Index(rest, "<%")
		if start < 0 {
			start = len(rest)
		}
		if depth > 0 && !open {
			put(rest[:start], blank)
		} else {
			put(rest[:start], same)
		}
		rest = rest[start:]
		if rest == "" {
			break
		}
		if strings.HasPrefix(rest, "<%%") { // a written <%
			put(rest[:3], same)
			rest = rest[3:]
			continue
		}
		end := strings.Index(rest, "%>")
		if end < 0 {
			end = len(rest)
		} else {
			end += len("%>")
		}
		tag := rest[:end]
		rest = rest[end:]
		body := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(tag, "<%"), "%>"), "-")
		at := problem.Place{Line: line, Column: column}
		switch {
		case strings.HasPrefix(body, "#"):
			put(tag, blank)
		case strings.HasPrefix(body, "="):
			if depth == 0 {
				places = append(places, at)
			}
			if depth > 0 && !open || lineHead && endsLine(rest) {
				put(tag, blank)
				break
			}
			first, more, _ := strings.Cut(tag, "\n")
			put(first, func(rune) rune { return erbFiller })
			if len(first) < len(tag) {
				put("\n"+more, blank)
			}
		default:
			body = strings.TrimPrefix(body, "-")
			closes := erbCloses().MatchString(body)
			if closes && depth > 0 {
				depth--
			}
			if erbOpens().MatchString(strings.TrimRight(body, " \t\n")) && !erbOneLine().MatchString(body) {
				if depth == 0 {
					places = append(places, at)
				}
				depth++
			}
			put(tag, blank)
		}
	}
	return string(out), places
}

// endsLine says whether nothing but white space follows on the line.
func endsLine(rest string) bool {
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line) == ""
}
