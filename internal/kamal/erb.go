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
	p := erbReader{open: open, rest: text, line: 1, column: 1, lineHead: true}
	for p.rest != "" {
		start := strings.Index(p.rest, "<%")
		if start < 0 {
			start = len(p.rest)
		}
		if p.hidden() {
			p.put(p.rest[:start], blankRune)
		} else {
			p.put(p.rest[:start], sameRune)
		}
		p.rest = p.rest[start:]
		switch {
		case p.rest == "":
		case strings.HasPrefix(p.rest, "<%%"): // a written <%
			p.put(p.rest[:3], sameRune)
			p.rest = p.rest[3:]
		default:
			p.tag()
		}
	}
	return string(p.out), p.places
}

// An erbReader goes through a text with tags, and writes it without them, with every
// character in its place.
type erbReader struct {
	open         bool   // what blocks hold stays
	rest         string // of the text
	out          []rune
	line, column int
	lineHead     bool // only white space so far on this line of the output
	depth        int  // of blocks
	places       []problem.Place
}

// hidden reports whether the text here is in a block whose branches are not known.
func (p *erbReader) hidden() bool { return p.depth > 0 && !p.open }

func (p *erbReader) put(s string, as func(r rune) rune) {
	for _, r := range s {
		if r == '\n' {
			p.out = append(p.out, '\n')
			p.line, p.column, p.lineHead = p.line+1, 1, true
			continue
		}
		r = as(r)
		p.out = append(p.out, r)
		p.column++
		p.lineHead = p.lineHead && (r == ' ' || r == '\t' || r == '\r')
	}
}

func sameRune(r rune) rune { return r }

func blankRune(r rune) rune {
	if r == '\r' {
		return r
	}
	return ' '
}

// tag passes over the tag that the rest begins with.
func (p *erbReader) tag() {
	end := strings.Index(p.rest, "%>")
	if end < 0 {
		end = len(p.rest)
	} else {
		end += len("%>")
	}
	tag := p.rest[:end]
	p.rest = p.rest[end:]
	body := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(tag, "<%"), "%>"), "-")
	at := problem.Place{Line: p.line, Column: p.column}
	switch {
	case strings.HasPrefix(body, "#"):
	case strings.HasPrefix(body, "="):
		if p.depth == 0 {
			p.places = append(p.places, at)
		}
		if p.hidden() || p.lineHead && endsLine(p.rest) {
			break
		}
		first, more, _ := strings.Cut(tag, "\n")
		p.put(first, func(rune) rune { return erbFiller })
		if len(first) < len(tag) {
			p.put("\n"+more, blankRune)
		}
		return
	default:
		p.code(strings.TrimPrefix(body, "-"), at)
	}
	p.put(tag, blankRune)
}

// code counts the blocks that the code of a tag closes and opens.
func (p *erbReader) code(body string, at problem.Place) {
	if erbCloses().MatchString(body) && p.depth > 0 {
		p.depth--
	}
	if erbOpens().MatchString(strings.TrimRight(body, " \t\n")) && !erbOneLine().MatchString(body) {
		if p.depth == 0 {
			p.places = append(p.places, at)
		}
		p.depth++
	}
}

// endsLine reports whether nothing but white space follows on the line.
func endsLine(rest string) bool {
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line) == ""
}
