package onepassword

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/problem"
)

func keyOf(vault, item string) itemKey {
	fold := func(s string) string {
		if IsID(s) {
			return s
		}
		return strings.ToLower(s)
	}
	return itemKey{fold(vault), fold(item)}
}

// hold runs f alone with the backend and under the deadline of a batch. The
// context of whoever waits for its turn counts.
func (r *Resolver) hold(ctx context.Context, f func(context.Context) error) error {
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	return f(ctx)
}

// fetch fills byKey with every key that is not there yet.
func (r *Resolver) fetch(ctx context.Context, keys []itemKey) error {
	if len(r.missing(keys)) == 0 {
		return ctx.Err()
	}
	return r.hold(ctx, func(batch context.Context) error {
		missing := r.missing(keys)
		outcomes := r.fetchAll(batch, missing)
		if err := ctx.Err(); err != nil {
			// Cancelled from outside: what did not come is no outcome to keep.
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for key, o := range outcomes {
			r.byKey[key] = o
		}
		return nil
	})
}

func (r *Resolver) missing(keys []itemKey) []itemKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var missing []itemKey
	for _, key := range keys {
		if r.byKey[key] == nil && !slices.Contains(missing, key) {
			missing = append(missing, key)
		}
	}
	return missing
}

// fetchAll fetches the items of the keys: the vaults are listed once where one is
// named, each vault's items once where one of them is named, and the items of a
// vault are got in one batch. Vaults are worked on side by side.
func (r *Resolver) fetchAll(ctx context.Context, keys []itemKey) map[itemKey]*outcome {
	outcomes := map[itemKey]*outcome{}
	byVault := map[string][]itemKey{}
	for _, key := range keys {
		v, err := r.findVault(ctx, key.vault)
		if err != nil {
			outcomes[key] = &outcome{err: err}
			continue
		}
		byVault[v.ID] = append(byVault[v.ID], key)
	}
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for vaultID, keys := range byVault {
		wg.Go(func() {
			for key, o := range r.fetchVault(ctx, vaultID, keys) {
				mu.Lock()
				outcomes[key] = o
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return outcomes
}

// fetchVault fetches items of one vault. Where the vault changed between the list
// and the item, it is listed once more.
func (r *Resolver) fetchVault(ctx context.Context, vaultID string, keys []itemKey) map[itemKey]*outcome {
	outcomes := map[itemKey]*outcome{}
	for round := range 2 {
		ids := map[itemKey]string{}
		var wanted []string
		for _, key := range keys {
			if outcomes[key] != nil {
				continue
			}
			id := key.item
			if !IsID(id) || round > 0 {
				var err error
				if id, err = r.findItem(ctx, vaultID, key); err != nil {
					outcomes[key] = &outcome{err: err}
					continue
				}
			}
			ids[key] = id
			if !slices.Contains(wanted, id) {
				wanted = append(wanted, id)
			}
		}
		got := r.get(ctx, vaultID, wanted)
		for key, id := range ids {
			o := got[id]
			switch {
			case round == 0 && reasonOf(o.err) == NotFound:
				// Not an id, but a name of that form; or gone since it was listed.
			case round == 0 && o.item != nil && (o.item.Archived || key.item != id && !strings.EqualFold(o.item.Title, key.item)):
			case o.item != nil && o.item.Archived:
				outcomes[key] = &outcome{err: absent("the item is archived or deleted", "restore it in 1Password, or name another")}
			default:
				outcomes[key] = o
			}
		}
		if len(outcomes) == len(keys) {
			break
		}
		r.mu.Lock()
		if round == 0 && slices.ContainsFunc(keys, func(k itemKey) bool { return outcomes[k] == nil && ids[k] != k.item }) {
			delete(r.items, vaultID)
		}
		r.mu.Unlock()
	}
	return outcomes
}

// get gets items by id, each once in the resolver's life.
func (r *Resolver) get(ctx context.Context, vaultID string, ids []string) map[string]*outcome {
	got := map[string]*outcome{}
	var ask []string
	r.mu.RLock()
	for _, id := range ids {
		if o := r.byID[[2]string{vaultID, id}]; o != nil {
			got[id] = o
		} else {
			ask = append(ask, id)
		}
	}
	r.mu.RUnlock()
	if len(ask) == 0 {
		return got
	}
	answers := r.backend.Get(ctx, vaultID, ask)
	name := r.vaultName(vaultID)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, id := range ask {
		o := &outcome{item: answers[i].Item, err: answers[i].Err}
		if o.item != nil {
			o.item.Vault.Name = name
			r.byID[[2]string{vaultID, id}] = o
		}
		got[id] = o
	}
	return got
}

func (r *Resolver) vaultName(id string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.vaults != nil {
		for _, v := range r.vaults.all {
			if v.ID == id {
				return v.Name
			}
		}
	}
	return ""
}

func (r *Resolver) listVaults(ctx context.Context) ([]Vault, error) {
	r.mu.RLock()
	l := r.vaults
	r.mu.RUnlock()
	if l == nil {
		l = &listed[Vault]{}
		l.all, l.err = r.backend.Vaults(ctx)
		if errors.Is(l.err, context.Canceled) {
			return nil, l.err
		}
		r.mu.Lock()
		r.vaults = l
		r.mu.Unlock()
	}
	return l.all, l.err
}

func (r *Resolver) listItems(ctx context.Context, vaultID string) ([]Overview, error) {
	r.mu.RLock()
	l := r.items[vaultID]
	r.mu.RUnlock()
	if l == nil {
		l = &listed[Overview]{}
		l.all, l.err = r.backend.Items(ctx, vaultID)
		if errors.Is(l.err, context.Canceled) {
			return nil, l.err
		}
		r.mu.Lock()
		r.items[vaultID] = l
		r.mu.Unlock()
	}
	return l.all, l.err
}

// findVault finds a vault by id or name. An id is taken at its word: asking for
// the vault would cost a request, and its items tell as well.
func (r *Resolver) findVault(ctx context.Context, name string) (Vault, error) {
	if IsID(name) {
		return Vault{ID: name}, nil
	}
	vaults, err := r.listVaults(ctx)
	if err != nil {
		return Vault{}, err
	}
	var found []Vault
	for _, v := range vaults {
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
			return Vault{}, absent("the credentials can see no vault", "give them read access to the vault "+quote(name))
		}
		p := absent("there is no vault "+quote(name)+" for these credentials", "")
		p.Details = []string{"they can see: " + list(names)}
		p.Hint = suggest(name, names, "correct the name, or give the credentials read access to the vault")
		return Vault{}, p
	}
	p := problem.Newf("there are %d vaults of the name %s", len(found), quote(name))
	for _, v := range found {
		p.Details = append(p.Details, v.ID+" "+quote(v.Name))
	}
	p.Hint = "name the vault by its id"
	return Vault{}, p
}

// findItem finds an item's id by id or title.
func (r *Resolver) findItem(ctx context.Context, vaultID string, key itemKey) (string, error) {
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
		if i.ID == key.item {
			return i.ID, nil
		}
		titles = append(titles, i.Title)
		if strings.EqualFold(i.Title, key.item) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0].ID, nil
	case 0:
		p := absent("the vault has no item "+quote(key.item), "")
		if len(titles) > 0 {
			p.Details = []string{"it has: " + list(titles)}
		} else {
			p.Details = []string{"it has no items"}
		}
		p.Hint = suggest(key.item, titles, "correct the item's name")
		return "", p
	}
	p := problem.Newf("the vault has %d items of the title %s", len(found), quote(key.item))
	for _, i := range found {
		p.Details = append(p.Details, i.ID+" "+quote(i.Title))
	}
	p.Hint = "name the item by its id"
	return "", p
}

func absent(message, hint string) *problem.Problem {
	p := problem.New(message, hint)
	p.Cause = errAbsent
	return p
}
