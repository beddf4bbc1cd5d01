package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// nowhere notes that a name is named nowhere; it is a problem where another may be meant.
func (e *editor) nowhere(name string) error {
	if others := e.otherNamers(name); len(others) > 0 {
		e.plan.note("%s is not named for %s, but for %s", name, destinationName(e.destinations[0]), strings.Join(others, ", "))
		return nil
	}
	var names []string
	for _, f := range e.configFiles() {
		for _, u := range f.config.Uses() {
			if u.As == name && u.Name != name {
				p := problem.New(name+" is what the app calls the secret "+u.Name, "rename or remove "+u.Name+", or change the name before the colon there by hand")
				p.Place = u.Place
				return p
			}
			names = append(names, u.Name)
		}
	}
	for _, f := range e.secretFiles() {
		for _, def := range f.secrets.File().Definitions {
			names = append(names, def.Name)
		}
	}
	for _, f := range e.workflows() {
		for _, l := range declarations(f.text) {
			names = append(names, l.name)
		}
	}
	for _, l := range e.names().lists {
		for _, element := range l.elements {
			for _, w := range element.words {
				names = append(names, w.name)
			}
		}
	}
	if near := check.Nearest(name, names); near != "" {
		return problem.New(name+" is named nowhere", "did you mean "+near+"?")
	}
	e.noteNowhere(name)
	return nil
}

// otherNamers are the destinations whose files have a name, where only another was asked
// for.
func (e *editor) otherNamers(name string) (others []string) {
	if !e.alone {
		return nil
	}
	all := e.o
	all.Destinations = nil
	for _, d := range all.AllDestinations() {
		project, err := kamal.OpenProject(kamal.ProjectOptions{Dir: e.o.Dir, ConfigFile: e.o.ConfigFile, Destination: d, Env: e.o.Env})
		if err != nil || slices.Contains(e.destinations, d) {
			continue // another's files are not what was asked for
		}
		if slices.ContainsFunc(slices.Concat(project.Config.Files, project.Secrets.Names), func(file string) bool {
			f, err := e.tree.read(file)
			return err == nil && len(wordsAt(f.text, name)) > 0
		}) {
			others = append(others, destinationName(d))
		}
	}
	return others
}

// destinationName is a destination as it is told.
func destinationName(d string) string { return orElse(d, "no destination") }

func (e *editor) noteNowhere(name string) { e.plan.note("%s is named nowhere", name) }
