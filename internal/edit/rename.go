package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

// Rename plans to give a secret another name in all its places, in the fetch and
// the extract the field's as well where that has the secret's name. A variable of
// the environment that the secret comes from is renamed where the project itself
// gives it; else the secret goes on taking the old one.
func Rename(o check.Options, from, to string) (Plan, error) {
	if err := twoNames(from, to); err != nil {
		return Plan{}, err
	}
	e, err := openEditor(o, "rename", from, to)
	if err != nil {
		return Plan{}, err
	}
	old, taken := e.stands(from), e.stands(to)
	if taken.File == "" {
		taken = e.namedInProject(to, func(l *projectList) bool { return l.declares() && (l.destination == "" || e.ours(l)) })
	}
	if old.File == "" {
		old = e.namedInProject(from, e.ours)
	}
	switch {
	case old.File == "" && taken.File != "": // it was renamed before
		e.noteNowhere(from)
		return e.finish()
	case old.File == "":
		if err := e.nowhere(from); err != nil {
			return Plan{}, err
		}
		return e.finish()
	}
	if taken.File != "" {
		p := problem.New(to+" is there already", "remove it first, or give another name")
		p.Place = taken
		return Plan{}, p
	}
	r := kamal.Renaming{From: from, To: to, Field: e.fieldIsFree(from), Environment: e.givesVariable(from, to)}
	declared, err := e.renameInProject(r)
	problems := append(problem.List{}, problem.Of(err)...)
	again := r.Environment || declared && !e.readsVariable(from)
	e.readByApp(from, to)
	others := e.otherConfigs(from)
	e.files = append(e.files, others...)
	for _, f := range append(e.configFiles(), others...) {
		problems = append(problems, problem.Of(f.config.Rename(from, to))...)
	}
	for _, f := range e.secretFiles() {
		problems = append(problems, problem.Of(e.renameIn(f, r))...)
	}
	if err := problems.Err(); err != nil {
		return Plan{}, err
	}
	if again {
		e.redeclare(from, to)
	}
	if r.Environment {
		e.plan.note("where %s is declared outside of this repository's workflows (--secret, KAMAL_OP_SECRETS, an export), declare %s there", from, to)
	}
	e.tellLeft(from, e.told)
	e.tellReaders(from)
	return e.finish()
}

// twoNames are what a secret can be renamed from and to.
func twoNames(from, to string) error {
	for _, name := range []string{from, to} {
		if err := validName("the name", name); err != nil {
			return err
		}
	}
	if from == to {
		return problem.Usagef("give the old name and the new one", "%s is to be renamed to itself", from)
	}
	return nil
}

// readByApp says that containers have the variable under the new name too: an entry
// without an alias names both.
func (e *editor) readByApp(from, to string) {
	told := map[string]bool{}
	for _, f := range e.configFiles() {
		for _, u := range f.config.Uses() {
			list := strings.HasSuffix(u.Key, ".secret") && (strings.HasPrefix(u.Key, "env.") || strings.Contains(u.Key, ".env."))
			if !list || u.Name != from || u.As != from {
				continue
			}
			reader := "the app"
			if rest, ok := strings.CutPrefix(u.Key, "accessories."); ok {
				name, _, _ := strings.Cut(rest, ".")
				reader = "the accessory " + name
			}
			if told[reader] {
				continue
			}
			told[reader] = true
			e.plan.todo(Todo{Do: "read-variable", Text: reader + " now reads " + to + "; to keep its name there write " + from + ":" + to + " in " + f.name})
		}
	}
}

// stands is a place that names a secret.
func (e *editor) stands(name string) problem.Place {
	for _, f := range e.configFiles() {
		for _, u := range f.config.Uses() {
			if u.Name == name {
				return u.Place
			}
		}
		if at, ok := f.config.InERB(name); ok {
			return at
		}
	}
	for _, f := range e.secretFiles() {
		if def, ok := lastDefinition(f, name); ok {
			return def.Place
		}
	}
	return problem.Place{}
}

// renameIn renames in a secrets file.
func (e *editor) renameIn(f *workFile, r kamal.Renaming) error {
	def, ok := lastDefinition(f, r.From)
	var wanted kamal.Wanted
	if ok {
		wanted, r.Field = e.fieldOf(f, def, r)
	}
	kept, err := f.secrets.Rename(r)
	if err != nil {
		return err
	}
	e.told = append(e.told, kept...)
	for _, at := range kept {
		e.plan.note("%s: the variable %s of the environment keeps its name, since what sets it does (%s)", at, r.From, e.setBy(r.From))
	}
	if def, ok = lastDefinition(f, r.To); !ok || !r.Field {
		return nil
	}
	if now, ok := e.wantedOf(f, def); ok && now.Field != wanted.Field {
		e.renameField("op://"+wanted.Vault+"/"+wanted.Item+"/"+wanted.Field, now.Field)
	}
	return nil
}

// fieldOf is the field that a definition takes, and whether it may be renamed: only
// where it is known which it is, so that a person can be told.
func (e *editor) fieldOf(f *workFile, def kamal.Definition, r kamal.Renaming) (kamal.Wanted, bool) {
	wanted, known := e.wantedOf(f, def)
	if i := strings.LastIndexAny(wanted.Field, "/."); r.Field && (!known || wanted.Field[i+1:] != r.From) {
		for _, p := range def.Parts {
			if p.Kind == kamal.Extract || p.Kind == kamal.Read {
				e.plan.note("%s: the field keeps its name: which item has it is not known here", def.Place)
			}
		}
		return wanted, false
	}
	return wanted, r.Field && known
}

// fieldIsFree tells whether nothing else takes the field of that name: then it
// keeps it.
func (e *editor) fieldIsFree(from string) bool {
	free := true
	keep := func(taker string) {
		free = false
		e.plan.note("the field %s keeps its name: %s takes it too", from, taker)
	}
	files := slices.Clone(e.files)
	if e.alone { // of other destinations, which may share the item
		files = append(files, e.otherSecrets()...)
	}
	for _, f := range files {
		if f.secrets == nil || f.opaque {
			continue
		}
		foreign := !slices.Contains(e.secretFiles(), f)
		for _, def := range f.secrets.File().Definitions {
			for _, p := range def.Parts {
				name := p.Name
				if p.Kind == kamal.Read && len(p.Wanted) > 0 {
					name = p.Wanted[0].Field
				}
				if i := strings.LastIndexAny(name, "/."); i >= 0 {
					name = name[i+1:]
				}
				if (p.Kind == kamal.Extract || p.Kind == kamal.Read) && name == from && (foreign || def.Name != from) {
					keep(def.Name + " in " + f.name)
				}
			}
		}
	}
	for _, l := range e.names().lists {
		for _, element := range l.elements {
			for _, w := range element.words {
				if (w.name != from || !e.ours(l)) && !onepassword.IsVariable(w.reference) && strings.HasSuffix(w.reference, "/"+from) {
					keep(w.name + " in " + projectfile.Name)
				}
			}
		}
	}
	for _, f := range e.workflows() {
		for _, l := range declarations(f.text) {
			if l.name != from && !l.loaded() && strings.HasSuffix(l.reference, "/"+from) {
				keep(l.name + " in " + f.name)
			}
		}
	}
	return free
}

// renameField says that a field is to be renamed.
func (e *editor) renameField(reference, to string) {
	i := strings.LastIndexByte(reference, '/')
	if i < 0 {
		return
	}
	if j := strings.LastIndexAny(to, "/."); j >= 0 {
		to = to[j+1:]
	}
	field := reference[i+1:]
	if parts := strings.Split(field, "."); len(parts) > 1 {
		field = parts[len(parts)-1]
	}
	t := Todo{Do: "rename-field", Reference: reference, Text: "rename field " + field + " of " + reference[:i] + " to " + to}
	if !slices.ContainsFunc(e.plan.Todo, func(o Todo) bool { return o.Text == t.Text }) {
		e.plan.todo(t)
	}
}
