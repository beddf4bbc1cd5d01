package onepassword

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
)

// itemName is an item as a reference names it; key is the same for names that
// differ in case only.
type itemName struct{ vault, item string }

func (n itemName) key() itemKey {
	fold := func(s string) string {
		// What would be an id in lower case is none: it is a name, of something else.
		if lower := strings.ToLower(s); !IsID(lower) {
			return lower
		}
		return s
	}
	return itemKey{fold(n.vault), fold(n.item)}
}

func (r Reference) itemName() itemName { return itemName{r.Vault, r.Item} }

// fetch fills byKey with every item that is not there yet.
func (r *Resolver) fetch(ctx context.Context, names []itemName) error {
	if len(r.missing(names)) == 0 {
		return ctx.Err()
	}
	err := r.hold(ctx, func(batch context.Context) error {
		outcomes := r.fetchAll(batch, r.missing(names))
		if err := ctx.Err(); err != nil {
			// Ended from outside: what did not come is no outcome to keep.
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for name, o := range outcomes {
			r.byKey[name.key()] = o
		}
		return nil
	})
	if reasonOf(err) == 0 {
		return err
	}
	missing := r.missing(names)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range missing {
		r.byKey[name.key()] = &itemOutcome{err: err}
	}
	return nil
}

func (r *Resolver) missing(names []itemName) []itemName {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var missing []itemName
	seen := map[itemKey]bool{}
	for _, name := range names {
		if key := name.key(); r.byKey[key] == nil && !seen[key] {
			seen[key] = true
			missing = append(missing, name)
		}
	}
	return missing
}

// fetchAll fetches items: the vaults are listed once where one is named, each
// vault's items once where one of them is named, and the items of a vault are got
// in one batch. Vaults are worked on side by side.
func (r *Resolver) fetchAll(ctx context.Context, names []itemName) map[itemName]*itemOutcome {
	outcomes := map[itemName]*itemOutcome{}
	byVault := map[string][]itemName{}
	unknown := map[string]*itemOutcome{}
	for _, name := range names {
		if o := unknown[name.vault]; o != nil {
			outcomes[name] = o
			continue
		}
		v, err := r.findVault(ctx, name.vault)
		if err != nil {
			outcomes[name] = &itemOutcome{err: err}
			unknown[name.vault] = outcomes[name]
			continue
		}
		byVault[v.ID] = append(byVault[v.ID], name)
	}
	r.fetchVaults(ctx, byVault, outcomes)

	// What was taken for a vault's id may be a name of that form, or of no vault.
	again := map[string][]itemName{}
	for name, o := range outcomes {
		if !IsID(name.vault) || reasonOf(o.err) != NotFound {
			continue
		}
		v, err := r.confirmVault(ctx, name.vault)
		switch {
		case err != nil:
			outcomes[name] = &itemOutcome{err: err}
		case v.ID != name.vault:
			again[v.ID] = append(again[v.ID], name)
		}
	}
	r.fetchVaults(ctx, again, outcomes)
	return outcomes
}

func (r *Resolver) fetchVaults(ctx context.Context, byVault map[string][]itemName, outcomes map[itemName]*itemOutcome) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for vaultID, names := range byVault {
		wg.Go(func() {
			found := r.fetchVault(ctx, vaultID, names)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(outcomes, found)
		})
	}
	wg.Wait()
}

// fetchVault fetches items of one vault. What is not there by an id, or is not
// what the list said, is looked for once more in a fresh list: the id may be a
// title of that form, and the vault may have changed since it was listed.
func (r *Resolver) fetchVault(ctx context.Context, vaultID string, names []itemName) map[itemName]*itemOutcome {
	outcomes := map[itemName]*itemOutcome{}
	inTrash := map[itemName]bool{}
	for round := range 2 {
		last := round > 0
		ids := map[itemName]string{}
		var wanted []string
		for _, name := range names {
			if outcomes[name] != nil {
				continue
			}
			id := name.item
			if !IsID(id) || last {
				var err error
				if id, err = r.findItem(ctx, vaultID, name.item); err != nil {
					if inTrash[name] && isAbsent(err) {
						err = errInTrash
					}
					outcomes[name] = &itemOutcome{err: err}
					continue
				}
			}
			ids[name] = id
			if !slices.Contains(wanted, id) {
				wanted = append(wanted, id)
			}
		}
		listed := false
		got := r.get(ctx, vaultID, wanted)
		for name, id := range ids {
			o := got[id]
			archived := o.item != nil && o.item.Archived || errors.Is(o.err, errInTrash)
			renamed := o.item != nil && id != name.item && !strings.EqualFold(o.item.Title, name.item)
			switch {
			case archived && last:
				outcomes[name] = &itemOutcome{err: errInTrash}
			case renamed && last:
				outcomes[name] = &itemOutcome{err: absent("the item was renamed while it was read", "run again")}
			case !archived && !renamed && (last || reasonOf(o.err) != NotFound):
				outcomes[name] = o
			default:
				inTrash[name] = archived
				listed = listed || id != name.item
			}
		}
		if len(outcomes) == len(names) {
			break
		}
		if listed {
			r.mu.Lock()
			delete(r.items, vaultID)
			r.mu.Unlock()
		}
	}
	return outcomes
}

// errInTrash is what is said of an item in the trash, whoever finds it there.
var errInTrash = absent("the item is archived or deleted", "restore it in 1Password, or name another")

// get gets items by id, each once in the resolver's life.
func (r *Resolver) get(ctx context.Context, vaultID string, ids []string) map[string]*itemOutcome {
	got := map[string]*itemOutcome{}
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
	for _, answer := range answers {
		r.note(answer.Err)
	}
	name := r.vaultName(vaultID)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, id := range ask {
		o := &itemOutcome{item: answers[i].Item, err: answers[i].Err}
		if o.item != nil {
			o.item.Vault.Name = name
			o.item.index()
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

// vaultLabel is the vault's name for a message, or its id where it was not asked.
func (r *Resolver) vaultLabel(id string) string {
	if name := r.vaultName(id); name != "" {
		return quote(name)
	}
	return id
}

func (r *Resolver) listVaults(ctx context.Context) ([]Vault, error) {
	r.mu.RLock()
	l := r.vaults
	r.mu.RUnlock()
	if l == nil {
		l = &listResult[Vault]{}
		l.all, l.err = r.backend.Vaults(ctx)
		r.note(l.err)
		if l.err != nil && ctx.Err() != nil {
			// Whoever has more time may ask again.
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
		l = &listResult[Overview]{}
		l.all, l.err = r.backend.Items(ctx, vaultID)
		r.note(l.err)
		if l.err != nil && ctx.Err() != nil {
			// Whoever has more time may ask again.
			return nil, l.err
		}
		r.mu.Lock()
		r.items[vaultID] = l
		r.mu.Unlock()
	}
	return l.all, l.err
}
