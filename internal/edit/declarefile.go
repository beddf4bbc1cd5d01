package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

// openProjectFile reads the project file, where there is one.
func (e *editor) openProjectFile() error {
	f, err := e.tree.read(projectfile.Name)
	if err != nil {
		return err
	}
	if f.exists && !f.opaque {
		e.files = append(e.files, f)
	}
	return nil
}

// inProjectFile are the names in the project file; it has none where it is not there.
func (e *editor) inProjectFile() (*projectNames, error) {
	f := e.file(projectfile.Name)
	if f == nil {
		return &projectNames{}, nil
	}
	return readProjectNames(f.text)
}

// names are those in the project file, or none where it cannot be read, which is told
// where it is to be changed.
func (e *editor) names() *projectNames {
	p, err := e.inProjectFile()
	if err != nil {
		return &projectNames{}
	}
	return p
}

// ours tells whether a list is that of a destination that was asked for.
func (e *editor) ours(l *projectList) bool {
	return !e.alone || slices.Contains(e.destinations, l.destination)
}

// listFor is the list that a destination's secrets are declared in, its own before that
// for all, or nil. One that is empty takes none of what holds for all.
func (p *projectNames) listFor(d string) *projectList {
	var found *projectList
	for _, l := range p.lists {
		if l.declares() && (l.destination == d || l.destination == "" && found == nil) {
			found = l
		}
	}
	if found != nil && len(found.elements)+len(found.odd) == 0 {
		return nil
	}
	return found
}

// declared is what holds for a destination.
func (p *projectNames) declared(d string) (all []projectWord) {
	found := p.listFor(d)
	for _, l := range p.lists {
		if found == nil || !l.declares() || l != found && l.destination != "" {
			continue
		}
		for _, e := range l.elements {
			for _, w := range e.words {
				if l == found || w.name == "" || !found.names(w.name) {
					all = append(all, w)
				}
			}
		}
	}
	return all
}

func (l *projectList) names(name string) bool {
	return slices.ContainsFunc(l.elements, func(e projectElement) bool {
		return slices.ContainsFunc(e.words, func(w projectWord) bool { return w.name == name })
	})
}

func (p *projectNames) place(at int) problem.Place {
	line := p.lineOf(at)
	return problem.Place{File: projectfile.Name, Line: line + 1, Column: len([]rune(p.text[p.lines[line]:at])) + 1}
}

// namedInProject is the first place in the lists that in chooses that names a secret.
func (e *editor) namedInProject(name string, in func(*projectList) bool) problem.Place {
	p := e.names()
	if l, i, j, ok := p.find(name, in); ok {
		return p.place(l.elements[i].words[j].at)
	}
	return problem.Place{}
}

// wholeItem is the whole item that is declared for a destination and has a name as its
// field.
func wholeItem(words []projectWord, name string, ref onepassword.Reference) (projectWord, bool, error) {
	var whole []projectWord
	var items []string
	for _, w := range words {
		same := ref.Vault == "" || strings.EqualFold(w.reference, "op://"+ref.Vault+"/"+ref.Item) && (ref.Field == "" || ref.Field == name)
		if w.name == "" && same {
			whole, items = append(whole, w), append(items, "--item "+kamal.ShellWord(w.reference))
		}
	}
	switch {
	case len(whole) == 0:
		return projectWord{}, false, nil
	case len(whole) > 1 && ref.Vault == "":
		return projectWord{}, false, problem.Usagef("say which: "+strings.Join(items, " or "), "%s declares more than one item", projectfile.Name)
	}
	return whole[0], true, nil
}

// declaresThere tells whether a name that has no line in the secrets file yet is better
// declared in the project file: where the secrets file has none of its kind, or the
// project file has others of the same item.
func (e *editor) declaresThere(d string, at form, ref onepassword.Reference) bool {
	words := e.names().declared(d)
	if at.kind != kamal.Literal || e.names().listFor(d) == nil {
		return false
	}
	fetches := slices.ContainsFunc(at.file.secrets.File().Definitions, func(def kamal.Definition) bool {
		return def.Kind == kamal.Fetch || def.Kind == kamal.Read
	})
	item := strings.ToLower("op://" + ref.Vault + "/" + ref.Item)
	return !fetches || slices.ContainsFunc(words, func(w projectWord) bool {
		return strings.HasPrefix(strings.ToLower(w.reference)+"/", item+"/")
	})
}

// declareInProject declares a name where the project file has the others of a
// destination. found is that it is declared there now.
func (e *editor) declareInProject(d, name string, ref onepassword.Reference) (found bool, err error) {
	f := e.file(projectfile.Name)
	p, err := e.inProjectFile()
	if err != nil {
		return false, err
	}
	l := p.listFor(d)
	if l == nil {
		return false, nil
	}
	if done, err := e.isDeclared(d, name); done || err != nil || l.names(name) {
		return true, err
	}
	whole, ok, err := wholeItem(p.declared(d), name, ref)
	if err != nil {
		return false, err
	}
	if ok {
		e.plan.note("%s declares all of %s: its field %s needs no line", p.place(whole.refAt), whole.reference, name)
		e.needReference(whole.reference + "/" + name)
		return true, nil
	}
	if e.alone && l.destination != d {
		return false, p.refuse(l.line+1, "add it for all (without --destination), or first declare one of its secrets under destinations."+d+".secrets",
			"the secrets of "+d+" are declared for all destinations")
	}
	if all := p.listFor(""); ref.Vault != "" && !e.alone && all != nil {
		l = all // and every destination takes it from there
		if l.names(name) {
			return true, nil
		}
	}
	var lines []declaredLine
	for _, element := range l.elements {
		for _, w := range element.words {
			lines = append(lines, declaredLine{name: w.name, reference: w.reference})
		}
	}
	reference := besides(lines, name)
	if ref.Vault != "" {
		reference = referenceFor(name, ref)
	}
	if err := p.add(l, name, reference); err != nil {
		return false, err
	}
	f.text = p.text
	e.needReference(reference)
	if onepassword.IsVariable(reference) {
		e.plan.todo(Todo{Do: "load", Reference: reference, Text: "load " + name + " into the environment of kamal-op, with --trust-project-file"})
	}
	return true, nil
}

// referenceFor is the field of an item that a name has its value in.
func referenceFor(name string, ref onepassword.Reference) string {
	field := name
	if ref.Field != "" {
		field = strings.Trim(ref.Section+"/"+ref.Field, "/")
	}
	return "op://" + ref.Vault + "/" + ref.Item + "/" + field
}

// isDeclared tells whether the project file, as it was, declares a name for a destination.
// What stands there is a field that is needed. What the command itself writes for all
// does not count: a destination with declarations of its own has one of its own then.
func (e *editor) isDeclared(d, name string) (bool, error) {
	f := e.file(projectfile.Name)
	if f == nil {
		return false, nil
	}
	before, err := readProjectNames(f.old)
	if err != nil {
		return false, err
	}
	words := before.declared(d)
	i := slices.IndexFunc(words, func(w projectWord) bool { return w.name == name })
	if i >= 0 {
		e.needReference(words[i].reference)
	}
	return i >= 0, nil
}

// undeclareInProject takes a name out of the project file.
func (e *editor) undeclareInProject(name string) error {
	f := e.file(projectfile.Name)
	if f == nil {
		return nil
	}
	p, err := e.inProjectFile()
	if err != nil {
		return err
	}
	for _, reference := range e.wholeFields(name) {
		e.freeReference(reference)
	}
	for _, l := range p.lists {
		for _, element := range l.elements {
			for _, w := range element.words {
				if e.ours(l) && w.name == name && l.declares() {
					e.freeReference(w.reference)
				}
			}
		}
	}
	if err := p.remove(name, e.ours); err != nil {
		return err
	}
	f.text = p.text
	return nil
}

// wholeFields are the fields of items that are declared whole, where nothing else gives
// a name to a destination that uses it.
func (e *editor) wholeFields(name string) (references []string) {
	for _, d := range e.destinations {
		words := e.names().declared(d)
		uses := slices.ContainsFunc(e.projects[d].Config.Uses, func(u kamal.Use) bool { return u.Name == name })
		if _, _, defined := e.lookup(d, name); defined || !uses || declares(words, name) {
			continue
		}
		if whole, ok, err := wholeItem(words, name, onepassword.Reference{}); ok && err == nil {
			references = append(references, whole.reference+"/"+name)
		}
	}
	return references
}

// renameInProject renames in the project file; declared tells whether that was a
// declaration.
func (e *editor) renameInProject(r kamal.Renaming) (declared bool, err error) {
	f := e.file(projectfile.Name)
	if f == nil {
		return false, nil
	}
	p, err := e.inProjectFile()
	if err != nil {
		return false, err
	}
	_, _, _, declared = p.find(r.From, func(l *projectList) bool { return l.declares() && e.ours(l) })
	if declared && !r.Environment && e.readsVariable(r.From) {
		e.plan.note("%s goes on declaring %s: that is where %s comes from", projectfile.Name, r.From, r.To)
		return false, nil
	}
	if err := e.sharedWithAll(p, r.From); err != nil {
		return false, err
	}
	field := func(reference string) string {
		if rest, ok := strings.CutSuffix(reference, "/"+r.From); ok && r.Field && !onepassword.IsVariable(reference) {
			e.renameField(reference, r.To)
			return rest + "/" + r.To
		}
		return reference
	}
	for _, reference := range e.wholeFields(r.From) {
		e.renameField(reference, r.To)
	}
	if declared && !r.Environment {
		for _, at := range e.namers(r.From) {
			e.plan.note("%s names %s: if it reads the variable, name %s there", at, r.From, r.To)
		}
	}
	if err := p.rename(r.From, r.To, e.ours, field); err != nil {
		return false, err
	}
	f.text = p.text
	return declared, nil
}

// sharedWithAll is the problem that the one destination that was asked for takes a name
// from what is declared for all.
func (e *editor) sharedWithAll(p *projectNames, name string) error {
	if !e.alone {
		return nil
	}
	for _, d := range e.destinations {
		l := p.listFor(d)
		if _, _, defined := e.lookup(d, name); l == nil || defined || l.destination == d && l.names(name) {
			continue
		}
		words := p.declared(d)
		if i := slices.IndexFunc(words, func(w projectWord) bool { return w.name == name }); i >= 0 {
			q := problem.New(projectfile.Name+" declares "+name+" for all destinations", "rename it for all, without --destination")
			q.Place = p.place(words[i].at)
			return q
		}
	}
	return nil
}
