package edit

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"mvdan.cc/sh/v3/syntax"
)

// A jobEntry is one text that a job hands to its shell: an entry of GitLab's script:,
// or the command of a step of CircleCI's.
type jobEntry struct {
	text   string
	script *script
	fates  []fate // of its statements

	fixed    bool // it stands elsewhere, as an alias or a !reference: it can go, and not be changed
	from, to int  // its lines in the file; to is behind the last
	first    int  // the line that its text begins in, -1 where it is not found as it is
	at       int  // the column that it begins in there
	block    bool // it stands in lines below its key or dash
	whole    bool // from to to may be deleted
}

func (e *jobEntry) line() int { return e.from + 1 }

// newEntry is an entry with the text of a node whose lines are known.
func newEntry(lines []string, n ast.Node, from, to int) *jobEntry {
	e := &jobEntry{text: scalarText(n), from: from, to: to, first: -1}
	e.script = parseCommands(e.text)
	e.find(lines)
	return e
}

// find looks for the text in the lines: what is written otherwise than it is read
// (folded, with escapes) is not found, and cannot be changed.
func (e *jobEntry) find(lines []string) {
	text := strings.TrimRight(e.text, "\n")
	if text == "" {
		return
	}
	own := strings.Split(text, "\n")
	if len(own) == 1 {
		for i := e.from; i < e.to; i++ {
			at := strings.LastIndex(strings.TrimRight(lines[i], "\r\n"), text)
			if at >= 0 && (e.first >= 0 || strings.Count(lines[i], text) > 1) {
				e.first = -1
				return
			}
			if at >= 0 {
				e.first, e.at, e.block = i, at, i > e.from
			}
		}
		return
	}
	for start := e.from + 1; start+len(own) <= e.to; start++ {
		if at, ok := standsAt(lines[start:], own); ok {
			e.first, e.at, e.block = start, at, true
			return
		}
	}
}

// standsAt tells whether lines of a file are those of a text, and at which indentation.
func standsAt(lines, text []string) (int, bool) {
	at := -1
	for i, want := range text {
		line := strings.TrimRight(lines[i], "\r\n")
		if strings.TrimSpace(want) == "" {
			if strings.TrimSpace(line) != "" {
				return 0, false
			}
			continue
		}
		if at < 0 {
			at = len(line) - len(strings.TrimLeft(line, " "))
			at -= len(want) - len(strings.TrimLeft(want, " "))
		}
		if at < 0 || at > len(line) || line[at:] != want || strings.TrimSpace(line[:at]) != "" {
			return 0, false
		}
	}
	return at, at >= 0
}

// lineOf is the line of the file that a part of the text stands in, counted from 1.
func (e *jobEntry) lineOf(n syntax.Node) int {
	if e.first < 0 {
		return e.line()
	}
	return e.first + int(n.Pos().Line())
}

// changed tells whether anything of the entry goes.
func (e *jobEntry) goes() (all, some bool) {
	all = len(e.fates) > 0
	for _, v := range e.fates {
		all, some = all && v == goes, some || v == goes
	}
	return all, some
}

// A textChange puts a text in the place of one in a line of the file.
type textChange struct {
	line, from, to int
	text           string
}

// change is one in the line that a part of the text stands in.
func (e *jobEntry) change(from, to syntax.Pos, text string) (textChange, bool) {
	if e.first < 0 || e.fixed || from.Line() != to.Line() {
		return textChange{}, false
	}
	return textChange{e.first + int(from.Line()) - 1, e.at + int(from.Col()) - 1, e.at + int(to.Col()) - 1, text}, true
}

// without are the lines of the file that have nothing but statements which go; ok is
// false where one shares its line with another.
func (e *jobEntry) without() (gone []lineRange, ok bool) {
	if !e.block || e.fixed || e.first < 0 {
		return nil, false
	}
	stmts := e.script.file.Stmts
	for i, stmt := range stmts {
		if e.fates[i] != goes {
			continue
		}
		from, to := int(stmt.Pos().Line()), int(lastLine(stmt))
		if i > 0 && int(lastLine(stmts[i-1])) >= from || i+1 < len(stmts) && int(stmts[i+1].Pos().Line()) <= to {
			return nil, false
		}
		gone = append(gone, lineRange{e.first + from - 1, e.first + to})
	}
	return gone, true
}

// lastLine is where a statement ends, its here-documents too.
func lastLine(stmt *syntax.Stmt) uint {
	last := stmt.End().Line()
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if r, ok := n.(*syntax.Redirect); ok && r.Hdoc != nil {
			last = max(last, r.Hdoc.End().Line()) // the line of the word that ends it
		}
		return true
	})
	return last
}

// entryEnd is the line behind an entry of a list whose dash stands in a column, counted
// from 0: what is blank, or a comment no further in, belongs to none.
func entryEnd(lines []string, from, dash, end int) int {
	to := from + 1
	for line := from + 1; line < min(end, len(lines)); line++ {
		trimmed := strings.TrimLeft(lines[line], " ")
		in := len(lines[line]) - len(trimmed)
		if strings.TrimSpace(trimmed) == "" || trimmed[0] == '#' && in <= dash {
			continue
		}
		if in <= dash {
			break
		}
		to = line + 1
	}
	return to
}

// apply makes the changes of texts, then of lines, from the last to the first.
func (w *workflow) apply(texts []textChange, changes []lineChange) {
	slices.SortFunc(texts, func(a, b textChange) int {
		if a.line != b.line {
			return b.line - a.line
		}
		return b.from - a.from
	})
	for _, c := range texts {
		w.lines[c.line] = w.lines[c.line][:c.from] + c.text + w.lines[c.line][c.to:]
	}
	slices.SortStableFunc(changes, func(a, b lineChange) int { return b.from - a.from })
	for _, c := range changes {
		w.removed = append(w.removed, lineRange{c.from, c.to})
		w.lines = slices.Replace(w.lines, c.from, c.to, c.text...)
	}
}
