package deploy

import (
	"context"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// What stands in the place of a name where there is none.
const (
	sshKeyRow = "SSH key"
	readRow   = "(read by the project)"
)

// secretsUsed are the secrets of the run by their names, with the items that they
// came from, or the variables: the declared ones, then those that the secrets files
// fetch or read, then what else was read of 1Password. Nothing is asked for that was
// not asked before.
func (s *runner) secretsUsed(ctx context.Context) []ci.SecretReport {
	u := secretRows{runner: s, items: map[string]bool{}}
	for _, d := range s.job.Wanted.Secrets {
		u.declared(ctx, d)
	}
	for _, from := range secretSources(s.project) {
		u.field(from.name, from.ref)
	}
	for _, key := range s.job.Wanted.Keys {
		if key.loaded() {
			u.all = append(u.all, ci.SecretReport{Name: sshKeyRow, Item: key.String()})
			continue
		}
		u.field(sshKeyRow, key.Ref)
	}
	if s.resolver == nil {
		return u.all
	}
	for _, item := range s.resolver.Fetches() {
		if !u.items[item.Vault.ID+"/"+item.ID] {
			u.item(readRow, onepassword.Reference{Vault: item.Vault.Name, Item: item.Title}, item)
		}
	}
	return u.all
}

// secretRows are the rows of a report while they are put together.
type secretRows struct {
	*runner
	items map[string]bool // the ids of those that stand in a row
	all   []ci.SecretReport
}

// declared adds what one declaration brings.
func (u *secretRows) declared(ctx context.Context, d onepassword.Declaration) {
	switch {
	case !d.FromVault():
		u.add(d.Name, onepassword.VariableText(d.Variable))
	case d.Name != "":
		u.field(d.Name, d.Ref)
	default:
		names, err := u.resolver.Names(ctx, d)
		if err != nil {
			return // the run has reported it
		}
		for _, name := range names {
			if d.Environment != "" {
				u.add(name, "Environment "+d.Environment)
				continue
			}
			ref := d.Ref
			ref.Field = name
			u.field(name, ref)
		}
	}
}

// add adds a declared secret that is of no item.
func (u *secretRows) add(name, from string) {
	u.all = append(u.all, ci.SecretReport{Name: name, Item: from, Public: u.job.Wanted.Public[name]})
}

// field adds a field of an item that has come; else the run ended before.
func (u *secretRows) field(name string, ref onepassword.Reference) {
	if u.resolver == nil {
		return
	}
	if item := u.resolver.Fetched(ref.Vault, ref.Item); item != nil {
		u.item(name, ref, item)
	}
}

func (u *secretRows) item(name string, ref onepassword.Reference, item *onepassword.Item) {
	u.items[item.Vault.ID+"/"+item.ID] = true
	r := ci.SecretReport{Name: name, Vault: ref.Vault, Item: ref.Item, Field: ref.Field, Public: u.job.Wanted.Public[name], ItemVersion: item.Version}
	r.Changed, _ = time.Parse(time.RFC3339, item.UpdatedAt) // zero where it is not known
	if !slices.Contains(u.all, r) {
		u.all = append(u.all, r)
	}
}

// A secretSource is a name of the secrets files with the field that its value comes from.
type secretSource struct {
	name string
	ref  onepassword.Reference
}

// secretSources are what the definitions that hold take out of 1Password, in their order. A
// name that only holds what was fetched is none: what is extracted from it is.
func secretSources(p *kamal.Project) []secretSource {
	if p == nil || p.Secrets == nil {
		return nil
	}
	var all []secretSource
	for _, file := range p.Secrets.Files {
		for _, d := range file.Definitions {
			if last, _ := p.Secrets.Lookup(d.Name); last.Place != d.Place {
				continue // a later one holds
			}
			for _, part := range d.Parts {
				if ref, ok := origin(p.Secrets, d, part, 0); ok {
					all = append(all, secretSource{d.Name, ref})
				}
			}
		}
	}
	return all
}

// mostSteps bounds how far a value is followed through the names that hold it.
const mostSteps = 10

// origin is the field that a part of a value comes from.
func origin(s *kamal.Secrets, d kamal.Definition, part kamal.Part, steps int) (onepassword.Reference, bool) {
	switch part.Kind {
	case kamal.PassThrough:
		if earlier, ok := s.Before(d, part.Name); ok && len(earlier.Parts) == 1 && steps < mostSteps {
			return origin(s, earlier, earlier.Parts[0], steps+1)
		}
	case kamal.Read:
		if len(part.Wanted) == 1 {
			return wantedReference(part.Wanted[0])
		}
	case kamal.Extract:
		fetch, ok := s.Before(d, part.Source)
		if !ok || fetch.Kind != kamal.Fetch {
			return onepassword.Reference{}, false
		}
		for _, w := range fetch.Parts[0].Wanted {
			if ref, ok := wantedReference(w); ok {
				if ref.Field, ok = w.Extracted(part.Name); ok {
					return ref, true
				}
			}
		}
	}
	return onepassword.Reference{}, false
}

// wantedReference is what a secrets file asks for, by its names.
func wantedReference(w kamal.Wanted) (onepassword.Reference, bool) {
	if w.Reference != "" {
		ref, err := onepassword.ParseReference(w.Reference)
		return ref, err == nil
	}
	return onepassword.Reference{Vault: w.Vault, Item: w.Item, Field: w.Field}, w.Item != ""
}
