package check

import (
	"path"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
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
	effective []*kamal.Definition // that hold, in the order of the files
	byName    map[string]*kamal.Definition
	all       map[fileName][]*kamal.Definition // every definition of a name in a file
	sources   map[string]bool                  // names that another definition takes something from
	fetches   map[problem.Place]*fetchIndex    // by the place of the command
}

// sharedState is what the checks of several destinations have in common.
type sharedState struct {
	cache kamal.Cache
	files map[string]*files // by the names of the files
	base  *kamal.Config     // without a destination

	deployments *deployments
	refusals    onepassword.Refusals // of the vault
}

func (s *sharedState) fileCache() *kamal.Cache {
	if s == nil {
		return nil
	}
	return &s.cache
}

type fileName struct{ file, name string }

func newIndex(p *kamal.Project, common *sharedState) *index {
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
			x.effective = append(x.effective, d)
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
	every  bool                      // every field of the item
	opaque bool                      // the names are not known: the adapter has them from what it finds
	names  map[string]bool           // that an extract may ask for
	labels map[string]bool           // of fields without a section: Kamal may be given one
	wanted map[string][]kamal.Wanted // by the names that an extract may have for the field
	items  []kamal.Wanted            // asked for whole
}

// of is the index of a fetch.
func (x *files) of(fetch *kamal.Part) *fetchIndex {
	if f := x.fetches[fetch.Place]; f != nil {
		return f
	}
	f := newFetchIndex(fetch)
	x.fetches[fetch.Place] = f
	return f
}

func newFetchIndex(fetch *kamal.Part) *fetchIndex {
	f := &fetchIndex{every: len(fetch.Names) == 0, opaque: fetch.KeysUnknown(), names: map[string]bool{}, labels: map[string]bool{}, wanted: map[string][]kamal.Wanted{}}
	for _, w := range fetch.Wanted {
		if w.Field == "" {
			f.items = append(f.items, w)
			continue
		}
		for _, name := range extractNames(w) {
			f.names[name] = true
			f.wanted[name] = append(f.wanted[name], w)
		}
		if w.Field != "password" { // which is no part of the key
			f.labels[w.Field] = true
		}
	}
	if len(fetch.Wanted) == 0 { // of another adapter, or not known
		for _, n := range fetch.Names {
			for _, name := range argumentNames(fetch, n) {
				f.names[name] = true
			}
		}
	}
	return f
}

// argumentNames are the names by which an extract may take what an argument of a
// fetch asks an adapter for that is not 1Password's, the longest first.
func argumentNames(fetch *kamal.Part, argument string) []string {
	if key, ok := fetch.GoogleKey(argument); ok {
		return endsOf(key)
	}
	argument = strings.TrimPrefix(argument, "op://")
	names := endsOf(fullName(fetch.From, argument))
	for _, name := range endsOf(argument) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// extractNames are all names by which an extract may take what is wanted.
func extractNames(w kamal.Wanted) []string {
	var names []string
	for _, key := range w.Keys() {
		for _, name := range endsOf(key) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// gives reports whether a fetch may give an extract the name it asks for. A field that
// was fetched by its label alone may stand in a section, which is then part of the
// key: only the vault knows.
func (f *fetchIndex) gives(name string) bool {
	return f.every || f.names[name] || f.labels[label(name)]
}

// mayGive reports whether a fetch gives the name, as far as can be known.
func (f *fetchIndex) mayGive(name string) bool { return f.opaque || f.gives(name) }

// of are the fields that an extract of name may take.
func (f *fetchIndex) of(name string) []kamal.Wanted {
	if wanted := f.wanted[name]; wanted != nil {
		return slices.Concat(f.items, wanted)
	}
	if f.labels[label(name)] {
		return slices.Concat(f.items, f.wanted[label(name)])
	}
	return f.items
}

// label is what a name has behind a section, "" where it has none.
func label(name string) string {
	i := strings.LastIndexByte(name, '/')
	if i < 0 || strings.HasPrefix(name, "op://") {
		return ""
	}
	return name[i+1:]
}

// endsOf are a name and every part of it behind a slash.
func endsOf(name string) []string {
	ends := []string{name}
	for i := range len(name) {
		if name[i] == '/' && i < len(name)-1 {
			ends = append(ends, name[i+1:])
		}
	}
	return ends
}

// fullName is a name with what --from says before it.
func fullName(from, name string) string {
	return path.Join(strings.TrimPrefix(from, "op://"), strings.TrimPrefix(name, "op://"))
}

// MayFetch reports whether a fetch gives an extract the name it asks for, as far as can
// be known: there are adapters that have the names from what they find.
func MayFetch(fetch kamal.Part, name string) bool { return newFetchIndex(&fetch).mayGive(name) }

// Fetches reports whether a fetch may give an extract the name it asks for.
func Fetches(fetch kamal.Part, name string) bool { return newFetchIndex(&fetch).gives(name) }
