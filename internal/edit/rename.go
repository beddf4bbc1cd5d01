package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Rename plans to give a secret another name in all its places, in the fetch and
// the extract the field's as well where that has the secret's name.
func Rename(o check.Options, from, to string) (Plan, error) {
	for _, name := range []string{from, to} {
		if err := validName("the name", name); err != nil {
			return Plan{}, err
		}
	}
	if from == to {
		return Plan{}, problem.Usagef("give the old name and the new one", "%s is to be renamed to itself", from)
	}
	e, err := openEditor(o, "rename", from, to)
	if err != nil {
		return Plan{}, err
	}
	old, taken := e.stands(from), e.stands(to)
	if old.File == "" {
		e.plan.note("%s is named nowhere", from)
		return e.finish(), nil
	}
	if taken.File != "" {
		p := problem.New(to+" is there already", "remove it first, or give another name")
		p.Place = taken
		return Plan{}, p
	}
	var problems problem.List
	for _, f := range e.configFiles() {
		problems = append(problems, problem.Of(f.config.Rename(from, to))...)
	}
	for _, f := range e.secretFiles() {
		problems = append(problems, problem.Of(e.renameIn(f, from, to))...)
	}
	if err := problems.Err(); err != nil {
		return Plan{}, err
	}
	if !e.alone {
		e.redeclare(from, to)
	}
	e.tellLeft(from)
	return e.finish(), nil
}

// stands is a place that names a secret.
func (e *editor) stands(name string) problem.Place {
	for _, f := range e.configFiles() {
		for _, u := range f.config.Uses() {
			if u.Name == name {
				return u.Place
			}
		}
	}
	for _, f := range e.secretFiles() {
		if def, ok := lastDefinition(f, name); ok {
			return def.Place
		}
	}
	return problem.Place{}
}

// renameIn renames in a secrets file. The field keeps its name where another
// definition takes it too.
func (e *editor) renameIn(f *workFile, from, to string) error {
	field := true
	for _, def := range f.secrets.File().Definitions {
		for _, p := range def.Parts {
			name := p.Name
			if p.Kind == kamal.Read && len(p.Wanted) > 0 {
				name = p.Wanted[0].Field
			}
			if i := strings.LastIndexAny(name, "/."); i >= 0 {
				name = name[i+1:]
			}
			if (p.Kind == kamal.Extract || p.Kind == kamal.Read) && name == from && def.Name != from {
				field = false
				e.plan.note("the field %s keeps its name: %s takes it too", from, def.Name)
			}
		}
	}
	def, ok := lastDefinition(f, from)
	wanted, known := kamal.Wanted{}, false
	if ok {
		wanted, known = e.wantedOf(f, def)
	}
	if err := f.secrets.Rename(from, to, field); err != nil {
		return err
	}
	if def, ok = lastDefinition(f, to); !ok || !known {
		return nil
	}
	if now, ok := e.wantedOf(f, def); ok && now.Field != wanted.Field {
		e.renameField("op://"+wanted.Vault+"/"+wanted.Item+"/"+wanted.Field, now.Field)
	}
	return nil
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
