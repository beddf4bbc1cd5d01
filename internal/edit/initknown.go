package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// manyFields is what the declaration of a whole item counts, beside those of fields.
const manyFields = 100

// A given is what is declared for a destination: by the project file, and with it by
// the workflows that deploy it.
type given struct {
	declared []check.Declared
	options  check.Options
}

// readGiven takes what is declared for each destination.
func (e *editor) readGiven() error {
	e.given = map[string]given{}
	for _, d := range e.destinations {
		o := e.o
		if o.For != nil {
			var err error
			if o, err = o.For(o, d); err != nil {
				return err
			}
		}
		e.given[d] = given{declared: o.DeclaredFor(d), options: o}
	}
	return nil
}

// declares tells whether a name is declared for a destination, and says which field it
// needs.
func (e *editor) declares(d, name string) bool {
	all := e.given[d].declared
	for _, declared := range all {
		if declared.Name == name {
			e.needReference(declared.Ref.String())
			return true
		}
	}
	for _, declared := range all {
		if declared.Name == "" && declared.Ref.Item != "" {
			e.needField(declared.Ref.Vault, declared.Ref.Item, name)
			return true
		}
	}
	return false
}

// keys are the SSH keys that the project's files name: the project file, then the
// workflows.
func (e *editor) keys() []onepassword.Reference {
	var all []onepassword.Reference
	for _, d := range e.destinations {
		for _, key := range e.given[d].options.Keys {
			if key.Ref.Item != "" && key.Origin == check.KeyOrigin {
				all = append(all, key.Ref)
			}
		}
	}
	for _, d := range e.destinations {
		all = append(all, e.o.KeysFor(d)...)
	}
	return all
}

// knownItem takes vault and item from what the project has already: its secrets
// files, its project file and the declarations in its workflows.
func (e *editor) knownItem(in *InitOptions) {
	items := itemCounts{count: map[string]int{}}
	variable := e.countItems(&items)
	if len(items.order) == 0 { // nothing names an item of the app's
		for _, key := range e.keys() {
			if in.Vault == "" {
				in.Vault = key.Vault
			}
		}
	}
	vault, item, found := strings.Cut(items.most(in.Vault), "/")
	switch {
	case found:
		in.Vault = orElse(in.Vault, vault)
		if !slices.ContainsFunc(e.destinations, func(d string) bool { return d != "" && d != reviewName }) {
			in.known = item
		}
	case in.Vault == "":
		in.Vault, in.guessed = titleOf(e.projects[e.destinations[0]].Config.Service.Or("MyApp")), true
		if variable != "" {
			e.plan.note("the vault is a variable's: %s, and %s is a guess (--vault)", variable, in.Vault)
		}
	}
}

// itemCounts is how often a project names each item, as vault/item.
type itemCounts struct {
	count map[string]int
	order []string // in which they are named first
}

func (c *itemCounts) add(vault, item string, times int) {
	name := vault + "/" + item
	if c.count[name] == 0 {
		c.order = append(c.order, name)
	}
	c.count[name] += times
}

// most is the item that is named most, of a vault where one is given; "" where there is
// none.
func (c *itemCounts) most(of string) (best string) {
	for _, name := range c.order {
		if vault, _, _ := strings.Cut(name, "/"); c.count[name] > c.count[best] && (of == "" || vault == of) {
			best = name
		}
	}
	return best
}

// countItems counts the items that the secrets files, the options and the workflows name.
// variable says where a vault is a variable's, "" where none is.
func (e *editor) countItems(items *itemCounts) (variable string) {
	destinations := slices.Clone(e.destinations)
	if len(destinations) > 1 {
		destinations = slices.DeleteFunc(destinations, func(d string) bool { return d == reviewName })
	}
	for _, d := range destinations {
		for _, f := range e.secretsFiles(d) {
			for _, def := range f.secrets.File().Definitions {
				for _, p := range def.Parts {
					for _, w := range p.Wanted {
						items.add(w.Vault, w.Item, 1)
					}
				}
				if from := fromOf(f, def); strings.Contains(from, "$") {
					variable = f.name + " names it " + from
				}
			}
		}
	}
	for _, d := range destinations {
		for _, declared := range e.given[d].declared {
			if declared.Name == "" && declared.Ref.Item != "" {
				items.add(declared.Ref.Vault, declared.Ref.Item, 1+manyFields)
			}
		}
		for _, declared := range e.given[d].options.Declared {
			if declared.Name != "" && declared.Ref.Item != "" {
				items.add(declared.Ref.Vault, declared.Ref.Item, 1)
			}
		}
	}
	for _, f := range e.workflows() {
		for _, l := range declarations(f.text) {
			if ref, err := onepassword.ParseReference(l.reference); err == nil {
				items.add(ref.Vault, ref.Item, 1)
			}
		}
	}
	return variable
}

// knownAccount is the account that the project's secrets files name, also those that no
// destination reads.
func (e *editor) knownAccount(own *workFile) (string, bool) {
	files := e.otherSecrets()
	for _, f := range e.files {
		if f.secrets != nil && !f.opaque {
			files = append(files, f)
		}
	}
	return accountIn(files, own)
}

// usedVaults are those that a deploy reads, of which review apps have their own. The
// plan lists by then what it needs there.
func (e *editor) usedVaults(in InitOptions) []string {
	var vaults []string
	put := func(ref onepassword.Reference) {
		own := in.Review != "" && ref.Vault == orElse(in.ReviewVault, reviewVault) && ref.Vault != in.Vault
		if ref.Vault != "" && !own && !slices.Contains(vaults, ref.Vault) {
			vaults = append(vaults, ref.Vault)
		}
	}
	for _, t := range e.plan.Todo {
		if ref, err := onepassword.ParseReference(t.Reference); err == nil {
			put(ref)
		}
	}
	for _, d := range e.destinations {
		for _, key := range e.given[d].options.Keys { // a passphrase is among them
			put(key.Ref)
		}
	}
	if len(vaults) == 0 {
		return []string{in.Vault}
	}
	return vaults
}

// ask has a person say the names that would be guessed.
func (e *editor) ask(in *InitOptions) error {
	if in.Ask == nil {
		return nil
	}
	alone := len(e.destinations) == 1 && e.destinations[0] == "" // else each has an item of its own name
	for _, question := range []struct {
		open      bool
		what      Sort
		otherwise string
		name      *string
	}{
		{in.guessed, AVault, in.Vault, &in.Vault},
		{in.Item == "" && in.known == "" && alone, AnItem, defaultItem, &in.Item},
		{in.KeyItem == "" && len(e.keys()) == 0, AKey, defaultKeyItem, &in.KeyItem},
	} {
		if !question.open {
			continue
		}
		var err error
		if *question.name, err = in.Ask(Question{question.what, in.Vault, question.otherwise}); err != nil {
			return err
		}
	}
	return nil
}

// itemFor is the item that has the secrets of a destination.
func (in InitOptions) itemFor(d string) string {
	switch {
	case in.Item != "":
		return in.Item
	case d != "":
		return titleOf(d)
	}
	return orElse(in.known, defaultItem)
}

// remindFields lists the fields that the project's secrets come from, also of what
// was written before: nobody may have created them yet.
func (e *editor) remindFields() {
	for _, d := range e.destinations {
		for _, name := range e.usedNames(d) {
			def, f, ok := e.lookup(d, name)
			if !ok {
				continue
			}
			if w, ok := e.wantedOf(f, def); ok {
				e.needField(w.Vault, w.Item, w.Field)
				continue
			}
			if def.Kind != kamal.PassThrough {
				continue
			}
			for _, workflow := range e.workflows() {
				for _, l := range declarations(workflow.text) {
					if l.name == def.Parts[0].Name {
						e.needReference(l.reference)
					}
				}
			}
		}
	}
}

// namedKey is an SSH key that a workflow or a job gives to kamal-op.
var namedKey = lazy.Regexp(`(?m)^\s*(?:ssh-key|KAMAL_OP_SSH_KEY):\s*["']?(op://[^"'#\r\n]*[^"'#\s])["']?\s*(?:#.*)?$`)

// needKey lists the SSH key: the one that the file which deploys already names, where
// none is given.
func (e *editor) needKey(in InitOptions, key string) {
	if already, ours := e.tree.deploysAlready(e.o.ConfigFile); in.KeyItem == "" && already != "" && (ours || pageOf(already) != "") {
		if f, err := e.tree.read(already); err == nil && !f.opaque {
			if m := namedKey().FindStringSubmatch(f.text); m != nil {
				key = m[1]
			}
		}
	}
	text := "add the SSH key that may log in to the servers: " + key
	if ref, err := onepassword.ParseReference(key); err != nil || ref.WholeItem() {
		text += ", an item of the type SSH Key, or its field SSH_KEY"
	}
	e.plan.todo(Todo{Do: "add-key", Reference: key, Text: text})
}
