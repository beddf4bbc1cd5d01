package onepassword

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Accounts is several backends as one, such as the service accounts of two
// companies: what is wanted is asked of the one that sees its vault. A vault that
// two of them see is refused: which of them is meant is not known. An Environment,
// which no list names, is asked of each.
type Accounts struct {
	all []Backend

	mu     sync.Mutex
	listed bool
	vaults []Vault
	owners map[string][]int // by a vault's id, who of all sees it
}

// NewAccounts makes one backend of several, in the order in which they are called
// the first, the second and so on in messages.
func NewAccounts(all ...Backend) *Accounts { return &Accounts{all: all} }

// Name is what the first is called, and how many there are.
func (a *Accounts) Name() string {
	return fmt.Sprintf("%s (%d service accounts)", a.all[0].Name(), len(a.all))
}

// Vaults lists the vaults that any of them can see, asked side by side. One that
// two of them see stands there once.
func (a *Accounts) Vaults(ctx context.Context) ([]Vault, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listed {
		return a.vaults, nil
	}
	var (
		found = make([][]Vault, len(a.all))
		errs  = make([]error, len(a.all))
		wg    sync.WaitGroup
	)
	for n, b := range a.all {
		wg.Go(func() { found[n], errs[n] = b.Vaults(ctx) })
	}
	wg.Wait()
	for n, err := range errs {
		if err != nil {
			return nil, a.of(n, err)
		}
	}
	a.listed, a.owners = true, map[string][]int{}
	for n, vaults := range found {
		for _, v := range vaults {
			if len(a.owners[v.ID]) == 0 {
				a.vaults = append(a.vaults, v)
			}
			a.owners[v.ID] = append(a.owners[v.ID], n)
		}
	}
	return a.vaults, nil
}

// of is an error of the nth, with which it is.
func (a *Accounts) of(n int, err error) error {
	var b *BackendError
	if !errors.As(err, &b) {
		return err
	}
	told := *b
	told.Message = fmt.Sprintf("service account token %d of %d: %s", n+1, len(a.all), b.Message)
	return &told
}

// owner is who sees a vault.
func (a *Accounts) owner(ctx context.Context, vaultID string) (n int, err error) {
	if _, err := a.Vaults(ctx); err != nil {
		return 0, err
	}
	switch owners := a.owners[vaultID]; len(owners) {
	case 1:
		return owners[0], nil
	case 0:
		return 0, &BackendError{
			Reason: NotFound, Message: "none of the service accounts sees a vault of the id " + vaultID,
			Hint: "correct the id, or give one of the service accounts read access to the vault",
		}
	default:
		return 0, &BackendError{
			Reason:  Denied,
			Message: fmt.Sprintf("the service account tokens %d and %d both see the vault %s, and which is meant is not known", owners[0]+1, owners[1]+1, a.title(vaultID)),
			Hint:    "let one service account alone read the vault, or give one token alone",
		}
	}
}

// title is how a vault of the list is called.
func (a *Accounts) title(id string) string {
	for _, v := range a.vaults {
		if v.ID == id && v.Name != "" {
			return quote(v.Name)
		}
	}
	return id
}

// Items lists the items of a vault.
func (a *Accounts) Items(ctx context.Context, vaultID string) ([]Overview, error) {
	n, err := a.owner(ctx, vaultID)
	if err != nil {
		return nil, err
	}
	items, err := a.all[n].Items(ctx, vaultID)
	return items, a.of(n, err)
}

// Get gets items of a vault.
func (a *Accounts) Get(ctx context.Context, vaultID string, itemIDs []string) []ItemResult {
	n, err := a.owner(ctx, vaultID)
	if err != nil {
		return failAll(make([]ItemResult, len(itemIDs)), err)
	}
	got := a.all[n].Get(ctx, vaultID, itemIDs)
	for i := range got {
		got[i].Err = a.of(n, got[i].Err)
	}
	return got
}

// ReadFile gives the content of a file of an item.
func (a *Accounts) ReadFile(ctx context.Context, item *Item, file File) ([]byte, error) {
	n, err := a.owner(ctx, item.Vault.ID)
	if err != nil {
		return nil, err
	}
	content, err := a.all[n].ReadFile(ctx, item, file)
	return content, a.of(n, err)
}

// Environment lists the variables of the Environment of an id, of the one that has
// it.
func (a *Accounts) Environment(ctx context.Context, id string) ([]Variable, error) {
	var (
		variables []Variable
		has       []int
		refused   error
	)
	for n, b := range a.all {
		found, err := b.Environment(ctx, id)
		switch r := reasonOf(err); {
		case err == nil:
			variables, has = found, append(has, n)
		case r != NotFound && r != Denied:
			return nil, a.of(n, err)
		case refused == nil:
			refused = err
		}
	}
	switch len(has) {
	case 0:
		return nil, refused
	case 1:
		return variables, nil
	}
	return nil, &BackendError{
		Reason: Denied, Message: fmt.Sprintf("the service account tokens %d and %d both see it, and which is meant is not known", has[0]+1, has[1]+1),
		Hint: "let one service account alone read the Environment, or give one token alone",
	}
}

// Close closes all of them.
func (a *Accounts) Close() error {
	var errs []error
	for _, b := range a.all {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}

// SplitTokens are the service account tokens of a text in which they stand one a
// line, or with spaces between. A text that is no such list stays whole, for
// CheckToken to say what is wrong with it.
func SplitTokens(text string) []string {
	fields := strings.Fields(text)
	for _, f := range fields {
		if !strings.HasPrefix(f, tokenPrefix) {
			return []string{text}
		}
	}
	if len(fields) < 2 {
		return []string{text}
	}
	return fields
}
