package kamal

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// variable is dotenv's VARIABLE without its look-ahead.
var variable = lazy.Regexp(`^\$\{?([A-Za-z0-9_]+)?\}?`)

// A partsReader splits a value into text, variables and commands, in the order in
// which dotenv and Kamal's pattern for commands see them.
type partsReader struct {
	*secretsReader
	value   span
	into    *Definition // gets what is odd
	ends    map[int]int // of commands: see commandEnds
	outside []byte      // of commands, which a shell reads
	opaque  int         // up to here no commands are looked for: what an escaped one holds

	parts []Part
	text  strings.Builder
	start int // of the text
}

// parts splits a value into text, variables and commands.
func (r *secretsReader) parts(v span, d *Definition) []Part {
	p := &partsReader{secretsReader: r, value: v, into: d, ends: commandEnds(v.text), outside: []byte(v.text)}
	for i := 0; i < len(v.text); {
		i = p.next(i)
	}
	p.flush()
	outside := string(p.outside)
	r.backticks(outside, v, d)
	r.operators(outside, v, d)
	r.wholeValue(outside, v, d)
	return p.parts
}

// next reads what begins at i, and returns where it ends.
func (p *partsReader) next(i int) int {
	text := p.value.text
	escaped := text[i] == '\\' && i+1 < len(text) && text[i+1] == '$'
	at := i
	if escaped {
		at++
	}
	if text[at] != '$' {
		p.write(i, text[i:i+1])
		return i + 1
	}
	if end := p.ends[at+1]; end > 0 && at >= p.opaque {
		return p.command(i, at, end)
	}
	if strings.HasPrefix(text[at:], "$(") { // not closed: text
		if d := p.into; !escaped && len(d.Shell) == 0 { // one mistake
			d.Shell = append(d.Shell, Shell{Kind: NeverClosed, Text: "$(", Place: p.place(at)})
		}
		p.write(i, text[i:at+1])
		return at + 1
	}
	m := variable().FindStringSubmatch(text[at:])
	switch {
	case escaped:
		p.write(i, m[0])
	case m[1] == "":
		p.oddities(p.value, at, m[0], p.into)
		p.write(i, m[0])
	default:
		p.flush()
		p.aroundName(p.value, at, m[0], p.into)
		_, known := p.lookup(m[1])
		p.parts = append(p.parts, Part{Kind: PassThrough, Text: m[0], Name: m[1], Place: p.place(at), Known: known})
	}
	return at + len(m[0])
}

// command reads the command whose dollar sign stands at at, behind a backslash where
// i is less.
func (p *partsReader) command(i, at, end int) int {
	if i < at {
		// Its backslash is taken, and variables are put in.
		p.write(i, "$(")
		p.opaque = end
		return at + 2
	}
	p.flush()
	command := p.value.cut(at+2, end-1)
	p.parts = append(p.parts, p.secretsReader.command(command, p.place(at)))
	p.expansionsIn(command, p.into)
	p.arithmetic(command, p.into)
	p.quotingIn(command, p.into)
	p.shellIn(command, p.into)
	copy(p.outside[at:end], strings.Repeat("$", end-at))
	return end
}

func (p *partsReader) place(at int) problem.Place { return p.at(p.value.at(at)) }

// write adds to the text that goes on since the last variable or command.
func (p *partsReader) write(i int, s string) {
	if p.text.Len() == 0 {
		p.start = i
	}
	p.text.WriteString(s)
}

func (p *partsReader) flush() {
	if p.text.Len() > 0 {
		p.parts = append(p.parts, Part{Kind: Literal, Text: p.text.String(), Known: true, Place: p.place(p.start)})
		p.text.Reset()
	}
}

// commandEnds are, by the offset of every opening parenthesis, the offset behind
// the command that it begins: Kamal's pattern, where a backslash takes the next
// character along, parentheses nest and something must stand between them. What has
// no end is not in it.
func commandEnds(text string) map[int]int {
	ends := map[int]int{}
	var open []int // not closed yet
	empty := false // nothing stands behind the last of them
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if i+1 >= len(text) || text[i+1] == '\n' {
				open = open[:0]
			}
			i++
			empty = false
		case '(':
			open, empty = append(open, i), true
		case ')':
			if empty {
				open = open[:0]
			} else if n := len(open) - 1; n >= 0 {
				ends[open[n]], open = i+1, open[:n]
			}
			empty = false
		default:
			empty = false
		}
	}
	return ends
}
