package broker

import (
	"context"
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// compareWithVault compares a value with what its definition says it must be: the vault's
// where the line is only a pass-through, an extract or a read; every part must be in it
// where it is composed.
func (j *evaluation) compareWithVault(name, value string, d kamal.Definition) *problem.Problem {
	for _, part := range d.Parts {
		want, from, known := j.expected(d, part, 0)
		if !known || value == want || len(d.Parts) > 1 && strings.Contains(value, want) {
			continue
		}
		p := problem.Newf("%s: what Kamal holds is not what %s has", name, from).About(problem.AsItIs)
		if len(d.Parts) > 1 {
			p.Message = fmt.Sprintf("%s: what %s has is not in what Kamal holds", name, from)
		}
		p.Hint = "dotenv has read the value again, or something else has changed it on its way; kamal-op stops rather than deploy it"
		return p
	}
	return nil
}

// expected is the value that a part must have, and where it comes from. It is not
// known for what 1Password has no part in.
func (j *evaluation) expected(d kamal.Definition, part kamal.Part, depth int) (value, from string, known bool) {
	switch part.Kind {
	case kamal.PassThrough:
		earlier, ok := j.files.Before(d, part.Name)
		if ok {
			if len(earlier.Parts) != 1 || depth > 10 {
				return "", "", false
			}
			return j.expected(earlier, earlier.Parts[0], depth+1)
		}
		for _, declared := range j.b.o.Declared {
			if declared.Secret.Name() == part.Name {
				return declared.Secret.Reveal(), "the declared " + part.Name, true
			}
		}
	case kamal.Read:
		if len(part.Wanted) != 1 || !part.Known || j.b.o.Vault == nil {
			return "", "", false
		}
		value, err := j.b.readWanted(j.ctx, part.Wanted[0])
		return value, part.Wanted[0].Reference, err == nil
	case kamal.Extract:
		source, ok := j.files.Before(d, part.Source)
		if !ok || part.Source == "" || source.Kind != kamal.Fetch || j.b.o.Vault == nil {
			return "", "", false
		}
		field, ok := j.extracted(source.Parts[0], part.Name)
		return field.value, field.from, ok
	}
	return "", "", false
}

// readWanted reads what a secrets file asks for, as `op` would give it to Kamal.
func (b *Broker) readWanted(ctx context.Context, w kamal.Wanted) (string, error) {
	if w.Reference != "" {
		ref, err := onepassword.ParseReference(w.Reference)
		if err != nil {
			return "", err
		}
		value, err := b.o.Vault.Read(ctx, ref)
		return value.Reveal(), err
	}
	item, err := b.o.Vault.Item(ctx, w.Vault, w.Item)
	if err != nil || w.Field == "" {
		return "", err
	}
	field, _, err := itemGetter{b: b, vault: w.Vault, item: w.Item, found: item}.byLabel(ctx, w.Field)
	if err != nil {
		return "", err
	}
	return field.Value.Reveal(), nil
}

// A fetchedField is one entry of what `kamal secrets fetch` gives.
type fetchedField struct{ key, value, from string }

// extracted is what `kamal secrets extract` takes out of a fetch: the exact key,
// else the first that ends in /name.
func (j *evaluation) extracted(fetch kamal.Part, name string) (fetchedField, bool) {
	if !fetch.Known || name == "" {
		return fetchedField{}, false
	}
	all, ok := j.fetches[fetch.Place]
	if !ok {
		all = j.b.fetch(j.ctx, fetch)
		j.fetches[fetch.Place] = all
	}
	for _, f := range all {
		if f.key == name {
			return f, true
		}
	}
	for _, f := range all {
		if kamal.Extracts(f.key, name) {
			return f, true
		}
	}
	return fetchedField{}, false
}

// fetch is what a fetch gives, nothing where it would fail.
func (b *Broker) fetch(ctx context.Context, fetch kamal.Part) []fetchedField {
	var all []fetchedField
	at := map[string]int{}
	put := func(w kamal.Wanted, path, value string) {
		key := w.Vault + "/" + w.Item + "/" + path
		f := fetchedField{key: kamal.FetchKey(key), value: value, from: "op://" + key}
		if i, ok := at[f.key]; ok {
			all[i] = f
			return
		}
		at[f.key] = len(all)
		all = append(all, f)
	}
	for _, w := range fetch.Wanted {
		item, err := b.o.Vault.Item(ctx, w.Vault, w.Item)
		if err != nil {
			return nil
		}
		get := itemGetter{b: b, vault: w.Vault, item: w.Item, found: item}
		if w.Field == "" {
			for i := range item.Fields {
				f := &item.Fields[i]
				put(w, get.path(f), f.Value.Reveal())
			}
			continue
		}
		f, path, err := get.byLabel(ctx, w.Field)
		if err != nil {
			return nil
		}
		put(w, path, f.Value.Reveal())
	}
	return all
}
