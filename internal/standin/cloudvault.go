package standin

import (
	"cmp"
	"net/http"
)

// The part of the API that has vaults and what is in them.

// readable is the right to read a vault's items, among those that a client is told
// that it has.
const readable = 1 << 5

// The kinds of vaults: those that people make, and Environments.
const (
	userKind        = "U"
	environmentKind = "D"
)

func (c *Cloud) listVaults(*http.Request, cloudKey) (any, int) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	found := []object{}
	for _, v := range c.vaults {
		if v.Hidden || v.kind == environmentKind {
			continue
		}
		one, err := c.account.vault(v)
		if err != nil {
			return nil, http.StatusInternalServerError
		}
		found = append(found, one)
	}
	return found, http.StatusOK
}

// getVault is asked for Environments alone.
func (c *Cloud) getVault(r *http.Request, _ cloudKey) (any, int) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	v := c.seen(r)
	if v == nil {
		return nil, http.StatusNotFound
	}
	one, err := c.account.vault(v)
	if err != nil {
		return nil, http.StatusInternalServerError
	}
	return one, http.StatusOK
}

// seen is the vault that a request is about, nil where the account has none of the
// id: 1Password does not tell one that there is not from one that is not its. c's
// store is locked.
func (c *Cloud) seen(r *http.Request) *VaultSpec {
	if v := c.byID(r.PathValue("vault")); v != nil && !v.Hidden {
		return v
	}
	return nil
}

func (c *Cloud) listItems(r *http.Request, _ cloudKey) (any, int) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	v := c.seen(r)
	if v == nil {
		return nil, http.StatusNotFound
	}
	items := []object{}
	for n := range v.Items {
		if i := &v.Items[n]; i.State != "DELETED" {
			items = append(items, i.overview(c.account.keyFor(v.ID)))
		}
	}
	return object{"contentVersion": 1, "items": items, "batchComplete": true}, http.StatusOK
}

func (c *Cloud) getItem(r *http.Request, _ cloudKey) (any, int) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if v := c.seen(r); v != nil {
		if i := v.item(r.PathValue("item")); i != nil {
			return object{"contentVersion": 1, "item": i.whole(c.account, c.account.keyFor(v.ID))}, http.StatusOK
		}
	}
	return nil, http.StatusNotFound
}

// getItems gives items in the order that they were asked for, with null for one that
// there is not.
func (c *Cloud) getItems(r *http.Request, key cloudKey) (any, int) {
	var asked struct{ ItemUUIDs []string }
	if key.read(r.Body, &asked) != nil {
		return nil, http.StatusBadRequest
	}
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	v := c.seen(r)
	if v == nil {
		return nil, http.StatusNotFound
	}
	items := make([]object, len(asked.ItemUUIDs))
	for n, id := range asked.ItemUUIDs {
		if i := v.item(id); i != nil {
			items[n] = i.whole(c.account, c.account.keyFor(v.ID))
		}
	}
	return object{"contentVersion": 1, "items": items}, http.StatusOK
}

// vault is what the account is told of a vault. Its key is sealed for the account,
// and its name with that key.
func (a *cloudAccount) vault(v *VaultSpec) (object, error) {
	key := a.keyFor(v.ID)
	sealedKey, err := sealTo(a.keysetID, &a.private.PublicKey, key.jwk())
	if err != nil {
		return nil, err
	}
	kind := cmp.Or(v.kind, userKind)
	return object{
		"uuid": v.ID, "type": kind, "createdAt": vaultCreated, "updatedAt": vaultCreated, "attrVersion": 1, "contentVersion": 1,
		"encAttrs": key.seal(object{"type": kind, "name": v.Name, "desc": "", "avatar": ""}), "activeItemCount": len(v.Items),
		"accessorsVersion": 1, "clientAccess": readable, "combinedAccess": object{
			"vaultUuid": v.ID, "accessorType": "user", "accessorUuid": a.userID, "accessVersion": 1, "acl": readable, "leaseTimeout": 0,
			"vaultKeySN": 1, "encryptedBy": a.keysetID, "encVaultKey": sealedKey,
		},
	}, nil
}
