package onepassword

import "context"

// A Backend is where items come from. Its methods may be called from several
// goroutines. They retry what is transient until the context ends, and an error
// of theirs is a *BackendError (or the context's).
type Backend interface {
	// Name is what the backend is called in a message: "1Password Connect at
	// http://connect:8080", "1Password".
	Name() string

	// Vaults lists the vaults that the credentials can see.
	Vaults(ctx context.Context) ([]Vault, error)

	// Items lists the items of a vault, by the vault's id.
	Items(ctx context.Context, vaultID string) ([]Overview, error)

	// Get gets items of one vault by their ids. The answers stand in the order
	// of the ids, one each: the item, or why it could not be had.
	Get(ctx context.Context, vaultID string, itemIDs []string) []ItemResult

	// ReadFile gives the content of a file of an item, verbatim.
	ReadFile(ctx context.Context, item *Item, file File) ([]byte, error)

	// Environment lists the variables of a 1Password Environment by its id.
	Environment(ctx context.Context, id string) ([]Variable, error)

	// Close lets go of connections and of the session.
	Close() error
}

// ItemResult is one answer of Backend.Get.
type ItemResult struct {
	Item *Item
	Err  error
}
