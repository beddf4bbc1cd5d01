package edit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// An Addition is a secret that is to be named in all its places.
type Addition struct {
	Name    string
	Item    string   // op://Vault/Item, or a field of it; "" for the item that the secrets file names already
	Account string   // for a fetch that is written anew; "" is that of the others, else defaultAccount
	Aliases []string // names in the container; none is the secret's own

	// Where in deploy.yml: under a role, an accessory, a tag or builder.secrets;
	// none of them is env.secret.
	Role, Accessory, Tag string
	Builder              bool
}

// defaultAccount is the --account of a fetch that is written anew. Kamal stops
// without one and kamal-op does not look at it; a person's own op takes it for the
// account's address, where my.1password.com is the usual one.
const defaultAccount = "my"

// key is the list in deploy.yml.
func (a Addition) key() ([]string, error) {
	var keys [][]string
	if a.Role != "" {
		keys = append(keys, []string{"servers", a.Role, "env", "secret"})
	}
	if a.Accessory != "" {
		keys = append(keys, []string{"accessories", a.Accessory, "env", "secret"})
	}
	if a.Tag != "" {
		keys = append(keys, []string{"env", "tags", a.Tag, "secret"})
	}
	if a.Builder {
		keys = append(keys, []string{"builder", "secrets"})
	}
	switch len(keys) {
	case 0:
		return []string{"env", "secret"}, nil
	case 1:
		return keys[0], nil
	}
	return nil, problem.Usagef("one of --role, --accessory, --tag and --builder at a time", "more than one place in deploy.yml is given")
}

// Add plans to name a secret in all its places: fetch and extract, or the line
// that the secrets file has for its others, and deploy.yml. What is there already
// stays as it is.
func Add(ctx context.Context, o check.Options, a Addition) (Plan, error) {
	e, err := openEditor(o, "add", a.Name)
	if err != nil {
		return Plan{}, err
	}
	if err := e.add(a); err != nil {
		return Plan{}, err
	}
	if err := e.askVault(ctx); err != nil {
		return Plan{}, err
	}
	return e.finish()
}

func (e *editor) add(a Addition) error {
	if err := validName("the name", a.Name); err != nil {
		return err
	}
	if kamal.ReservedName(a.Name) && e.namedInProject(a.Name, func(l *projectList) bool { return l.option == "allow-name" }).File == "" {
		p := kamal.ReservedNameProblem(a.Name)
		p.Hint = "give it another name; the app has it under this one with --alias " + a.Name
		return p
	}
	entries := []string{a.Name}
	if len(a.Aliases) > 0 {
		entries = nil
	}
	for _, alias := range a.Aliases {
		if err := validName("the alias", alias); err != nil {
			return err
		}
		if a.Builder {
			return problem.Usagef("builder.secrets takes the names as they are", "--alias has no meaning with --builder")
		}
		entries = append(entries, alias+":"+a.Name)
	}
	var ref onepassword.Reference
	if a.Item != "" {
		var err error
		if ref, err = onepassword.ParseReference(a.Item); err != nil {
			return err
		}
	}
	key, err := a.key()
	if err != nil {
		return err
	}
	explicit := len(a.Aliases) > 0 || key[0] != "env" || key[1] != "secret"
	var problems problem.List
	told := map[string]bool{}
	for _, d := range e.commonFirst(a.Name, ref) {
		for _, err := range []error{e.addToConfig(d, a, key, entries, explicit), e.addToSecrets(d, a, ref)} {
			for _, p := range problem.Of(err) {
				if !told[p.Error()] {
					told[p.Error()] = true
					problems = append(problems, p)
				}
			}
		}
	}
	return problems.Err()
}

// commonFirst are the destinations, those first that take the name from the file
// that all read: what is there is not written into a destination's own file again,
// whatever the destinations are called.
func (e *editor) commonFirst(name string, ref onepassword.Reference) []string {
	var common, own []string
	for _, d := range e.destinations {
		if _, _, ok := e.lookup(d, name); !ok {
			if at, err := e.formFor(d, ref); err == nil && at.file == e.secretsFiles(d)[0] {
				common = append(common, d)
				continue
			}
		}
		own = append(own, d)
	}
	return append(common, own...)
}

// plainEnv refuses a list of secrets in an env that has nothing but variables.
func plainEnv(config *kamal.Config, path string) error {
	i := slices.IndexFunc(config.Clear, func(u kamal.Use) bool { return u.Key+".secret" == path })
	if i < 0 {
		return nil
	}
	p := problem.New(config.Clear[i].Key+" has variables without clear: above them, and Kamal takes secret: only beside clear:",
		"write clear: above them first, and them one step further in")
	p.Place = config.Clear[i].Place
	return p
}

// addToConfig names the secret in deploy.yml, or in the destination's file where
// that has the list.
func (e *editor) addToConfig(d string, a Addition, key, entries []string, explicit bool) error {
	config := e.projects[d].Config
	path := strings.Join(key, ".")
	base, own := e.configFile(d), e.destinationFile(d)
	uses := base.config.Uses()
	if own != nil && own.config.Has(key...) {
		uses = own.config.Uses()
	} else if own != nil {
		uses = append(uses, own.config.Uses()...)
	}
	if !explicit && slices.ContainsFunc(uses, func(u kamal.Use) bool { return u.Name == a.Name && u.As == a.Name }) {
		return nil // wherever it is named: a registry's password is no variable of the app
	}
	if err := plainEnv(config, path); err != nil {
		return err
	}
	for _, entry := range entries {
		as, _, _ := strings.Cut(entry, ":")
		if i := slices.IndexFunc(uses, func(u kamal.Use) bool { return u.Key == path && u.As == as }); i >= 0 {
			if uses[i].Name == a.Name {
				continue
			}
			p := problem.New(as+" is there already, for the secret "+uses[i].Name, "give another --alias, or remove that one first")
			p.Place = uses[i].Place
			return p
		}
		for _, shown := range config.Clear {
			if shown.As == as && strings.TrimSuffix(shown.Key, ".clear")+".secret" == path {
				p := problem.New(as+" stands under "+shown.Key+" with a value in the clear", "take it out there first")
				p.Place = shown.Place
				return p
			}
		}
		target, err := e.configFor(base, own, key)
		if err != nil {
			return err
		}
		before := len(target.config.Uses())
		if err := target.config.Add(entry, key...); err != nil {
			return err
		}
		if after := target.config.Uses(); len(after) > before+1 {
			var keys []string
			for _, u := range after {
				if u.Name == a.Name && u.Key != path {
					keys = append(keys, u.Key)
				}
			}
			e.plan.note("%s names it under %s too: they share the list", target.name, strings.Join(keys, ", "))
		}
	}
	return nil
}

// configFor is the file that a name under a key is added to: the configuration, or the
// destination's own where that has the list, or is what is asked for.
func (e *editor) configFor(base, own *workFile, key []string) (*workFile, error) {
	if own == nil {
		return base, nil
	}
	part := key[:len(key)-1]
	if len(key) > 2 {
		part = key[:2]
	}
	switch {
	case own.config.Has(key...), !base.config.Has(part...) && own.config.Has(part...):
		return own, nil
	case e.alone && base.config.Has(key...):
		return nil, problem.New(fmt.Sprintf("%s has no %s of its own, and one there would replace the list of %s", own.name, strings.Join(key, "."), base.name),
			"add it for all destinations (without --destination), or first give "+own.name+" a list that names all of its secrets: Kamal merges hashes and replaces lists")
	case e.alone:
		return own, nil
	}
	return base, nil
}

// todoField says which field a definition needs.
func (e *editor) todoField(f *workFile, def kamal.Definition) {
	if w, ok := e.wantedOf(f, def); ok {
		e.needField(w.Vault, w.Item, w.Field)
		return
	}
	for _, p := range def.Parts {
		if p.Kind == kamal.Extract || p.Kind == kamal.Read {
			e.plan.todo(Todo{Do: "add-field", Text: "add " + def.Name + " where " + def.Place.File + " takes it from"})
			return
		}
	}
}

func (e *editor) needField(vault, item, field string) {
	e.plan.todo(Todo{
		Do: "add-field", Reference: "op://" + vault + "/" + item + "/" + field,
		Text: "add field " + field + " to op://" + vault + "/" + item,
	})
}

// askVault looks whether the fields that are to be added are there. The error is that
// 1Password did not answer: nothing is written then, since the caller asked to know.
func (e *editor) askVault(ctx context.Context) error {
	if e.o.Vault == nil {
		return nil
	}
	var refusals onepassword.Refusals
	for i := range e.plan.Todo {
		t := &e.plan.Todo[i]
		ref, err := onepassword.ParseReference(t.Reference)
		if t.Do != "add-key" && (t.Do != "add-field" || ref.WholeItem()) || err != nil {
			continue
		}
		item, err := e.o.Vault.Item(ctx, ref.Vault, ref.Item)
		if ctx.Err() != nil {
			return context.Cause(ctx) // nothing is written after a signal
		}
		if refusals.Add(ref.Field, err) {
			continue
		}
		if err != nil {
			for _, p := range problem.Of(err) {
				e.plan.note("whether the %s is there is not known: %s", strings.TrimPrefix(t.Do, "add-"), p.Message)
			}
			continue
		}
		t.lookIn(item, ref)
	}
	return refusals.Err()
}

// lookIn looks whether what is to be added is in its item. The SSH key of an item that
// is named alone is that of an SSH Key item, or else the field SSH_KEY.
func (t *Todo) lookIn(item *onepassword.Item, ref onepassword.Reference) {
	name := strings.Trim(ref.Section+"."+ref.Field, ".")
	if ref.WholeItem() {
		name = "SSH_KEY"
		if slices.ContainsFunc(item.Fields, func(f onepassword.Field) bool { return f.Type == "SSHKEY" }) {
			t.State = check.Yes
			return
		}
	}
	t.State = check.No
	if f := check.FieldOf(item, name); f != nil {
		t.State = check.Yes
		if f.Value.Len() == 0 {
			t.State, t.Text = check.No, "give field "+name+" of op://"+ref.Vault+"/"+ref.Item+" a value: it is empty"
		}
	}
}
