package onepassword

import (
	"context"

	"github.com/kamal-op/kamal-op/mask"
)

// ServiceAccountOptions are what a service account client is made of.
type ServiceAccountOptions struct {
	Token   mask.Secret
	Version string // ours, for 1Password's own statistics
}

// ServiceAccount is the backend that uses 1Password's SDK.
type ServiceAccount struct {
	token   mask.Secret
	version string
}

// NewServiceAccount checks the token's shape and makes the backend. Nothing is
// sent, and the SDK's core is not touched. The error is a *problem.Problem.
func NewServiceAccount(o ServiceAccountOptions) (*ServiceAccount, error) {
	if err := CheckToken(o.Token.Reveal()); err != nil {
		return nil, err
	}
	return &ServiceAccount{token: o.Token, version: o.Version}, nil
}

// Prewarm starts the compile of the SDK's core in the background.
func Prewarm() {}

func (*ServiceAccount) todo() *Failure {
	return &Failure{Reason: Unsupported, Message: "service accounts come next"}
}

// Name is 1Password.
func (s *ServiceAccount) Name() string { return "1Password" }

// Close lets go of the client.
func (s *ServiceAccount) Close() error { return nil }

// Vaults lists the vaults of the service account.
func (s *ServiceAccount) Vaults(context.Context) ([]Vault, error) { return nil, s.todo() }

// Items lists the items of a vault.
func (s *ServiceAccount) Items(context.Context, string) ([]Overview, error) { return nil, s.todo() }

// Get gets items of a vault in one batch.
func (s *ServiceAccount) Get(_ context.Context, _ string, ids []string) []Got {
	got := make([]Got, len(ids))
	for i := range got {
		got[i].Err = s.todo()
	}
	return got
}

// ReadFile reads a file of an item.
func (s *ServiceAccount) ReadFile(context.Context, *Item, File) ([]byte, error) { return nil, s.todo() }

// Environment lists the variables of an Environment.
func (s *ServiceAccount) Environment(context.Context, string) ([]Variable, error) {
	return nil, s.todo()
}
