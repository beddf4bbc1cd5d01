package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

// refuse is that a place of the project file is not changed here.
func (p *projectNames) refuse(line int, hint, text string) *problem.Problem {
	q := problem.New(projectfile.Name+": "+text, hint)
	return q.At(projectfile.Name, line, 1)
}

// oddly is the problem that a name stands where it cannot be changed, or nil.
func (p *projectNames) oddly(name string, in func(*projectList) bool) error {
	for _, l := range p.lists {
		for _, o := range l.odd {
			if in(l) && (name == "" || wordAt(o.text, name).Line > 0) {
				return p.refuse(o.line, "write "+l.option+" as a list, or as a text with one a line, without anchors and escapes",
					l.option+" is written in a way that is not changed here")
			}
		}
	}
	return nil
}

// find is a name in the lists that in chooses.
func (p *projectNames) find(name string, in func(*projectList) bool) (l *projectList, element, word int, ok bool) {
	for _, l := range p.lists {
		if !in(l) {
			continue
		}
		for i, e := range l.elements {
			for j, w := range e.words {
				if w.name == name && name != "" {
					return l, i, j, true
				}
			}
		}
	}
	return nil, 0, 0, false
}

// splice puts text in the place of bytes, and reads what it gives.
func (p *projectNames) splice(from, to int, text string) error {
	next, err := readProjectNames(p.text[:from] + text + p.text[to:])
	if err != nil {
		return err
	}
	*p = *next
	return nil
}

// said are all names with what they stand for, to be compared.
func (p *projectNames) said(change func(l *projectList, w projectWord) (projectWord, bool)) []string {
	var all []string
	for _, l := range p.lists {
		for _, e := range l.elements {
			for _, w := range e.words {
				if w, ok := change(l, w); ok {
					all = append(all, l.destination+" "+l.option+" "+w.name+"="+w.reference)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// proven is the problem that a change gave something else than it should have.
func (p *projectNames) proven(line int, want []string) error {
	got := p.said(func(_ *projectList, w projectWord) (projectWord, bool) { return w, true })
	if slices.Equal(want, got) {
		return nil
	}
	return p.refuse(line, "change it by hand first", "its names are written in a way that is not changed here")
}

// rename gives a name another wherever in chooses; field is the reference that its own
// becomes.
func (p *projectNames) rename(from, to string, in func(*projectList) bool, field func(reference string) string) error {
	if err := p.oddly(from, in); err != nil {
		return err
	}
	renamed := func(l *projectList, w projectWord) (projectWord, bool) {
		if in(l) && w.name == from {
			w.name = to
			if l.declares() {
				w.reference = field(w.reference)
			}
		}
		return w, true
	}
	want, line := p.said(renamed), 0
	for {
		l, i, j, ok := p.find(from, in)
		if !ok {
			return p.proven(line, want)
		}
		w := l.elements[i].words[j]
		line = l.line + 1
		end := max(w.at+len(w.name), w.refAt+len(w.reference))
		text := to + p.text[w.at+len(from):end]
		if l.declares() {
			text = to + p.text[w.at+len(from):w.refAt] + field(w.reference)
		}
		if err := p.splice(w.at, end, text); err != nil {
			return err
		}
	}
}

// remove takes a name out wherever in chooses, with the key of a list that has no other.
func (p *projectNames) remove(name string, in func(*projectList) bool) error {
	if err := p.oddly(name, in); err != nil {
		return err
	}
	want := p.said(func(l *projectList, w projectWord) (projectWord, bool) { return w, !in(l) || w.name != name })
	line := 0
	for {
		l, i, j, ok := p.find(name, in)
		if !ok {
			return p.proven(line, want)
		}
		line = l.line + 1
		if err := p.removeWord(l, i, j); err != nil {
			return err
		}
	}
}

func (p *projectNames) removeWord(l *projectList, i, j int) error {
	e := l.elements[i]
	w := e.words[j]
	end := w.at + len(w.name)
	switch {
	case len(e.words) > 1 && j == 0:
		return p.splice(w.at, e.words[1].at, "")
	case len(e.words) > 1:
		before := e.words[j-1]
		return p.splice(before.at+len(before.name), end, "")
	case len(l.elements) == 1 && len(l.odd) == 0:
		return p.removeList(l)
	case l.form == formInline || l.form == formBraces:
		from, to := e.from, e.to
		switch {
		case i > 0:
			from = l.elements[i-1].to
		case len(l.elements) > 1:
			to = l.elements[1].from
		}
		if len(l.odd) > 0 || strings.Contains(p.text[from:to], "#") { // what is between may be of another entry
			return p.refuse(l.line+1, "take "+w.name+" out by hand first", l.option+" is written in a way that is not changed here")
		}
		return p.splice(from, to, "")
	}
	return p.removeLines(p.lineOf(e.from))
}

// removeList takes a list with its last entry out: one that is empty takes none of what
// holds for all, and a key without a value is a mistake.
func (p *projectNames) removeList(l *projectList) error {
	if !l.declares() && l.destination != "" && slices.ContainsFunc(p.lists, func(o *projectList) bool { return o.destination == "" && o.option == l.option }) {
		return p.refuse(l.line+1, "write "+l.option+": [] there, or take the key out, as it is meant", l.option+" would be empty for "+l.destination+", and what holds for all would take its place")
	}
	at := p.lineOf(l.elements[0].from)
	if at == l.line {
		return p.removeLines(at)
	}
	if l.form == formLone || l.form == formInline || l.form == formBraces {
		return p.refuse(l.line+1, "take the key "+l.option+" out by hand first", l.option+" would be empty, and its value begins in another line")
	}
	return p.removeLines(l.line, at)
}

// removeLines takes lines out: what had no line end at its end has none then.
func (p *projectNames) removeLines(gone ...int) error {
	var text strings.Builder
	for i := range p.lines {
		if !slices.Contains(gone, i) {
			text.WriteString(p.lineAt(i))
		}
	}
	left := text.String()
	if !strings.HasSuffix(p.text, "\n") {
		left = strings.TrimSuffix(strings.TrimSuffix(left, "\n"), "\r")
	}
	return p.splice(0, len(p.text), left)
}

func (p *projectNames) lineOf(at int) int {
	i, ok := slices.BinarySearch(p.lines, at)
	if !ok {
		i--
	}
	return i
}

// add declares a name behind the last of a list, as that is written.
func (p *projectNames) add(l *projectList, name, reference string) error {
	if err := p.oddly("", func(other *projectList) bool { return other == l }); err != nil {
		return err
	}
	want := p.said(func(_ *projectList, w projectWord) (projectWord, bool) { return w, true })
	want = append(want, l.destination+" "+l.option+" "+name+"="+reference)
	slices.Sort(want)
	last := l.elements[len(l.elements)-1]
	line := p.lineOf(last.from)
	whole := p.lineAt(line)
	prefix, end := p.text[p.lines[line]:last.from], p.lines[line]+len(whole)
	eol := "\n"
	if strings.Contains(p.text, "\r\n") {
		eol = "\r\n"
	}
	at, text := end, prefix+p.written(l, last, name, reference)+eol
	switch mark := strings.TrimSpace(prefix); {
	case l.form == formLone:
		return p.refuse(l.line+1, "write it as a list, or as NAME: value pairs", l.option+" has one value behind its key: there is no line to put another in")
	case l.form == formInline || l.form == formBraces:
		at, text = last.to, ", "+p.written(l, last, name, reference)
	case mark != "" && (mark != "-" || l.form != formItems):
		return p.refuse(line+1, "write each entry in a line of its own", l.option+" is written in a way that is not changed here")
	case !strings.HasSuffix(whole, "\n"):
		text = eol + strings.TrimSuffix(text, eol)
	}
	if err := p.splice(at, at, text); err != nil {
		return err
	}
	return p.proven(line+1, want)
}

// written is a declaration as the last of its list is written.
func (p *projectNames) written(l *projectList, last projectElement, name, reference string) string {
	switch l.form {
	case formText:
		return name + "=" + reference
	case formPairs, formBraces:
		return name + ": " + quotedLike(reference, p.text[last.to-1], l.form == formBraces)
	}
	return quotedLike(name+"="+reference, p.text[last.to-1], l.form == formInline)
}

// quotedLike is a text as a scalar of YAML, in the quotes of another where that has
// some, and in some where it needs them.
func quotedLike(text string, like byte, inline bool) string {
	odd := strings.Contains(text, ": ") || strings.Contains(text, " #") || strings.HasSuffix(text, ":") || inline && strings.ContainsAny(text, ",[]{}")
	switch {
	case like == '"' && !strings.ContainsAny(text, "\"\\"):
		return `"` + text + `"`
	case like == '\'' || like == '"' || odd:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return text
}
