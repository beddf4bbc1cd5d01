package edit

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Remove plans to take a secret out of all its places. What cannot do without it
// (a registry's password, a value that is put together of it) is a problem, and
// then nothing is to be changed.
func Remove(o check.Options, name string) (Plan, error) {
	if err := validName("the name", name); err != nil {
		return Plan{}, err
	}
	e, err := openEditor(o, "remove", name)
	if err != nil {
		return Plan{}, err
	}
	stood := e.stands(name).File != ""
	var problems problem.List
	places := e.namers(name)
	if e.alone || len(places) == 0 {
		problems = append(problems, problem.Of(e.undeclareInProject(name))...)
	}
	for _, f := range e.configFiles() {
		problems = append(problems, problem.Of(f.config.Remove(name, e.baseOf(f)))...)
	}
	for _, f := range e.otherConfigs(name) {
		p := problem.New(f.name+" uses "+name+" too, from the same secrets files", "take it out of "+f.name+" by hand first")
		p.Place.File = f.name
		problems = append(problems, p)
	}
	for _, f := range e.secretFiles() {
		problems = append(problems, problem.Of(e.removeFrom(f, name))...)
	}
	if err := problems.Err(); err != nil {
		return Plan{}, err
	}
	switch {
	case e.alone:
	case len(places) > 0:
		e.plan.note("%s reads the variable %s of the environment still: what declares it stays", places[0], name)
	default:
		e.undeclare(name)
	}
	e.tellLeft(name, nil)
	e.tellReaders(name)
	plan, err := e.finish()
	if err == nil && !stood && len(plan.Changes)+len(plan.Notes) == 0 {
		err = e.nowhere(name)
		plan = e.plan
	}
	return plan, err
}

// baseOf is deploy.yml, for a destination's file that is merged into it.
func (e *editor) baseOf(f *workFile) *kamal.ConfigEdit {
	for _, d := range e.destinations {
		if base := e.configFile(d); base != f {
			return base.config
		}
	}
	return nil
}

// removeFrom takes a name out of a secrets file: its lines, and its field out of
// the fetch where nothing else takes it.
func (e *editor) removeFrom(f *workFile, name string) error {
	for _, def := range f.secrets.File().Definitions {
		if def.Name != name && dependsOn(def, name) {
			p := problem.New(def.Name+" is made of "+name+", and would lose it", "take "+name+" out of that line first")
			p.Place = def.Place
			return p
		}
	}
	for {
		def, ok := lastDefinition(f, name)
		if !ok {
			return e.removeFetched(f, name)
		}
		if w, ok := e.wantedOf(f, def); ok {
			e.freeField(w.Vault, w.Item, w.Field)
		}
		type taken struct{ variable, name string }
		var fields []taken
		for _, p := range def.Parts {
			if fetch, ok := fetchBefore(f, def, p); p.Kind == kamal.Extract && ok {
				fields = append(fields, taken{fetch.Name, p.Name})
			}
		}
		if err := f.secrets.RemoveDefinition(def); err != nil {
			return err
		}
		for _, field := range fields {
			fetch, ok := lastDefinition(f, field.variable)
			if !ok || fetch.Kind != kamal.Fetch {
				continue
			}
			if err := dropFetched(f, fetch, field.name); err != nil {
				return err
			}
		}
	}
}

// removeFetched takes a name that is fetched but not extracted out of the fetches.
func (e *editor) removeFetched(f *workFile, name string) error {
	for _, fetch := range f.secrets.File().Definitions {
		if fetch.Kind == kamal.Fetch && len(fetch.Parts) == 1 && len(fetch.Parts[0].Names) > 0 {
			if err := dropFetched(f, fetch, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropFetched takes the word that gives name out of a fetch, unless a definition
// extracts it still.
func dropFetched(f *workFile, fetch kamal.Definition, name string) error {
	from := fetch.Parts[0]
	for _, word := range from.Names {
		one := kamal.Part{Adapter: from.Adapter, From: from.From, Names: []string{word}}
		if !check.Fetches(one, name) {
			continue
		}
		for _, def := range f.secrets.File().Definitions {
			for _, p := range def.Parts {
				other := p.Kind == kamal.Command && slices.Contains(p.Variables, fetch.Name) || p.Kind == kamal.PassThrough && p.Name == fetch.Name
				if other || p.Kind == kamal.Extract && p.Source == fetch.Name && (p.Name == "" || check.Fetches(one, p.Name)) {
					return nil
				}
			}
		}
		return f.secrets.RemoveFetched(fetch, word)
	}
	return nil
}

// dependsOn tells whether a definition's value has another's in it.
func dependsOn(def kamal.Definition, name string) bool {
	return slices.ContainsFunc(def.Parts, func(p kamal.Part) bool {
		return p.Kind == kamal.PassThrough && p.Name == name || slices.Contains(p.Variables, name)
	})
}

func (e *editor) freeField(vault, item, field string) {
	e.plan.todo(Todo{
		Do: "remove-field", Reference: "op://" + vault + "/" + item + "/" + field,
		Text: "remove field " + field + " from op://" + vault + "/" + item + ", if nothing else uses it",
	})
}

func (e *editor) freeReference(text string) {
	if ref, err := onepassword.ParseReference(text); err == nil && ref.Field != "" {
		e.freeField(ref.Vault, ref.Item, strings.Trim(ref.Section+"/"+ref.Field, "/"))
	}
}

// tellLeft notes where the name still stands: in a comment, in what ERB decides,
// under env.clear, in files that other destinations read.
func (e *editor) tellLeft(name string, told []problem.Place) {
	for _, f := range e.files {
		if !f.exists {
			continue
		}
		for _, at := range wordsAt(f.now(), name) {
			at.File = f.name
			if !slices.ContainsFunc(told, func(p problem.Place) bool { return p.File == at.File && p.Line == at.Line }) {
				e.plan.note("%s still names %s", at, name)
			}
		}
	}
}

// tellReaders notes where a hook, a file of an accessory's that is a template, or a
// build takes the secret by its name: they find it no more, unless the environment
// that Kamal runs in still has it.
func (e *editor) tellReaders(name string) {
	var files []string
	for _, pattern := range []string{".kamal/hooks/*", "Dockerfile*"} {
		found, _ := filepath.Glob(filepath.Join(e.o.Dir, filepath.FromSlash(pattern))) // the patterns are well-formed
		for _, at := range found {
			if rel, err := filepath.Rel(e.o.Dir, at); err == nil && path.Ext(at) != ".sample" {
				files = append(files, filepath.ToSlash(rel))
			}
		}
	}
	for _, f := range e.configFiles() {
		for _, m := range templates().FindAllStringSubmatch(f.old, -1) {
			files = append(files, m[1])
		}
	}
	for _, file := range files {
		f, err := e.tree.read(file)
		if err != nil || !f.exists || f.opaque {
			continue
		}
		build := strings.HasPrefix(file, "Dockerfile")
		if build && !secretMount().MatchString(f.text) || !build && e.readsVariable(name) {
			continue
		}
		if at := wordAt(f.text, name); at.Line > 0 {
			at.File = file
			e.plan.note("%s takes %s by that name: change it there too", at, name)
		}
	}
}

var (
	// templates are files of accessories that Kamal runs ERB in.
	templates   = lazy.Regexp(`(?m)^\s*-\s*["']?([\w./-]+\.erb)\b`)
	secretMount = lazy.Regexp(`--mount=\S*type=secret`)
)

// wordAt is the first place of a name in a text, as a whole word.
func wordAt(text, name string) problem.Place {
	if all := wordsAt(text, name); len(all) > 0 {
		return all[0]
	}
	return problem.Place{}
}

// wordsAt are the places of a name in a text, as a whole word: one of each line.
func wordsAt(text, name string) (all []problem.Place) {
	part := func(b byte) bool {
		return b == '_' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
	}
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return all
		}
		i += from
		end := i + len(name)
		escaped := i > 1 && text[i-1] == 'n' && text[i-2] == '\\' // "A=…\nB=…"
		if (i == 0 || !part(text[i-1]) || escaped) && (end == len(text) || !part(text[end])) {
			line := strings.Count(text[:i], "\n") + 1
			start := strings.LastIndexByte(text[:i], '\n') + 1
			if len(all) == 0 || all[len(all)-1].Line != line {
				all = append(all, problem.Place{Line: line, Column: len([]rune(text[start:i])) + 1})
			}
		}
		from = i + 1
	}
}
