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
		return e.complete(f, def)
	}
	if err := e.writableName(d, a.Name); err != nil {
		return err
	}
	at, err := e.formFor(d, ref)
	if err != nil {
		return err
	}
	field := a.Name
	if ref.Field != "" {
		field = strings.Trim(ref.Section+"/"+ref.Field, "/")
	}
	switch {
	case at.kind == kamal.PassThrough:
		return e.addPassThrough(at, a, ref)
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

// complete adds a name that is extracted to the fetch that lacks it.
func (e *editor) complete(f *workFile, def kamal.Definition) error {
	for _, p := range def.Parts {
		if p.Kind == kamal.PassThrough && p.Name == def.Name && len(e.workflows()) > 0 {
			e.declare(def.Name, onepassword.Reference{})
		}
		if p.Kind != kamal.Extract {
			continue
		}
		fetch, ok := fetchBefore(f, def, p)
		if !ok || !fetch.Parts[0].Known || check.Fetches(fetch.Parts[0], p.Name) {
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
			if fetchesFrom(def.Parts[0], ref) {
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
	case len(fetched) == 1:
		return form{f, kamal.Fetch, fetched[0]}, nil
	case len(fetched) > 1:
		var items []string
		for _, def := range fetched {
			for _, w := range def.Parts[0].Wanted {
				if item := "op://" + w.Vault + "/" + w.Item; !slices.Contains(items, item) {
					items = append(items, item)
				}
			}
		}
		if len(items) == 1 {
			return form{f, kamal.Fetch, fetched[0]}, nil
		}
		return form{}, problem.Usagef("say which with --item: "+strings.Join(items, " or "), "%s fetches from more than one item", f.name)
	case len(read) > 0:
		return form{f, kamal.Read, read[len(read)-1]}, nil
	case len(passed) > 0:
		return form{f, kamal.PassThrough, passed[len(passed)-1]}, nil
	}
	return form{file: f, kind: kamal.Literal}, nil
}

// fetchesFrom tells whether a fetch is one from the item.
func fetchesFrom(fetch kamal.Part, ref onepassword.Reference) bool {
	from := strings.Split(strings.TrimPrefix(fetch.From, "op://"), "/")
	if fetch.From == "" || !strings.EqualFold(from[0], ref.Vault) || len(from) > 2 {
		return false
	}
	return len(from) == 1 || strings.EqualFold(from[1], ref.Item)
}

// fetchWord is how a fetch names a field: as its others, relative to --from.
func fetchWord(f *workFile, fetch kamal.Definition, field string, ref onepassword.Reference) (string, error) {
	p := fetch.Parts[0]
	depth := 2 // parts of a name before the field
	if p.From != "" {
		depth = max(0, 2-len(strings.Split(strings.TrimPrefix(p.From, "op://"), "/")))
	}
	if adapter := strings.ToLower(p.Adapter); adapter != "1password" && adapter != "one_password" {
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
	if !check.Fetches(fetch.Parts[0], name) {
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
func (e *editor) addPassThrough(at form, a Addition, ref onepassword.Reference) error {
	ok, err := at.file.secrets.AddLineLike(at.model, a.Name, a.Name)
	if !ok && err == nil {
		err = at.file.secrets.AddLine(a.Name, a.Name+"=$"+a.Name, &at.model)
	}
	if err != nil {
		return err
	}
	e.declare(a.Name, ref)
	return nil
}

// addFetch writes a fetch of its own, and the line that extracts the name.
func (e *editor) addFetch(d string, at form, a Addition, ref onepassword.Reference) error {
	account := a.Account
	variable := "SECRETS"
	taken := map[string]bool{a.Name: true}
	for _, f := range e.secretsFiles(d) {
		for _, def := range f.secrets.File().Definitions {
			taken[def.Name] = true
			if account == "" && def.Kind == kamal.Fetch && len(def.Parts) == 1 {
				account = def.Parts[0].Account
			}
		}
	}
	for n := 2; taken[variable]; n++ {
		variable = fmt.Sprintf("SECRETS_%d", n)
	}
	if account == "" {
		account = DefaultAccount
		e.plan.todo(Todo{Do: "set-account", Text: "for the op CLI of a person: put your account's address in place of --account " + DefaultAccount + " in " + at.file.name})
	}
	word, ok := kamal.QuoteWord(account)
	if !ok {
		return accountProblem(account, at.file.name)
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

func accountProblem(account, file string) error {
	return problem.Usagef("give the account's address or its id, such as my.1password.com", "the account %q cannot be written into %s", account, file)
}
