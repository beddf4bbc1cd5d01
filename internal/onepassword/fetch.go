package onepassword

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// itemName is an item as a reference names it; key is the same for names that
// differ in case only.
type itemName struct{ vault, item string }

func (n itemName) key() itemKey {
	fold := func(s string) string {
		if IsID(s) {
			return s
		}
		return strings.ToLower(s)
	}
	return itemKey{fold(n.vault), fold(n.item)}
}

func (r Reference) itemName() itemName { return itemName{r.Vault, r.Item} }

// hold runs f alone with the backend and under the deadline of a batch. The
// context of whoever waits for its turn counts. Where a batch has run out of time,
// whoever comes within as long again gets its failure at once, or else each of
// them would wait for the deadline anew.
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
	if r.outage.err != nil && time.Since(r.outage.at) < r.deadline {
		return r.outage.err
	}
	left := r.deadline
	if until, ok := ctx.Value(untilKey{}).(time.Time); ok {
		left = min(left, time.Until(until))
	}
	batch, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	r.outage = outage{}
	_ = r.failure() // of a batch that had time enough
	err := f(batch)
	if batch.Err() != nil && ctx.Err() == nil {
		r.outage = outage{err: r.failure(), at: time.Now()}
	}
	return err
}

// An outage is why a batch ran out of time, and when it did.
type outage struct {
	err error // nil where none did
	at  time.Time
}

// note keeps a failure of the backend that another try may mend, for the outage
// that it may be a part of.
func (r *Resolver) note(err error) {
	switch reasonOf(err) {
	case Unreachable, RateLimited, RanOut:
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed == nil || reasonOf(r.failed) == RanOut {
			r.failed = err
		}
	}
}

// failure is the first of the failures noted since it was asked last.
func (r *Resolver) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.failed
	r.failed = nil
	return err
}

// untilKey is the context's key of the time at which a batch that holds the
// backend several times has to be done. It is no deadline of the context, so that
// what runs out of time is told with what it wanted.
type untilKey struct{}

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
		r.byKey[name.key()] = &outcome{err: err}
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
func (r *Resolver) fetchAll(ctx context.Context, names []itemName) map[itemName]*outcome {
	outcomes := map[itemName]*outcome{}
	byVault := map[string][]itemName{}
	unknown := map[string]*outcome{}
	for _, name := range names {
		if o := unknown[name.vault]; o != nil {
			outcomes[name] = o
			continue
		}
		v, err := r.findVault(ctx, name.vault)
		if err != nil {
			outcomes[name] = &outcome{err: err}
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
			outcomes[name] = &outcome{err: err}
		case v.ID != name.vault:
			again[v.ID] = append(again[v.ID], name)
		}
	}
	r.fetchVaults(ctx, again, outcomes)
	return outcomes
}

func (r *Resolver) fetchVaults(ctx context.Context, byVault map[string][]itemName, outcomes map[itemName]*outcome) {
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
func (r *Resolver) fetchVault(ctx context.Context, vaultID string, names []itemName) map[itemName]*outcome {
	outcomes := map[itemName]*outcome{}
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
					outcomes[name] = &outcome{err: err}
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
				outcomes[name] = &outcome{err: errInTrash}
			case renamed && last:
				outcomes[name] = &outcome{err: absent("the item was renamed while it was read", "run again")}
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
	for _, answer := range answers {
		r.note(answer.Err)
	}
	name := r.vaultName(vaultID)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, id := range ask {
		o := &outcome{item: answers[i].Item, err: answers[i].Err}
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
		l = &listed[Vault]{}
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
		l = &listed[Overview]{}
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
	p := problem.Newf("there are %d vaults of the name %s", len(found), quote(name))
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
	p := problem.Newf("the vault %s has %d items of the title %s", r.vaultLabel(vaultID), len(found), quote(name))
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
