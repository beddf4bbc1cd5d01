package broker

import (
	"context"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/mask"
)

// A Vault answers what is asked of 1Password. *onepassword.Resolver is one. Its
// methods may be called from several goroutines; an error of theirs is a
// *problem.Problem or a problem.List where it is to be shown.
type Vault interface {
	// Item gives a whole item; vault and item are names or ids.
	Item(ctx context.Context, vault, item string) (*onepassword.Item, error)
	// Read gives what a reference to a field means, attributes included.
	Read(ctx context.Context, ref onepassword.Reference) (mask.Secret, error)
}

// A Declared is one secret that was declared to kamal-op and resolved: an entry
// of --secret, or a field of a whole item.
type Declared struct {
	Secret mask.Secret           // under the name that $NAME and deploy.yml know it by
	Ref    onepassword.Reference // where it comes from, for messages
}

// Options are what a broker is made of.
type Options struct {
	// Dir is a directory of the run's: it exists, is private (0700), and holds
	// nothing else. Its path has no white space, which RUBYOPT could not quote,
	// and is short enough for a socket (90 bytes).
	Dir string

	// Executable is this program: `op` in Dir is a link to it.
	Executable string

	// Vault answers; nil refuses every lookup.
	Vault Vault

	// Project is what is deployed: its files give the vaults that may be asked,
	// and the places for problems. nil where there is none.
	Project *kamal.Project

	// Declared answers $NAME in the secrets files, and is supplied where deploy.yml
	// names a secret that no secrets file defines.
	Declared []Declared

	// Vaults are further vaults that may be asked: those that the declarations
	// name without being in Declared (the SSH key's).
	Vaults []string

	// AnyVault lets every vault be asked that the credentials see (--op-scope any).
	AnyVault bool

	// Mask registers values with the masker and tells the CI system; Kamal waits
	// until it has returned. nil does nothing.
	Mask func(secrets []mask.Secret)

	// ForwardAgent lets Kamal forward the agent to the servers (--forward-agent).
	ForwardAgent bool

	// AllowOutputCopies lets output.file and output.otel of deploy.yml copy hook
	// output past the masker.
	AllowOutputCopies bool

	// Notify is told what happens: lookups, warnings. One call at a time. nil is
	// told nothing.
	Notify func(Event)
}

// An Event is one thing that happened on the socket. No value stands in it.
type Event struct {
	Kind    EventKind
	Message string // one line, to be shown as it is
	Hint    string // of a warning, the next step, or ""
}

// EventKind is what kind of event it is.
type EventKind int

// The kinds of events.
const (
	Lookup  EventKind = iota // an `op` command was answered
	Failed                   // an `op` command failed or was refused
	Attach                   // the preload took its place in a Kamal, and what of it stepped aside
	Checked                  // Kamal's secrets were evaluated and held against the vault
	Warning                  // something a person should know
)
