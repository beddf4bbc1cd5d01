package testkit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A Vault answers from a list. What is not in it is not there; an item that no
// project may ask for does not exist, so nothing is answered by accident.
type Vault struct {
	items map[string]*onepassword.Item // vault/item, lower case
	names []string
}

// ParseVault reads a list of fields, vault/item/field = value, one a line.
func ParseVault(t testing.TB, text string) *Vault {
	t.Helper()
	v := &Vault{items: map[string]*onepassword.Item{}}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		path, value, ok := strings.Cut(line, " = ")
		parts := strings.Split(path, "/")
		if !ok || len(parts) != 3 {
			t.Fatalf("vault: %q is not vault/item/field = value", line)
		}
		key := strings.ToLower(parts[0] + "/" + parts[1])
		if v.items[key] == nil {
			v.items[key] = &onepassword.Item{Title: parts[1]}
		}
		if !slices.Contains(v.names, parts[0]) {
			v.names = append(v.names, parts[0])
		}
		v.items[key].Fields = append(v.items[key].Fields, onepassword.Field{Label: parts[2], Value: mask.NewSecret(parts[2], value)})
	}
	return v
}

// Prefetch does nothing: all is there.
func (v *Vault) Prefetch(context.Context, ...onepassword.Reference) error { return nil }

// Item is an item of the list.
func (v *Vault) Item(_ context.Context, vault, item string) (*onepassword.Item, error) {
	if found := v.items[strings.ToLower(vault+"/"+item)]; found != nil {
		return found, nil
	}
	return nil, problem.New("the vault "+vault+" has no item "+item, "look at its title in 1Password")
}

// Names are the labels of an item's fields.
func (v *Vault) Names(ctx context.Context, d onepassword.Declaration) ([]string, error) {
	item, err := v.Item(ctx, d.Ref.Vault, d.Ref.Item)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range item.Fields {
		names = append(names, f.Label)
	}
	return names, nil
}

// Vaults are the vaults of the list.
func (v *Vault) Vaults(context.Context) ([]onepassword.Vault, error) {
	if v.names == nil {
		return nil, errors.New("no vaults")
	}
	var vaults []onepassword.Vault
	for _, name := range v.names {
		vaults = append(vaults, onepassword.Vault{ID: strings.ToLower(name), Name: name})
	}
	return vaults, nil
}
