package check

import (
	"path"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// An index is what a check looks up again and again: a project may have a
// thousand secrets, for twenty destinations.
type index struct {
	*files
	used map[string]bool // names that the configuration uses
}

// files is what a list of secrets files defines: destinations that read the same
// ones have it in common.
type files struct {
	held    []*kamal.Definition // that hold, in the order of the files
	byName  map[string]*kamal.Definition
	all     map[fileName][]*kamal.Definition // every definition of a name in a file
	sources map[string]bool                  // names that another definition takes something from
	fetches map[problem.Place]*fetchIndex    // by the place of the command
}

// shared is what the checks of several destinations have in common.
type shared struct {
	cache kamal.Cache
	files map[string]*files // by the names of the files
	base  *kamal.Config     // without a destination
}

func (s *shared) fileCache() *kamal.Cache {
	if s == nil {
		return nil
	}
	return &s.cache
}

type fileName struct{ file, name string }

func newIndex(p *kamal.Project, common *shared) *index {
	x := &index{used: make(map[string]bool, len(p.Config.Uses))}
	for _, u := range p.Config.Uses {
		x.used[u.Name] = true
	}
	var names strings.Builder
	for _, file := range p.Secrets.Files {
		names.WriteString(file.Path + "\x00")
	}
	if x.files = common.files[names.String()]; x.files == nil {
		x.files = newFiles(p.Secrets.Files)
		if common.files == nil {
			common.files = map[string]*files{}
		}
		common.files[names.String()] = x.files
	}
	return x
}

func newFiles(list []*kamal.SecretsFile) *files {
	x := &files{
		byName: map[string]*kamal.Definition{}, all: map[fileName][]*kamal.Definition{},
		sources: map[string]bool{}, fetches: map[problem.Place]*fetchIndex{},
	}
	for _, file := range list {
		for i := range file.Definitions {
			d := &file.Definitions[i]
			x.byName[d.Name] = d
			key := fileName{file.Path, d.Name}
			x.all[key] = append(x.all[key], d)
		}
	}
	for _, file := range list {
		for i := range file.Definitions {
			d := &file.Definitions[i]
			if x.byName[d.Name] != d {
				continue
			}
			x.held = append(x.held, d)
			for j := range d.Parts {
				p := &d.Parts[j]
				if p.Kind == kamal.PassThrough && p.Name != d.Name {
					x.sources[p.Name] = true
				}
				for _, name := range p.Variables {
					x.sources[name] = true
				}
			}
		}
	}
	return x
}

// before is the definition of name that a later one in the same file sees.
func (x *files) before(later *kamal.Definition, name string) (*kamal.Definition, bool) {
	for _, d := range slices.Backward(x.all[fileName{later.Place.File, name}]) {
		if d.Place.Line < later.Place.Line || d.Place.Line == later.Place.Line && d.Place.Column < later.Place.Column {
			return d, true
		}
	}
	return nil, false
}

// A fetchIndex is what one fetch gives.
type fetchIndex struct {
	every  bool // every field of the item
	ends   map[string]bool
	full   map[string]bool
	wanted map[string][]kamal.Wanted // by all names that an extract may have for the field
	items  []kamal.Wanted            // asked for whole
}

// of is the index of a fetch.
func (x *files) of(fetch *kamal.Part) *fetchIndex {
	if f := x.fetches[fetch.Place]; f != nil {
		return f
	}
	f := &fetchIndex{every: len(fetch.Names) == 0, ends: map[string]bool{}, full: map[string]bool{}, wanted: map[string][]kamal.Wanted{}}
	for _, n := range fetch.Names {
		for _, end := range endsOf(n) {
			f.ends[end] = true
		}
		f.full[fullName(fetch.From, n)] = true
	}
	for _, w := range fetch.Wanted {
		if w.Field == "" {
			f.items = append(f.items, w)
			continue
		}
		names := append(endsOf(w.Field), fullName(fetch.From, w.Field))
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			f.wanted[name] = append(f.wanted[name], w)
		}
	}
	x.fetches[fetch.Place] = f
	return f
}

// gives tells whether a fetch gives an extract the name it asks for: the name
// itself, or a path that ends in it (lib/kamal/cli/secrets.rb, extract).
func (f *fetchIndex) gives(name string) bool {
	return f.every || f.ends[name] || f.full[strings.TrimPrefix(name, "op://")]
}

// of are the fields that an extract of name may take.
func (f *fetchIndex) of(name string) []kamal.Wanted {
	found := slices.Concat(f.items, f.wanted[name])
	if short := strings.TrimPrefix(name, "op://"); short != name {
		found = append(found, f.wanted[short]...)
	}
	return found
}

// endsOf are a name and every part of it behind a slash.
func endsOf(name string) []string {
	name = strings.TrimPrefix(name, "op://")
	ends := []string{name}
	for i := range len(name) {
		if name[i] == '/' {
			ends = append(ends, name[i+1:])
		}
	}
	return ends
}

// fullName is a name with what --from says before it.
func fullName(from, name string) string {
	return path.Join(strings.TrimPrefix(from, "op://"), strings.TrimPrefix(name, "op://"))
}

// Fetches tells whether a fetch gives an extract the name it asks for.
func Fetches(fetch kamal.Part, name string) bool {
	return len(fetch.Names) == 0 || slices.ContainsFunc(fetch.Names, func(n string) bool {
		return slices.Contains(endsOf(n), name) || fullName(fetch.From, n) == strings.TrimPrefix(name, "op://")
	})
}
