//go:build !race

package coretest

import (
	"os"
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/mask"
)

// TestLive reads from a real account where OP_SERVICE_ACCOUNT_TOKEN is set, and
// only there: that every vault and item of the service account can be listed and
// every item fetched. Nothing of them is printed.
func TestLive(t *testing.T) {
	text := os.Getenv("OP_SERVICE_ACCOUNT_TOKEN")
	if text == "" {
		t.Skip("OP_SERVICE_ACCOUNT_TOKEN is not set")
	}
	backend, err := onepassword.NewServiceAccount(onepassword.ServiceAccountOptions{Token: mask.NewSecret("token", text)})
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	r := onepassword.NewResolver(backend, onepassword.Options{})
	vaults, err := r.Vaults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(vaults) == 0 {
		t.Error("the service account can see no vault")
	}
	items, fields := 0, 0
	for _, vault := range vaults {
		list, err := r.Items(t.Context(), vault.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, overview := range list {
			item, err := r.Item(t.Context(), vault.ID, overview.ID)
			if err != nil {
				t.Fatal(err)
			}
			items++
			fields += len(item.Fields)
		}
	}
	t.Logf("%d vaults, %d items, %d fields", len(vaults), items, fields)
}
