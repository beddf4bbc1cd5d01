package onepassword

import (
	"cmp"
	"context"
	"slices"
)

// Fetched is an item that the resolver has, by the names or ids that it was asked for
// with; nil where it has none. Nothing is asked.
func (r *Resolver) Fetched(vault, item string) *Item {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if o := r.byKey[itemName{vault, item}.key()]; o != nil && o.err == nil {
		return o.item
	}
	return nil
}

// Fetches are all items that the resolver has, by their vaults and titles.
func (r *Resolver) Fetches() []*Item {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*Item
	for _, o := range r.byKey {
		if o.err == nil && o.item != nil && !slices.Contains(all, o.item) {
			all = append(all, o.item)
		}
	}
	slices.SortFunc(all, func(a, b *Item) int {
		return cmp.Or(cmp.Compare(a.Vault.Name, b.Vault.Name), cmp.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Names are the names that a declaration without one, of an item or an Environment
// that has been fetched, stands for.
func (r *Resolver) Names(ctx context.Context, d Declaration) ([]string, error) {
	secrets, err := r.resolveOne(ctx, d)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(secrets))
	for i, s := range secrets {
		names[i] = s.Name()
	}
	return names, nil
}
