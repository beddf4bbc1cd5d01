package kamal

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// dotenvLine is the LINE of Ruby's dotenv: both engines take the leftmost match
// and try alternatives in order, so that a value which spans lines, or a quote
// that is never closed, is read here as it is there. Ruby's \s has \v too.
var dotenvLine = lazy.Regexp(`(?m)(?:^|\A)[\s\v]*(export[\s\v]+)?([\w.]+)` +
	`((?:[\s\v]*=[\s\v]*?|:[\s\v]+?)` +
	`([\s\v]*'(?:\\'|[^'])*'|[\s\v]*"(?:\\"|[^"])*"|[^#\n]+)?)?` +
	`[\s\v]*(?:#.*)?(?:$|\z)`)

// ParseSecrets reads the text of one secrets file as dotenv does, and what Kamal
// substitutes in it; nothing is executed. name is for the places. env are
// NAME=value entries that variables outside the file are looked up in.
func ParseSecrets(name, text string, env []string) *SecretsFile {
	r := newSecretsReader(name, text, env)
	r.read()
	return r.file
}

// readSecrets is ParseSecrets for those who edit: the reader knows afterwards
// where in its text everything stands.
func readSecrets(name, text string, env []string) *secretsReader {
	r := newSecretsReader(name, text, env)
	r.commands = map[problem.Place]span{}
	r.read()
	return r
}

func newSecretsReader(name, text string, env []string) *secretsReader {
	text = strings.TrimPrefix(text, "\uFEFF")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	return &secretsReader{
		file: &SecretsFile{Path: name}, text: text, lines: lineStarts(text), env: env, known: map[string]string{}, seen: map[string]bool{},
	}
}

func (r *secretsReader) read() {
	text, end := r.text, 0
	for _, m := range dotenvLine().FindAllStringSubmatchIndex(text, -1) {
		r.skip(end, m[0])
		end = m[1]
		r.define(m)
	}
	r.skip(end, len(text))
}

type secretsReader struct {
	file  *SecretsFile
	text  string
	lines []int // offsets at which lines start
	env   []string
	known map[string]string // literal values defined so far
	seen  map[string]bool   // names defined so far, literal or not

	// last is the definition that the next line may belong to, and its last line.
	last struct {
		name string
		line int
		open bool // a command in it is not closed
	}

	// counted is the offset whose column was asked for last, and the column.
	counted struct{ offset, column int }

	// Where things stand in text, noted for those who edit: a span for every
	// definition of the file, and what every command at a place is made of.
	spans    []definitionSpan
	commands map[problem.Place]span // nil where nobody edits
}

// A definitionSpan is where a definition's name starts, where its value starts
// (-1 without one), and where it ends.
type definitionSpan struct{ name, value, end int }

func lineStarts(text string) []int {
	starts := []int{0}
	for i := range len(text) {
		if text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// at is the place of an offset; columns count characters.
func (r *secretsReader) at(offset int) problem.Place {
	line, found := slices.BinarySearch(r.lines, offset)
	if !found {
		line--
	}
	// A line may have very many parts: what was counted up to the last is kept.
	from, column := r.lines[line], 1
	if r.counted.column > 0 && r.counted.offset >= from && r.counted.offset <= offset {
		from, column = r.counted.offset, r.counted.column
	}
	column += utf8.RuneCountInString(r.text[from:offset])
	r.counted.offset, r.counted.column = offset, column
	return problem.Place{File: r.file.Path, Line: line + 1, Column: column}
}

// skip notes lines between definitions that are neither blank nor comments.
func (r *secretsReader) skip(from, to int) {
	for from < to {
		end := strings.IndexByte(r.text[from:to], '\n')
		if end < 0 {
			end = to - from
		}
		line := r.text[from : from+end]
		if trimmed := strings.TrimLeft(line, " \t\v\f"); trimmed != "" && trimmed[0] != '#' {
			r.file.Ignored = append(r.file.Ignored, r.skippedLine(trimmed, r.at(from+len(line)-len(trimmed))))
		}
		from += end + 1
	}
}

// define takes one match of dotenvLine.
func (r *secretsReader) define(m []int) {
	d := Definition{Name: r.text[m[4]:m[5]], Place: r.at(m[4])}
	if m[2] >= 0 && m[8] < 0 {
		// `export NAME` without a value: dotenv takes it as a statement about a
		// name that must be there already, and stops where it is not.
		if !r.seen[d.Name] {
			r.file.Unset = append(r.file.Unset, d.Place)
		}
		return
	}
	if m[8] >= 0 {
		v := r.unquote(m[8], m[9], &d)
		r.openQuote(v, &d)
		r.cutOff(v, &d)
		r.innerQuotes(v, &d)
		if d.Quote == '\'' {
			d.Parts = literal(v, r)
		} else {
			v = v.unescape()
			d.Parts = r.parts(v, &d)
		}
		r.cutWord(m[8], m[9], &d)
	}
	switch len(d.Parts) {
	case 0:
		d.Kind = Literal
	case 1:
		d.Kind = d.Parts[0].Kind
	default:
		d.Kind = Composed
	}
	delete(r.known, d.Name)
	if text, ok := r.literalText(d); ok {
		r.known[d.Name] = text
	}
	r.seen[d.Name] = true
	r.last.name, r.last.line = d.Name, r.at(max(m[5], m[9])).Line
	r.last.open = slices.ContainsFunc(d.Shell, func(s Shell) bool { return s.Kind == NeverClosed })
	r.file.Definitions = append(r.file.Definitions, d)
	if r.commands != nil {
		s := definitionSpan{name: m[4], value: m[8], end: m[9]}
		if m[8] < 0 {
			s.end = m[5]
		}
		r.spans = append(r.spans, s)
	}
}

// literalText is the value of a definition that needs nothing executed.
func (r *secretsReader) literalText(d Definition) (string, bool) {
	var b strings.Builder
	for _, p := range d.Parts {
		switch p.Kind {
		case Literal:
			b.WriteString(p.Text)
		case PassThrough:
			value, ok := r.lookup(p.Name)
			if !ok {
				return "", false
			}
			b.WriteString(value)
		default:
			return "", false
		}
	}
	return b.String(), true
}

// lookup is the value of a variable as far as it is known without executing
// anything: of the file, else of the environment.
func (r *secretsReader) lookup(name string) (string, bool) {
	if r.seen[name] {
		value, ok := r.known[name]
		return value, ok
	}
	for _, entry := range slices.Backward(r.env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// A span is text with the offset in the file that each byte comes from.
type span struct {
	text string
	from []int
}

func (s span) cut(from, to int) span { return span{s.text[from:to], s.from[from:to]} }

// at is the offset of byte i, or 0 where the span is empty.
func (s span) at(i int) int {
	if i >= len(s.from) {
		return 0
	}
	return s.from[i]
}

// unquote strips the value as Ruby's strip does, takes its quotes off, and in
// double quotes gives \n and \r the meaning that dotenv's mode of line breaks
// says.
func (r *secretsReader) unquote(from, to int, d *Definition) span {
	const space = " \t\n\v\f\r\x00"
	raw := r.text[from:to]
	trimmed := strings.TrimRight(strings.TrimLeft(raw, space[:len(space)-1]), space)
	from += len(raw) - len(strings.TrimLeft(raw, space[:len(space)-1]))
	v := span{text: trimmed}
	for i := range len(trimmed) {
		v.from = append(v.from, from+i)
	}
	if n := len(trimmed); n >= 2 && trimmed[0] == trimmed[n-1] && (trimmed[0] == '\'' || trimmed[0] == '"') {
		d.Quote = trimmed[0]
		v = v.cut(1, n-1)
	}
	if d.Quote == '"' {
		mode, _ := r.lookup("DOTENV_LINEBREAK_MODE")
		v = v.lineBreaks(mode == "legacy")
	}
	return v
}

// lineBreaks makes \n and \r line breaks in dotenv's legacy mode, and else
// doubles their backslash, so that unescape leaves them as they were written.
func (s span) lineBreaks(legacy bool) span {
	var out span
	var b strings.Builder
	for i := 0; i < len(s.text); i++ {
		if s.text[i] == '\\' && i+1 < len(s.text) && (s.text[i+1] == 'n' || s.text[i+1] == 'r') {
			c := s.text[i+1]
			if legacy {
				b.WriteByte(map[byte]byte{'n': '\n', 'r': '\r'}[c])
				out.from = append(out.from, s.from[i])
			} else {
				b.WriteString(`\\` + string(c))
				out.from = append(out.from, s.from[i], s.from[i], s.from[i+1])
			}
			i++
			continue
		}
		b.WriteByte(s.text[i])
		out.from = append(out.from, s.from[i])
	}
	out.text = b.String()
	return out
}

// unescape takes a backslash off every character but $.
func (s span) unescape() span {
	var out span
	var b strings.Builder
	for i := 0; i < len(s.text); i++ {
		if s.text[i] == '\\' && i+1 < len(s.text) && s.text[i+1] != '$' {
			i++
		}
		b.WriteByte(s.text[i])
		out.from = append(out.from, s.from[i])
	}
	out.text = b.String()
	return out
}

func literal(v span, r *secretsReader) []Part {
	if v.text == "" {
		return nil
	}
	return []Part{{Kind: Literal, Text: v.text, Known: true, Place: r.at(v.at(0))}}
}
