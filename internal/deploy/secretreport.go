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
func (s *ready) secretsUsed(ctx context.Context) []ci.SecretReport {
	items := map[string]bool{} // the ids of those that stand in a row
	var all []ci.SecretReport
	put := func(name string, ref onepassword.Reference, item *onepassword.Item) {
		items[item.Vault.ID+"/"+item.ID] = true
		r := ci.SecretReport{Name: name, Vault: ref.Vault, Item: ref.Item, Field: ref.Field, Public: s.job.Wanted.Public[name], ItemVersion: item.Version}
		r.Changed, _ = time.Parse(time.RFC3339, item.UpdatedAt) // zero where it is not known
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	add := func(name string, ref onepassword.Reference) {
		if s.resolver == nil {
			return
		}
		if item := s.resolver.Fetched(ref.Vault, ref.Item); item != nil { // else it has not come so far
			put(name, ref, item)
		}
	}
	for _, d := range s.job.Wanted.Secrets {
		switch {
		case !d.FromVault():
			all = append(all, ci.SecretReport{Name: d.Name, Item: onepassword.VariableText(d.Variable), Public: s.job.Wanted.Public[d.Name]})
		case d.Name != "":
			add(d.Name, d.Ref)
		default:
			names, err := s.resolver.Names(ctx, d)
			if err != nil {
				continue // the run has told it
			}
			for _, name := range names {
				if d.Environment != "" {
					all = append(all, ci.SecretReport{Name: name, Item: "Environment " + d.Environment, Public: s.job.Wanted.Public[name]})
					continue
				}
				ref := d.Ref
				ref.Field = name
				add(name, ref)
			}
		}
	}
	for _, from := range sources(s.project) {
		add(from.name, from.ref)
	}
	for _, key := range s.job.Wanted.Keys {
		if key.loaded() {
			all = append(all, ci.SecretReport{Name: sshKeyRow, Item: key.String()})
			continue
		}
		add(sshKeyRow, key.Ref)
	}
	if s.resolver == nil {
		return all
	}
	for _, item := range s.resolver.Fetches() {
		if !items[item.Vault.ID+"/"+item.ID] {
			put(readRow, onepassword.Reference{Vault: item.Vault.Name, Item: item.Title}, item)
		}
	}
	return all
}

// A source is a name of the secrets files with the field that its value comes from.
type source struct {
	name string
	ref  onepassword.Reference
}

// sources are what the definitions that hold take out of 1Password, in their order. A
// name that only holds what was fetched is none: what is extracted from it is.
func sources(p *kamal.Project) []source {
	if p == nil || p.Secrets == nil {
		return nil
	}
	var all []source
	for _, file := range p.Secrets.Files {
		for _, d := range file.Definitions {
			if last, _ := p.Secrets.Lookup(d.Name); last.Place != d.Place {
				continue // a later one holds
			}
			for _, part := range d.Parts {
				if ref, ok := origin(p.Secrets, d, part, 0); ok {
					all = append(all, source{d.Name, ref})
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
			return reference(part.Wanted[0])
		}
	case kamal.Extract:
		fetch, ok := s.Before(d, part.Source)
		if !ok || fetch.Kind != kamal.Fetch {
			return onepassword.Reference{}, false
		}
		for _, w := range fetch.Parts[0].Wanted {
			if ref, ok := reference(w); ok {
				if ref.Field, ok = w.Extracted(part.Name); ok {
					return ref, true
				}
			}
		}
	}
	return onepassword.Reference{}, false
}

// reference is what a secrets file asks for, by its names.
func reference(w kamal.Wanted) (onepassword.Reference, bool) {
	if w.Reference != "" {
		ref, err := onepassword.ParseReference(w.Reference)
		return ref, err == nil
	}
	return onepassword.Reference{Vault: w.Vault, Item: w.Item, Field: w.Field}, w.Item != ""
}
