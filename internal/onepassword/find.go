package onepassword

import (
	"context"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// findVault finds a vault by id or name. An id is taken at its word: asking for
// the vault would cost a request, and its items tell as well.
func (r *Resolver) findVault(ctx context.Context, name string) (Vault, error) {
	if IsID(name) {
		return Vault{ID: name}, nil
	}
	return r.confirmVault(ctx, name)
}

// confirmVault finds a vault by id or name in the list of vaults.
func (r *Resolver) confirmVault(ctx context.Context, name string) (Vault, error) {
	vaults, err := r.listVaults(ctx)
	if err != nil {
		return Vault{}, err
	}
	var found []Vault
	for _, v := range vaults {
		if v.ID == name {
			return v, nil
		}
		if strings.EqualFold(v.Name, name) {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		names := make([]string, len(vaults))
		for i, v := range vaults {
			names[i] = v.Name
		}
		if len(names) == 0 {
			p := absent("the credentials can see no vault", "give them read access to the vault "+quote(name))
			if hint := r.personalHint(name); hint != "" {
				p.Hint = hint
			}
			return Vault{}, p
		}
		p := absent("there is no vault "+quote(name)+" for these credentials", "")
		p.Details = []string{"they can see: " + list(names)}
		p.Hint = suggest(name, names, "correct the name, or give the credentials read access to the vault")
		if hint := slashHint(name, names); hint != "" {
			p.Hint = hint
		}
		if hint := r.personalHint(name); hint != "" {
			p.Hint = hint
		}
		return Vault{}, p
	}
	p := problem.Newf("there are %d vaults of the name %s", len(found), quote(name)).About(problem.NameTwice)
	for _, v := range found {
		p.Details = append(p.Details, v.ID+" "+quote(v.Name))
	}
	p.Hint = "name the vault by its id"
	return Vault{}, p
}

// personalHint is what to do about a vault that 1Password makes by itself, which only
// a person can open; "" for any other.
func (r *Resolver) personalHint(name string) string {
	if _, person := r.backend.(*Desktop); person {
		return ""
	}
	for _, builtIn := range []string{"Private", "Personal", "Employee", "Shared"} {
		if strings.EqualFold(name, builtIn) {
			return "no service account and no Connect server can be given a person's own vault (Private, Personal, Employee) or the default Shared one: " +
				"move the item to a vault that you have made, and give the credentials read access to that"
		}
	}
	return ""
}

// slashHint is the hint for a name of which a reference has only what stands before
// its /, "" where there is none.
func slashHint(name string, names []string) string {
	for _, known := range names {
		if len(known) > len(name) && known[len(name)] == '/' && strings.EqualFold(known[:len(name)], name) {
			return "a / in a name is written %2F: did you mean " + encodePart(known) + "?"
		}
	}
	return ""
}

// findItem finds an item's id by id or title.
func (r *Resolver) findItem(ctx context.Context, vaultID, name string) (string, error) {
	items, err := r.listItems(ctx, vaultID)
	if err != nil {
		return "", err
	}
	var found []Overview
	var titles []string
	for _, i := range items {
		if i.Archived {
			continue
		}
		if i.ID == name {
			return i.ID, nil
		}
		titles = append(titles, i.Title)
		if strings.EqualFold(i.Title, name) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0].ID, nil
	case 0:
		p := absent("the vault "+r.vaultLabel(vaultID)+" has no item "+quote(name), "")
		if len(titles) > 0 {
			p.Details = []string{"it has: " + list(titles)}
		} else {
			p.Details = []string{"it has no items"}
		}
		p.Hint = suggest(name, titles, "correct the item's name")
		if hint := slashHint(name, titles); hint != "" {
			p.Hint = hint
		}
		return "", p
	}
	p := problem.Newf("the vault %s has %d items of the title %s", r.vaultLabel(vaultID), len(found), quote(name)).About(problem.NameTwice)
	for _, i := range found {
		p.Details = append(p.Details, i.ID+" "+quote(i.Title))
	}
	p.Hint = "name the item by its id"
	return "", p
}

func absent(message, hint string) *problem.Problem {
	p := problem.New(message, hint).About(problem.DeclaredMissing)
	p.Cause = errAbsent
	return p
}
