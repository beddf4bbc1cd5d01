// Package onepassword reads secrets from 1Password: secret references, one
// resolver, and the backends behind it, which are a service account (1Password's
// own SDK), a Connect server, and a person's own `op` in a terminal.
//
// The resolver, not the backend, decides what a reference means, so that a
// reference gives the same value on each of them. A backend only lists vaults,
// lists the items of a vault, gets items in batches and reads files. Each item is
// fetched once, however many references, adapter calls or `op read` lines want it.
//
// Values leave this package as mask.Secret and never stand in an error, a
// problem or a log.
//
// Of third parties it alone imports onepassword-sdk-go and what the SDK's core is loaded with.
package onepassword
