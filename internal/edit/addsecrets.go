package edit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A form is how the secrets file that a name is added to has its others.
type form struct {
	file  *workFile
	kind  kamal.Kind       // Fetch, Read, PassThrough; Literal for none of them
	model kamal.Definition // of the kind
}

// addToSecrets defines the name for a destination, where it is not yet.
func (e *editor) addToSecrets(d string, a Addition, ref onepassword.Reference) error {
	if def, f, ok := e.lookup(d, a.Name); ok {
		return e.complete(d, f, def, ref)
	}
	if done, err := e.isDeclared(d, a.Name); done || err != nil {
		return err
	}
	if err := e.writableName(d, a.Name); err != nil {
		return err
	}
	at, err := e.formFor(d, ref)
	if err != nil {
		return err
	}
	if e.declaresThere(d, at, ref) {
		return e.declare(d, a.Name, ref)
	}
	field := a.Name
	if ref.Field != "" {
		field = strings.Trim(ref.Section+"/"+ref.Field, "/")
	}
	switch {
	case at.kind == kamal.PassThrough:
		return e.addPassThrough(d, at, a, ref)
	case at.kind == kamal.Read || ref.Vault != "" && field != a.Name:
		return e.addRead(at, a.Name, ref, field)
	case at.kind == kamal.Fetch:
		return e.addFetched(at, a.Name, ref)
	case ref.Vault == "":
		return problem.Usagef("say which item has the field: --item op://Vault/Item",
			"%s names no item of 1Password that %s could be a field of", at.file.name, a.Name)
	}
	return e.addFetch(d, at, a, ref)
}

// complete adds a name that is extracted to the fetch that lacks it, and declares one
// that is passed on: for the item of ref, where that names one.
func (e *editor) complete(d string, f *workFile, def kamal.Definition, ref onepassword.Reference) error {
	for _, p := range def.Parts {
		if p.Kind == kamal.PassThrough && p.Name == def.Name && (len(e.workflows()) > 0 || ref.Vault != "" || e.names().listFor(d) != nil) {
			if err := e.declare(d, def.Name, ref); err != nil {
				return err
			}
			e.dropFromEnv(def.Name)
		}
		if p.Kind != kamal.Extract {
			continue
		}
		fetch, ok := fetchBefore(f, def, p)
		if !ok || !fetch.Parts[0].Known || check.MayFetch(fetch.Parts[0], p.Name) {
			continue
		}
		word, err := fetchWord(f, fetch, p.Name, onepassword.Reference{})
		if err != nil {
			return err
		}
		if err := f.secrets.AddFetched(fetch, word); err != nil {
			return err
		}
	}
	if def, ok := lastDefinition(f, def.Name); ok {
		e.todoField(f, def)
	}
	return nil
}

// formFor chooses the file that the name is to be defined in, and how. A
// destination's own file comes before the one that all read, where it has
// anything that the new line can be like.
func (e *editor) formFor(d string, ref onepassword.Reference) (form, error) {
	var first *form
	files := e.secretsFiles(d)
	for _, f := range slices.Backward(files) {
		if f.opaque {
			return form{}, problem.New(f.name+" is no regular file: what it defines cannot be changed here", "add the name where the file comes from")
		}
		if f.now() == "" && !f.exists || e.alone && strings.HasSuffix(f.name, "-common") && first != nil {
			continue
		}
		found, err := formOf(f, ref)
		if err != nil {
			return form{}, err
		}
		if found.kind != kamal.Literal {
			return found, nil
		}
		if first == nil {
			first = &found
		}
	}
	if first != nil {
		return *first, nil
	}
	return form{file: files[len(files)-1], kind: kamal.Literal}, nil
}

// formOf is how a file has its secrets: with ref, how it has those of that item.
func formOf(f *workFile, ref onepassword.Reference) (form, error) {
	var fetched, read, passed []kamal.Definition
	defs := f.secrets.File().Definitions
	for i, def := range defs {
		if slices.ContainsFunc(defs[i+1:], func(later kamal.Definition) bool { return later.Name == def.Name }) {
			continue
		}
		switch def.Kind {
		case kamal.Fetch:
			fetched = append(fetched, def)
		case kamal.Read:
			read = append(read, def)
		case kamal.PassThrough:
			passed = append(passed, def)
		}
	}
	if ref.Vault != "" {
		for _, def := range fetched {
			if fetchesFrom(f, def, ref) {
				return form{f, kamal.Fetch, def}, nil
			}
		}
		switch {
		case len(read) > 0:
			return form{f, kamal.Read, read[len(read)-1]}, nil
		case len(fetched) > 0:
			return form{file: f, kind: kamal.Literal}, nil // a fetch of its own beside them
		}
	}
	switch {
	case len(fetched) > 0:
		return choose(f, fetched)
	case len(read) > 0:
		return form{f, kamal.Read, read[len(read)-1]}, nil
	case len(passed) > 0:
		return form{f, kamal.PassThrough, passed[len(passed)-1]}, nil
	}
	return form{file: f, kind: kamal.Literal}, nil
}

// choose is the fetch that a name is added to where no item is given: the only one,
// or the only one that asks 1Password.
func choose(f *workFile, fetched []kamal.Definition) (form, error) {
	if ours := slices.DeleteFunc(slices.Clone(fetched), func(d kamal.Definition) bool { return !d.Parts[0].OnePassword() }); len(ours) > 0 {
		fetched = ours
	}
	var items []string
	for _, def := range fetched {
		for _, item := range itemsOf(f, def) {
			if !slices.Contains(items, item) {
				items = append(items, item)
			}
		}
	}
	switch {
	case len(fetched) == 1, len(items) == 1:
		return form{f, kamal.Fetch, fetched[0]}, nil
	case len(items) == 0:
		var names []string
		for _, def := range fetched {
			names = append(names, def.Name+" ("+def.Place.String()+")")
		}
		return form{}, problem.Usagef("add the name to one of them by hand, or give --item op://Vault/Item for a fetch of its own", "%s fetches more than once: %s", f.name, strings.Join(names, ", "))
	}
	for i, item := range items {
		items[i] = "--item " + kamal.ShellWord(item)
	}
	return form{}, problem.Usagef("say which: "+strings.Join(items, " or "), "%s fetches from more than one item", f.name)
}

// itemsOf are the items that a fetch asks for. Where variables name them they are
// written as the file has them.
func itemsOf(f *workFile, fetch kamal.Definition) []string {
	var items []string
	for _, w := range fetch.Parts[0].Wanted {
		items = append(items, "op://"+w.Vault+"/"+w.Item)
	}
	if from := fromOf(f, fetch); len(items) == 0 && strings.Count(from, "/") == 1 && fetch.Parts[0].OnePassword() {
		items = append(items, "op://"+from)
	}
	return items
}

// fromOf is --from as it is written, without quotes.
func fromOf(f *workFile, fetch kamal.Definition) string {
	from, _ := f.secrets.Option(fetch, "--from", "")
	return strings.TrimPrefix(strings.Trim(from, `"'`), "op://")
}

// fetchesFrom tells whether a fetch is one of 1Password's, from the item: by its
// name, or by the variables that the file names it with.
func fetchesFrom(f *workFile, fetch kamal.Definition, ref onepassword.Reference) bool {
	if !fetch.Parts[0].OnePassword() {
		return false
	}
	if from := fromOf(f, fetch); strings.Contains(from, "$") {
		return from == ref.Vault+"/"+ref.Item
	}
	from := strings.Split(strings.TrimPrefix(fetch.Parts[0].From, "op://"), "/")
	if fetch.Parts[0].From == "" || !strings.EqualFold(from[0], ref.Vault) || len(from) > 2 {
		return false
	}
	return len(from) == 1 || strings.EqualFold(from[1], ref.Item)
}

func definesVariable(f *workFile, text string) bool {
	return slices.ContainsFunc(f.secrets.File().Definitions, func(def kamal.Definition) bool { return strings.Contains(text, def.Name) })
}

// fetchWord is how a fetch names a field: as its others, relative to --from.
func fetchWord(f *workFile, fetch kamal.Definition, field string, ref onepassword.Reference) (string, error) {
	p := fetch.Parts[0]
	depth := 2 // parts of a name before the field
	if p.From != "" {
		depth = max(0, 2-len(strings.Split(strings.TrimPrefix(p.From, "op://"), "/")))
	}
	if !p.OnePassword() {
		return field, nil
	}
	if depth == 0 || len(p.Names) == 0 {
		return field, nil
	}
	prefix := []string{ref.Vault, ref.Item}[2-depth:]
	if ref.Vault == "" {
		var items []string
		for _, name := range p.Names {
			parts := strings.Split(strings.TrimPrefix(name, "op://"), "/")
			if len(parts) <= depth {
				continue
			}
			if item := strings.Join(parts[:depth], "/"); !slices.Contains(items, item) {
				items = append(items, item)
			}
		}
		if len(items) != 1 {
			return "", problem.Usagef("say which with --item op://Vault/Item", "the fetch into %s in %s is from more than one item", fetch.Name, f.name)
		}
		prefix = items
	}
	return strings.Join(append(slices.Clone(prefix), field), "/"), nil
}

// addFetched adds a name to a fetch and a line that extracts it.
func (e *editor) addFetched(at form, name string, ref onepassword.Reference) error {
	f, fetch := at.file, at.model
	if !check.Fetches(fetch.Parts[0], name) && !givesMore(f, fetch) {
		word, err := fetchWord(f, fetch, name, ref)
		if err != nil {
			return err
		}
		if err := f.secrets.AddFetched(fetch, word); err != nil {
			return err
		}
		fetch, _ = lastDefinition(f, fetch.Name)
	}
	behind := fetch
	for _, def := range f.secrets.File().Definitions {
		if def.Kind == kamal.Extract && len(def.Parts) == 1 && def.Parts[0].Source == fetch.Name {
			behind = def
		}
	}
	ok, err := f.secrets.AddLineLike(behind, name, name)
	if !ok && err == nil {
		err = f.secrets.AddLine(name, name+"=$(kamal secrets extract "+name+" $"+fetch.Name+")", &behind)
	}
	if err != nil {
		return err
	}
	def, _ := lastDefinition(f, name)
	e.todoField(f, def)
	return nil
}

// addRead adds an op read line.
func (e *editor) addRead(at form, name string, ref onepassword.Reference, field string) error {
	f := at.file
	reference := "op://" + ref.Vault + "/" + ref.Item + "/" + field
	if ref.Vault == "" {
		if len(at.model.Parts) == 0 {
			return nil
		}
		last, ok := f.secrets.Reference(at.model.Parts[0])
		if !ok {
			return problem.Usagef("say which item has the field: --item op://Vault/Item", "the reference of %s in %s is not known here", at.model.Name, f.name)
		}
		reference = last[:strings.LastIndexByte(last, '/')+1] + name
	}
	ok, err := false, error(nil)
	if at.kind == kamal.Read {
		ok, err = f.secrets.AddLineLike(at.model, name, reference)
	}
	if !ok && err == nil {
		word, plain := kamal.QuoteWord(reference)
		if !plain {
			return problem.Usagef("name it by its id", "%s cannot be written into %s", reference, f.name)
		}
		err = f.secrets.AddLine(name, name+"=$(op read "+word+")", nil)
	}
	if err != nil {
		return err
	}
	def, _ := lastDefinition(f, name)
	e.todoField(f, def)
	return nil
}

// addPassThrough adds NAME=$NAME, and the declaration that gives it a value.
func (e *editor) addPassThrough(d string, at form, a Addition, ref onepassword.Reference) error {
	ok, err := at.file.secrets.AddLineLike(at.model, a.Name, a.Name)
	if !ok && err == nil {
		err = at.file.secrets.AddLine(a.Name, a.Name+"=$"+a.Name, &at.model)
	}
	if err != nil {
		return err
	}
	return e.declare(d, a.Name, ref)
}

// addFetch writes a fetch of its own, and the line that extracts the name.
func (e *editor) addFetch(d string, at form, a Addition, ref onepassword.Reference) error {
	variable := "SECRETS"
	taken := map[string]bool{a.Name: true}
	for _, f := range e.secretsFiles(d) {
		for _, def := range f.secrets.File().Definitions {
			taken[def.Name] = true
		}
	}
	for n := 2; taken[variable]; n++ {
		variable = fmt.Sprintf("SECRETS_%d", n)
	}
	word, ok := e.accountOf(d, at.file)
	switch {
	case a.Account != "":
		if word, ok = kamal.QuoteWord(a.Account); !ok {
			return accountProblem(a.Account, at.file.name)
		}
	case !ok:
		word = defaultAccount
		e.plan.todo(Todo{Do: "set-account", Text: "for the op CLI of a person: put your account's address in place of --account " + defaultAccount + " in " + at.file.name})
	}
	from, ok := kamal.QuoteWord(ref.Vault + "/" + ref.Item)
	if !ok {
		return problem.Usagef("name vault and item by their ids", "op://%s/%s cannot be written into %s", ref.Vault, ref.Item, at.file.name)
	}
	err := at.file.secrets.AddLine(variable,
		variable+"=$(kamal secrets fetch --adapter 1password --account "+word+" --from "+from+" "+a.Name+")", nil)
	if err == nil {
		err = at.file.secrets.AddLine(a.Name, a.Name+"=$(kamal secrets extract "+a.Name+" $"+variable+")", nil)
	}
	if err != nil {
		return err
	}
	def, _ := lastDefinition(at.file, a.Name)
	e.todoField(at.file, def)
	return nil
}
