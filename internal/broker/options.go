package broker

import (
	"context"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/mask"
)

// A Vault answers what is asked of 1Password. *onepassword.Resolver is one. Its
// methods may be called from several goroutines; an error of theirs is a
// *problem.Problem where it is to be shown.
type Vault interface {
	Item(ctx context.Context, vault, item string) (*onepassword.Item, error)
	Read(ctx context.Context, ref onepassword.Reference) (mask.Secret, error)
	Vaults(ctx context.Context) ([]onepassword.Vault, error)
	Items(ctx context.Context, vault string) ([]onepassword.Overview, error)
	Environment(ctx context.Context, id string) ([]onepassword.Variable, error)
}

// A DeclaredSecret is one secret that was declared to kamal-op and resolved.
type DeclaredSecret struct {
	Secret mask.Secret // under the name that $NAME and deploy.yml know it by
	Public bool        // not to be masked
}

// Options are what a broker is made of.
type Options struct {
	ListenOptions

	// Vault answers; nil refuses every lookup.
	Vault Vault

	// Project is what is deployed: its files give the vaults that may be asked,
	// and the places for problems. nil where there is none.
	Project *kamal.Project

	// DeclaredSecret answers $NAME in the secrets files, and is supplied where deploy.yml
	// names a secret that no secrets file defines.
	Declared []DeclaredSecret

	// Vaults are those that the declarations name: they may be asked too.
	Vaults []string

	// Environments are the ids of the 1Password Environments that the declarations
	// name: `op environment read` gives these.
	Environments []string

	// AnyVault allows every vault and Environment that the credentials see (--op-scope
	// any).
	AnyVault bool

	// AllowEmpty are names of secrets whose empty value is wanted.
	AllowEmpty []string

	// AllowReferences are names whose value may be a secret reference.
	AllowReferences []string

	// Mask registers values with the masker and the CI system; Kamal waits until it
	// has returned. nil does nothing. It may be called from several goroutines.
	Mask func(secrets []mask.Secret) error

	// ForwardAgent lets Kamal forward the agent to the servers (--forward-agent).
	ForwardAgent bool

	// FreshEnv gives new code that runs before it is booted the secrets of now.
	FreshEnv bool

	// ExactValues are the secrets of env that reach their containers as they are.
	ExactValues kamal.ExactValues

	// BuildKey is what the label is made with that says which secrets an image was built
	// with; empty where there is none.
	BuildKey mask.Secret

	// Locks decides about deploy locks; nil leaves them to Kamal.
	Locks Locks

	// Record gives what the hosts keep of a deploy that is over. nil keeps nothing.
	Record func(ctx context.Context, e Result) Record
	// ReadPast gets the lines that a host has kept of earlier deploys, where Record has
	// asked for them.
	ReadPast func(log string)

	Choices

	// RealOp is the op CLI that commands which are not known here are handed to:
	// in a terminal only. "" refuses them.
	RealOp string

	// Hosts decides about the hosts that Kamal connects to; nil leaves them to Kamal.
	Hosts *Hosts

	// Login is called with the registry that Kamal is about to log in to on this
	// machine; Kamal waits. nil does nothing. An error stops Kamal.
	Login func(server string) error

	// RegistryLogin is given the login of the registry by a Kamal that was asked for it.
	// nil is given to none.
	RegistryLogin func(RegistryLogin)
}

// An Event is one thing that happened on the socket. No value stands in it.
type Event struct {
	Kind    EventKind
	Message string // one line, to be shown as it is
	Hint    string // the next step, or ""
	Of      string // of an op command that failed: the command, which Message begins with
	Process string // of an op command, who asked: "kamal (4711)"; "" where it is not known
}

// EventKind is what kind of event it is.
type EventKind int

// The kinds of events. Notice and Warning are for a person's eyes, the others for
// who asks for details.
const (
	Lookup  EventKind = iota // an `op` command was answered
	Failed                   // an `op` command failed or was refused
	Attach                   // the preload took its place in a Kamal
	Checked                  // Kamal's secrets were evaluated and compared with the vault
	Login                    // Kamal is about to log in to a registry on this machine
	Notice                   // something a person may want to know
	Warning                  // something a person should look after
)
