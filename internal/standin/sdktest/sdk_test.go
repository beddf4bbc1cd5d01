// Package sdktest holds the stand-in vault to the API of 1Password Connect by
// running 1Password's own client for it, connect-sdk-go, against the vault. It is a
// module of its own, so that the client and what it drags along are nobody's
// dependency.
package sdktest

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/1Password/connect-sdk-go/connect"
	"github.com/1Password/connect-sdk-go/onepassword"

	"github.com/kamal-op/kamal-op/internal/standin"
)

var large = bytes.Repeat([]byte("0123456789abcdef"), 10<<10)

func start(t *testing.T) (*standin.Vault, connect.Client) {
	t.Helper()
	vault, err := standin.StartVault(t.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{
		{Name: "My App", Items: []standin.ItemSpec{
			{Title: "Production", Tags: []string{"deploy", "app"}, Version: 3, Sections: []standin.SectionSpec{{Label: "Database"}}, Fields: []standin.FieldSpec{
				{ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: "some notes"},
				{Label: "RAILS_MASTER_KEY", Value: "rails\nvalue\n"},
				{Label: "password", Value: "in a section", Section: "Database"},
				{Label: "code", Type: "OTP", Value: "otpauth://totp/x?secret=JBSWY3DP", TOTP: "123456"},
			}, Files: []standin.FileSpec{{Name: "ca.pem", Content: []byte("small\x00\xff")}, {Name: "large.bin", Content: large}}},
			{Title: "Twin"},
			{Title: "Twin"},
			{Title: "In the trash", State: "DELETED"},
		}},
		{Name: "Other"},
		{Name: "Hidden", Hidden: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := vault.Close(); err != nil {
			t.Error(err)
		}
	})
	return vault, connect.NewClient(vault.URL(), vault.Token())
}

func TestVaults(t *testing.T) {
	_, client := start(t)
	vaults, err := client.GetVaults()
	if err != nil || len(vaults) != 2 || vaults[0].Name != "My App" || vaults[0].Items != 4 || vaults[0].Type != onepassword.UserCreatedVault {
		t.Fatalf("%+v, %v", vaults, err)
	}
	for _, query := range []string{vaults[0].ID, "My App"} {
		vault, err := client.GetVault(query)
		if err != nil || vault.ID != vaults[0].ID || vault.CreatedAt.IsZero() {
			t.Errorf("%s: %+v, %v", query, vault, err)
		}
	}
	if byTitle, err := client.GetVaultsByTitle("Other"); err != nil || len(byTitle) != 1 {
		t.Errorf("%v, %v", byTitle, err)
	}
	if none, err := client.GetVaultsByTitle("Hidden"); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

func TestItems(t *testing.T) {
	_, client := start(t)
	vault, err := client.GetVaultByTitle("My App")
	if err != nil {
		t.Fatal(err)
	}
	items, err := client.GetItems(vault.ID)
	if err != nil || len(items) != 3 {
		t.Fatalf("%d items, %v: the trash is not listed", len(items), err)
	}
	if items[0].Fields != nil || items[0].Sections != nil || items[0].Version != 3 || len(items[0].Tags) != 2 || items[0].Vault.ID != vault.ID {
		t.Errorf("a summary is %+v", items[0])
	}
	for _, query := range []string{items[0].ID, "Production"} {
		item, err := client.GetItem(query, "My App")
		if err != nil {
			t.Fatal(err)
		}
		if item.Category != onepassword.SecureNote || len(item.Fields) != 4 || len(item.Files) != 2 || len(item.Sections) != 1 {
			t.Errorf("%+v", item)
		}
		for label, want := range map[string]string{
			"RAILS_MASTER_KEY": "rails\nvalue\n", "Database.password": "in a section", "notesPlain": "some notes",
		} {
			if got := item.GetValue(label); got != want {
				t.Errorf("%s is %q, want %q", label, got, want)
			}
		}
		if f := item.Fields[3]; f.TOTP != "123456" || f.Type != onepassword.FieldTypeOTP {
			t.Errorf("%+v", f)
		}
	}
	if _, err := client.GetItemByTitle("Twin", vault.ID); err == nil {
		t.Error("two items of one title are one")
	}
	if twins, err := client.GetItemsByTitle("Twin", vault.ID); err != nil || len(twins) != 2 {
		t.Errorf("%d twins, %v", len(twins), err)
	}
	if none, err := client.GetItemsByTitle(`a\" or title eq \"Twin`, vault.ID); err != nil || len(none) != 0 {
		t.Errorf("%d items by a title that is none, %v", len(none), err)
	}
}

func TestFiles(t *testing.T) {
	_, client := start(t)
	item, err := client.GetItem("Production", "My App")
	if err != nil {
		t.Fatal(err)
	}
	content, err := client.GetFileContent(item.Files[0])
	if err != nil || string(content) != "small\x00\xff" {
		t.Errorf("%q, %v", content, err)
	}
	content, err = client.GetFileContent(item.Files[1])
	if err != nil || !bytes.Equal(content, large) {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	path, err := client.DownloadFile(item.Files[1], t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	if content, err = os.ReadFile(path); err != nil || !bytes.Equal(content, large) || filepath.Base(path) != "large.bin" {
		t.Errorf("%s has %d bytes, %v", path, len(content), err)
	}
	file, err := client.GetFile(item.Files[0].ID, item.ID, item.Vault.ID)
	if err != nil || file.Name != "ca.pem" || file.Size != 7 {
		t.Errorf("%+v, %v", file, err)
	}
	files, err := client.GetFiles(item.ID, item.Vault.ID)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestErrors(t *testing.T) {
	vault, client := start(t)
	vaults, err := client.GetVaults()
	if err != nil {
		t.Fatal(err)
	}
	const nowhere = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	expect := func(name string, err error, status int, message string) {
		t.Helper()
		var e *onepassword.Error
		if !errors.As(err, &e) || e.StatusCode != status || !strings.Contains(e.Message, message) {
			t.Errorf("%s: %v, want %d %s", name, err, status, message)
		}
	}
	_, err = client.GetVaultByUUID(nowhere)
	expect("an unknown vault", err, 404, "vault "+nowhere+" not found")
	_, err = client.GetItemByUUID(nowhere, vaults[0].ID)
	expect("an unknown item", err, 404, "item "+nowhere+" not found")
	_, err = connect.NewClient(vault.URL(), "x"+vault.Token()).GetVaults()
	expect("a wrong token", err, 401, "Invalid token signature")
}
