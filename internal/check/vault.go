package check

import (
	"context"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// checkVault looks whether every field that the secrets files ask 1Password for
// is there and has a value, and whether the credentials can read more vaults than
// that needs.
func (c *destinationCheck) checkVault(ctx context.Context) {
	if c.o.Vault == nil {
		return
	}
	named := map[string]bool{}
	for _, d := range c.whole {
		if d.Ref.Vault != "" {
			named[strings.ToLower(d.Ref.Vault)] = true
		}
	}
	for _, d := range c.toAsk() {
		named[strings.ToLower(d.Ref.Vault)] = true
	}
	c.checkDeclared(ctx)
	for _, d := range c.definitions() {
		for _, p := range d.Parts {
			for _, w := range p.Wanted {
				named[strings.ToLower(w.Vault)] = true
				c.checkWanted(ctx, d, w)
			}
		}
	}
	if len(named) == 0 || c.o.NoPrivileges {
		return
	}
	vaults, err := c.o.Vault.Vaults(ctx)
	if err != nil {
		c.report(RulePrivilege, Note, "", problem.New("whether the credentials can read more vaults than this project needs is not known: the list of vaults was refused",
			"ask 1Password what the service account may read"), problem.Place{File: c.project.Secrets.Names[0]})
		return
	}
	var more []string
	for _, v := range vaults {
		if !named[strings.ToLower(v.Name)] && !named[v.ID] {
			more = append(more, v.Name)
		}
	}
	if len(more) > 0 && len(c.project.Secrets.Files) > 0 {
		slices.Sort(more)
		c.report(RulePrivilege, Warning, "", problem.New(
			"the credentials can read vaults that this project's secrets files do not name: "+strings.Join(more, ", "),
			"give the service account the vaults it needs and no others"),
			problem.Place{File: c.project.Secrets.Files[0].Path})
	}
}

// checkWanted looks up one field.
func (c *destinationCheck) checkWanted(ctx context.Context, d *kamal.Definition, w kamal.Wanted) {
	c.inVault[w] = Unknown
	if w.Vault == "" || w.Item == "" {
		return
	}
	item, err := c.o.Vault.Item(ctx, w.Vault, w.Item)
	if err != nil {
		name := d.Name
		if w.Reference == "" && w.Field != "" {
			name = w.Field // of a fetch, which defines a variable for all of them
		}
		if c.o.common.refusals.Add(name, err) {
			return
		}
		c.inVault[w] = No
		for _, p := range problem.Of(err) {
			q := *p
			c.report(RuleNotInVault, Error, d.Name, &q, w.Place)
		}
		return
	}
	if w.Field == "" {
		c.inVault[w] = Yes
		return
	}
	f := FieldOf(item, w.Field)
	if w.Reference != "" {
		// A reference can name more than fields: a file, an attribute, notes.
		// What it means is the resolver's to say, and a run asks it.
		if ref, err := onepassword.ParseReference(w.Reference); err == nil && (ref.Section != "" || f == nil) {
			f = FieldOf(item, strings.Trim(ref.Section+"."+ref.Field, "."))
			if f == nil && hasFile(item, ref.Field) {
				c.inVault[w] = Yes
				return
			}
		}
	}
	if f == nil {
		c.inVault[w] = No
		c.report(RuleNotInVault, Error, d.Name, missingField(item, w), w.Place)
		return
	}
	c.inVault[w] = Yes
	if onepassword.IsBlank(f.Value) {
		c.report(RuleEmpty, Warning, d.Name, problem.New(f.Label+" in op://"+w.Vault+"/"+w.Item+" is nothing but white space",
			"if that is not meant, give the field its value in 1Password"), w.Place)
	}
	if f.Value.Len() == 0 && !c.allowsEmpty(w, d) {
		c.inVault[w] = No
		c.report(RuleEmpty, Error, d.Name, problem.New(f.Label+" in op://"+w.Vault+"/"+w.Item+" is empty",
			"give the field a value in 1Password"), w.Place)
	}
}

// allowsEmpty reports whether one of the names that take this field may be empty.
func (c *destinationCheck) allowsEmpty(w kamal.Wanted, d *kamal.Definition) bool {
	return slices.ContainsFunc(c.o.AllowEmpty, func(name string) bool {
		return name == d.Name || name == w.Field || strings.HasSuffix(w.Field, "."+name)
	})
}

// missingField says that an item lacks a field, and what it has.
func missingField(item *onepassword.Item, w kamal.Wanted) *problem.Problem {
	where := "op://" + w.Vault + "/" + w.Item
	p := problem.New("the item "+where+" has no field "+w.Field, "add the field in 1Password, or correct the name here")
	var labels []string
	for _, f := range item.Fields {
		if f.Label == "" {
			continue
		}
		labels = append(labels, f.Label)
	}
	if len(labels) > 0 {
		p.Details = []string{where + " has: " + strings.Join(labels, ", ")}
	}
	for _, label := range labels {
		// Of a reference, what stands before the / is taken for a section.
		if w.Reference != "" && strings.Contains(label, "/") && strings.EqualFold(strings.ReplaceAll(label, "/", "."), w.Field) {
			p.Hint = "a / in a name is written %2F: " + where + "/" + strings.ReplaceAll(label, "/", "%2F")
			return p
		}
	}
	if best := Nearest(w.Field, labels); best != "" {
		p.Hint += ". Did you mean " + best + "?"
	}
	return p
}

func hasFile(item *onepassword.Item, name string) bool {
	return slices.ContainsFunc(item.Files, func(f onepassword.File) bool { return f.Name == name || f.ID == name })
}
