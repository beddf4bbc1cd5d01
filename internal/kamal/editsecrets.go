package kamal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A SecretsEdit changes a secrets file in place. Every byte that a change is not
// about stays: comments, order, quotes, ends of lines, a byte order mark. After
// each change the file is read again; a change that would make anything else of
// it read otherwise is refused, and leaves the text as it was.
type SecretsEdit struct {
	path string
	env  []string
	text string
	r    *secretsReader
	raw  []int // offsets in text of each byte of r.text, and of its end
}

// EditSecrets begins a change of the text of a secrets file; path and env are as
// for ParseSecrets.
func EditSecrets(path, text string, env []string) *SecretsEdit {
	e := &SecretsEdit{path: path, env: env}
	e.read(text)
	return e
}

// Text is the file as changed so far.
func (e *SecretsEdit) Text() string { return e.text }

// File is what the text says now.
func (e *SecretsEdit) File() *SecretsFile { return e.r.file }

func (e *SecretsEdit) read(text string) {
	e.text = text
	e.r = readSecrets(e.path, text, e.env)
	e.raw = e.raw[:0]
	for i := 0; i < len(text); i++ {
		switch {
		case i == 0 && strings.HasPrefix(text, "\uFEFF"):
			i += len("\uFEFF") - 1
		case text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n':
		default:
			// CR LF counts where its CR is, so that what is put in stands before both.
			if text[i] == '\n' && i > 0 && text[i-1] == '\r' {
				e.raw = append(e.raw, i-1)
				continue
			}
			e.raw = append(e.raw, i)
		}
	}
	e.raw = append(e.raw, len(text))
}

// change makes a change, and takes it back where definitions that are not in
// touched would read otherwise.
func (e *SecretsEdit) change(s textEdit, touched ...string) error {
	before, file := e.text, e.r.file
	e.read(s.apply(e.text))
	same := func(d Definition) bool { return !slices.Contains(touched, d.Name) }
	was, is := signatures(file, same), signatures(e.r.file, same)
	if oldLines(before) || !slices.Equal(was, is) || len(file.Ignored) != len(e.r.file.Ignored) || len(file.Unset) != len(e.r.file.Unset) {
		e.read(before)
		return problem.New(e.path+" cannot be changed here without changing what other lines of it mean",
			"change it by hand")
	}
	return nil
}

// signatures are what definitions say, wherever they stand.
func signatures(file *SecretsFile, of func(Definition) bool) []string {
	var all []string
	for _, d := range file.Definitions {
		if of(d) {
			s := fmt.Sprintf("%s %d %q", d.Name, d.Kind, d.Quote)
			for _, p := range d.Parts {
				s += fmt.Sprintf(" %d %q", p.Kind, p.Text)
			}
			all = append(all, s)
		}
	}
	return all
}

// spanOf is where a definition stands in the text that the reader has.
func (e *SecretsEdit) spanOf(d Definition) (definitionSpan, bool) {
	for i, other := range e.r.file.Definitions {
		if other.Place == d.Place && other.Name == d.Name {
			return e.r.spans[i], true
		}
	}
	return definitionSpan{}, false
}

// linesOf are the whole lines of a definition in e.text.
func (e *SecretsEdit) linesOf(d Definition) (from, to int, ok bool) {
	s, ok := e.spanOf(d)
	if !ok {
		return 0, 0, false
	}
	from, _ = lineAround(e.text, e.raw[s.name])
	_, to = lineAround(e.text, e.raw[max(s.name, s.end-1)])
	return from, to, true
}

// AddLine adds the line that defines name: behind a definition, or at the end of
// the file.
func (e *SecretsEdit) AddLine(name, line string, behind *Definition) error {
	at := len(e.text)
	if behind != nil {
		_, to, ok := e.linesOf(*behind)
		if !ok {
			return notThere(*behind)
		}
		at = to
	}
	return e.change(insertLines(e.text, at, endOfLine(e.text, max(0, at-1)), line), name)
}

// AddLineLike adds a line behind model that is written like it: for an extract
// with another name to extract, for an op read with another reference, for a
// pass-through with another variable. ok is false where model is no such line
// that can be copied.
func (e *SecretsEdit) AddLineLike(model Definition, name, from string) (ok bool, err error) {
	line, ok := e.lineLike(model, name, from)
	if !ok {
		return false, nil
	}
	_, to, _ := e.linesOf(model)
	return true, e.change(insertLines(e.text, to, endOfLine(e.text, max(0, to-1)), line), name)
}

func (e *SecretsEdit) lineLike(model Definition, name, from string) (string, bool) {
	s, ok := e.spanOf(model)
	if !ok || len(model.Parts) != 1 || s.end <= s.name {
		return "", false
	}
	start := strings.LastIndexByte(e.r.text[:s.name], '\n') + 1
	line := strings.TrimRight(e.r.text[start:s.end], " \t")
	if strings.ContainsAny(line, "\n") {
		return "", false
	}
	var value textEdit
	switch p := model.Parts[0]; p.Kind {
	case Extract:
		w, ok := e.extractWord(p)
		if !ok || !isPlainWord(from) {
			return "", false
		}
		value = textEdit{w.from, w.to, from}
	case Read:
		w, ok := e.readWord(p)
		if !ok || !isPlainWord(from) && e.r.text[w.from-1] != '"' && e.r.text[w.from-1] != '\'' {
			return "", false
		}
		value = textEdit{w.from, w.to, from}
	case PassThrough:
		at, ok := offsetOf(e.r.text, e.r.lines, p.Place)
		if !ok {
			return "", false
		}
		i := strings.Index(e.r.text[at:], p.Name)
		value = textEdit{at + i, at + i + len(p.Name), from}
	default:
		return "", false
	}
	value.from, value.to = value.from-start, value.to-start
	line = value.apply(line)
	return textEdit{s.name - start, s.name - start + len(model.Name), name}.apply(line), true
}

// AddFetched adds a name to a fetch, behind the last, apart from it as that is
// from the word before. A fetch of every field stays as it is.
func (e *SecretsEdit) AddFetched(fetch Definition, name string) error {
	names, err := e.fetchWords(fetch)
	if err != nil || len(names) == 0 {
		return err
	}
	quoted, ok := QuoteWord(name)
	if !ok {
		return problem.New(name+" has characters that a line of "+e.path+" cannot hold safely", "rename it in 1Password")
	}
	last := names[len(names)-1]
	at := e.raw[last.to-1] + 1
	return e.change(textEdit{at, at, e.text[e.raw[last.before-1]+1:e.raw[last.from]] + quoted}, fetch.Name)
}

// RemoveFetched takes a name out of a fetch. The last name takes the whole line
// with it: without names a fetch means every field.
func (e *SecretsEdit) RemoveFetched(fetch Definition, name string) error {
	names, err := e.fetchWords(fetch)
	if err != nil {
		return err
	}
	for _, w := range names {
		if w.text != name {
			continue
		}
		if len(names) == 1 {
			return e.RemoveDefinition(fetch)
		}
		return e.change(textEdit{e.raw[w.before-1] + 1, e.raw[w.to-1] + 1, ""}, fetch.Name)
	}
	return nil
}

// RemoveDefinition takes a definition's lines out.
func (e *SecretsEdit) RemoveDefinition(d Definition) error {
	from, to, ok := e.linesOf(d)
	if !ok {
		return notThere(d)
	}
	return e.change(removeLines(e.text, from, to), d.Name)
}

// A Renaming says what of a secrets file takes a new name.
type Renaming struct {
	From, To string

	// Field is whether the fetches, extracts and references whose last part is the
	// name follow it.
	Field bool

	// Environment is whether the variable of Kamal's environment has the new name
	// too. Where it has not, $FROM stays wherever it means that variable.
	Environment bool
}

// Rename gives a secret another name, in its definitions and where a later line of
// the file takes it from there. kept are the places that take the variable of the
// environment still, under its old name.
func (e *SecretsEdit) Rename(r Renaming) (kept []problem.Place, err error) {
	n := secretsRename{SecretsEdit: e, Renaming: r, fetches: map[string]bool{}, touched: []string{r.From, r.To}}
	for _, d := range e.r.file.Definitions {
		for _, p := range d.Parts {
			if d.Name == r.From && p.Kind == Extract {
				n.fetches[p.Source] = true
			}
		}
	}
	for i, d := range e.r.file.Definitions {
		if err := n.definition(i, d); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(n.all, func(a, b textEdit) int { return b.from - a.from })
	n.all = slices.CompactFunc(n.all, func(a, b textEdit) bool { return a.from == b.from })
	text := e.text
	for _, s := range n.all {
		text = s.apply(text)
	}
	return n.kept, e.change(textEdit{0, len(e.text), text}, n.touched...)
}

// A secretsRename is the renaming of a secret while the file is read from the top.
type secretsRename struct {
	*SecretsEdit
	Renaming
	fetches map[string]bool // whose field is renamed
	defined bool            // a line above defines the name: $FROM is its value from then on

	all     []textEdit
	kept    []problem.Place
	touched []string // names of definitions that change
}

func (n *secretsRename) put(at int, old, text string) {
	n.all = append(n.all, textEdit{n.raw[at], n.raw[at+len(old)-1] + 1, text})
}

// tail renames the last part of a word, if it is the name.
func (n *secretsRename) tail(w rawWord) {
	if i := w.to - len(n.From); n.Field && i >= w.from && n.r.text[i:w.to] == n.From && (i == w.from || strings.IndexByte("/.\"'", n.r.text[i-1]) >= 0) {
		n.put(i, n.From, n.To)
	}
}

func (n *secretsRename) definition(i int, d Definition) error {
	before := len(n.all)
	if d.Name == n.From {
		n.put(n.r.spans[i].name, n.From, n.To)
	}
	for _, p := range d.Parts {
		if n.defined && (p.Kind == PassThrough && p.Name == n.To || slices.Contains(p.Variables, n.To)) {
			taken := problem.New("$"+n.To+" is a variable of the environment here, and would become the secret", "give another name, or put that variable under another first")
			taken.Place = p.Place
			return taken
		}
		n.part(d, p)
	}
	n.defined = n.defined || d.Name == n.From
	if len(n.all) > before {
		n.touched = append(n.touched, d.Name)
	}
	return nil
}

func (n *secretsRename) part(d Definition, p Part) {
	at, ok := offsetOf(n.r.text, n.r.lines, p.Place)
	if !ok {
		return
	}
	switch named := p.Kind == PassThrough && p.Name == n.From; {
	case !named && !slices.Contains(p.Variables, n.From):
	case !n.defined && !n.Environment:
		n.kept = append(n.kept, p.Place)
	case named:
		n.put(at+strings.Index(n.r.text[at:], n.From), n.From, n.To)
	default:
		n.variablesIn(p, n.From, func(at int) { n.put(at, n.From, n.To) })
	}
	if d.Name == n.From || p.Kind == Fetch && n.fetches[d.Name] {
		n.renameField(d, p, n.tail)
	}
}

// renameField calls tail for the words of a part that may end in a field's name.
func (e *SecretsEdit) renameField(d Definition, p Part, tail func(rawWord)) {
	switch p.Kind {
	case Extract:
		if w, ok := e.extractWord(p); ok {
			tail(w)
		}
	case Read:
		if w, ok := e.readWord(p); ok {
			tail(w)
		}
	case Fetch:
		names, err := e.fetchWords(d)
		if err != nil {
			return
		}
		for _, w := range names {
			tail(w.trimmed(e.r.text))
		}
	}
}

// variablesIn calls found for every place where a command names a variable.
func (e *SecretsEdit) variablesIn(p Part, name string, found func(at int)) {
	span := e.r.commands[p.Place]
	for i := range len(span.text) {
		if span.text[i] != '$' || i > 0 && span.text[i-1] == '\\' {
			continue
		}
		if m := variable().FindStringSubmatchIndex(span.text[i:]); m != nil && m[2] >= 0 && span.text[i+m[2]:i+m[3]] == name {
			found(span.from[i+m[2]])
		}
	}
}

func notThere(d Definition) error {
	return problem.Newf("the definition of %s is not there any more", d.Name)
}

// Shown is the text without the values that stand in it: what a diff may show.
// Definitions without a value and those that only name other places stay.
func (e *SecretsEdit) Shown() string {
	text := e.text
	for i, d := range slices.Backward(e.r.file.Definitions) {
		s := e.r.spans[i]
		if d.Kind != Literal && d.Kind != Composed || s.value < 0 || s.end <= s.value {
			continue
		}
		if d.Kind == Composed && !slices.ContainsFunc(d.Parts, func(p Part) bool { return p.Kind == Literal && len(p.Text) > 2 }) {
			continue
		}
		from, to := e.raw[s.value], e.raw[s.end-1]+1
		for from < to && strings.IndexByte(" \t\r\n", text[from]) >= 0 {
			from++
		}
		if from < to {
			text = textEdit{from, to, "***"}.apply(text)
		}
	}
	return text
}
