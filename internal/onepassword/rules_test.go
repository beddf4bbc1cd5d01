package onepassword_test

import (
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit/rulestest"
)

// id makes an id of 1Password's form that says what it is of.
func id(name string) string { return rulestest.ID(name) }

// TestRules walks the rules of references, on both backends.
func TestRules(t *testing.T) {
	vaults := rulestest.Vaults(t)
	o := rulestest.Options()
	backends := map[string]func(*testing.T) *onepassword.Resolver{
		"connect": func(t *testing.T) *onepassword.Resolver {
			_, r := startVault(t, standin.VaultOptions{Vaults: vaults})
			return onepassword.NewResolver(r.Backend(), o)
		},
		"service account": func(t *testing.T) *onepassword.Resolver {
			return (&fakeSDK{t: t, vaults: vaults}).resolver(o)
		},
	}
	for name, start := range backends {
		t.Run(name, func(t *testing.T) {
			rulestest.Check(t, start(t), rulestest.Cases(vaults))
		})
	}
}
