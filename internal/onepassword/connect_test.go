package onepassword_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/mask"
)

// startVault starts a vault and a resolver over a Connect client of it.
func startVault(t *testing.T, o standin.VaultOptions) (*standin.Vault, *onepassword.Resolver) {
	t.Helper()
	vault, err := standin.StartVault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: vault.URL(), Token: mask.NewSecret("token", vault.Token())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
		if err := vault.Close(); err != nil {
			t.Error(err)
		}
	})
	return vault, onepassword.NewResolver(backend, onepassword.Options{})
}

func declare(t *testing.T, lines ...string) []onepassword.Declaration {
	t.Helper()
	var all []onepassword.Declaration
	for _, line := range lines {
		d, err := onepassword.ParseDeclaration(line, "--secret")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func reveal(secrets []mask.Secret) map[string]string {
	m := map[string]string{}
	for _, s := range secrets {
		m[s.Name()] = s.Reveal()
	}
	return m
}

var walkthrough = standin.VaultOptions{Vaults: []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{
	{Title: "Production", Fields: []standin.FieldSpec{
		{Label: "notesPlain", ID: "notesPlain", Purpose: "NOTES", Type: "STRING"},
		{Label: "KAMAL_REGISTRY_PASSWORD", Value: "registry value\n"},
		{Label: "RAILS_MASTER_KEY", Value: "rails\r\nvalue"},
		{Label: "DATABASE_PASSWORD", Value: " $(id) \u00e9\U0001F511 "},
	}},
	{Title: "Server", Fields: []standin.FieldSpec{{Label: "SSH_KEY", Value: "the key"}}},
}}}}

func TestResolver_ReadsWholeItemsAndReferencesOverConnect(t *testing.T) {
	vault, r := startVault(t, walkthrough)
	ctx := context.Background()
	got, err := r.Resolve(ctx, declare(t, "op://MyApp/Production", "KEY=op://myapp/server/ssh_key"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"KAMAL_REGISTRY_PASSWORD": "registry value\n",
		"RAILS_MASTER_KEY":        "rails\r\nvalue",
		"DATABASE_PASSWORD":       " $(id) \u00e9\U0001F511 ",
		"KEY":                     "the key",
	}
	if d := cmp.Diff(want, reveal(got)); d != "" {
		t.Error(d)
	}
	if n := len(vault.Requests()); n != 4 {
		t.Errorf("%d requests, want 4: %v", n, vault.Requests())
	}
	ref, err := onepassword.ParseReference("op://MyApp/Server")
	if err != nil {
		t.Fatal(err)
	}
	key, err := r.SSHKey(ctx, ref)
	if err != nil || key.Private.Reveal() != "the key" {
		t.Errorf("SSHKey: %v", err)
	}
	if n := len(vault.Requests()); n != 4 {
		t.Errorf("%d requests after the key, want 4", n)
	}
}
