package onepassword_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// id makes an id of 1Password's form that says what it is of.
func id(name string) string { return (name + "aaaaaaaaaaaaaaaaaaaaaaaaaa")[:26] }

func newKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

const authURI = "otpauth://totp/app:me?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=8"

// ruleVaults is one of everything that the rules speak of.
func ruleVaults(t *testing.T) []standin.VaultSpec {
	big := strings.Repeat("0123456789abcde\n", 1024)
	return []standin.VaultSpec{
		{ID: id("v1"), Name: "My App", Items: []standin.ItemSpec{
			{ID: id("prod"), Title: "Production", Sections: []standin.SectionSpec{{ID: id("s1"), Label: "Database"}, {ID: id("s2"), Label: "Cache"}, {ID: "add more"}}, Fields: []standin.FieldSpec{
				{ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: "the notes"},
				{ID: id("f1"), Label: "TOP", Value: "top\n"},
				{ID: id("f2"), Label: "password", Value: "own"},
				{ID: id("f3"), Label: "password", Value: "in database", Section: id("s1")},
				{ID: id("f4"), Label: "host", Value: "db", Section: id("s1")},
				{ID: id("f5"), Label: "host", Value: "cache", Section: id("s2")},
				{ID: id("f6"), Label: "only", Value: "sectioned", Section: id("s2")},
				{ID: id("f7"), Label: "crlf", Value: "a\r\nb\r\n"},
				{ID: id("f8"), Label: "big", Value: big},
				{ID: id("f9"), Label: "empty"},
				{ID: id("g1"), Label: "Schlüssel/€ 100%?", Value: "exotic"},
				{ID: id("g2"), Label: "custom", Value: "under no heading", Section: "add more"},
				{ID: id("g3"), Label: "custom", Value: "under a heading", Section: id("s1")},
				{ID: id("g4"), Label: "one-time password", Type: "OTP", Value: authURI, TOTP: "00000000"},
				{ID: id("g5"), Label: "twice", Value: "1"},
				{ID: id("g6"), Label: "TWICE", Value: "2"},
				{ID: id("g7"), Label: "unicode", Value: "\u0000\u200b\U0001F511é"},
				{ID: id("g8"), Label: "DATABASE_PASSWRD", Value: "slip"},
			}, Files: []standin.FileSpec{
				{ID: id("file"), Name: "ca.pem", Content: []byte("\x00binary\xff\n")},
				{ID: id("fil2"), Name: "in cache", Content: []byte("sectioned file"), Section: id("s2")},
			}},
			{ID: id("key"), Title: "Deploy Key", Category: "SSH_KEY", Fields: []standin.FieldSpec{
				{ID: "private_key", Label: "private key", Type: "SSHKEY", Value: newKey(t)},
				{ID: "public_key", Label: "public key", Type: "STRING", Value: "ssh-ed25519 AAAA"},
				{ID: "fingerprint", Label: "fingerprint", Type: "STRING", Value: "SHA256:x"},
				{ID: "key_type", Label: "key type", Type: "STRING", Value: "ed25519"},
			}},
			{ID: id("doc"), Title: "a document", Category: "DOCUMENT", Files: []standin.FileSpec{{ID: id("docf"), Name: "env.txt", Content: []byte("A=1\r\n")}}},
			{ID: id("dup1"), Title: "Double", Fields: []standin.FieldSpec{{ID: id("h1"), Label: "x", Value: "1"}}},
			{ID: id("dup2"), Title: "double", Fields: []standin.FieldSpec{{ID: id("h2"), Label: "x", Value: "2"}}},
			{ID: id("trash"), Title: "Old", State: "ARCHIVED", Fields: []standin.FieldSpec{{ID: id("i1"), Label: "x", Value: "1"}}},
			{ID: id("named"), Title: "abcdefghijklmnopqrstuvwxyz", Fields: []standin.FieldSpec{{ID: id("j1"), Label: "x", Value: "has the title of an id"}}},
			{ID: id("serv"), Title: "Server", Fields: []standin.FieldSpec{{ID: id("k1"), Label: "SSH_PRIVATE_KEY", Value: "key"}}},
		}},
		{ID: id("v2"), Name: "Twin"},
		{ID: id("v3"), Name: "twin"},
		{ID: id("v4"), Name: "Hidden", Hidden: true, Items: []standin.ItemSpec{{ID: id("hid"), Title: "x", Fields: []standin.FieldSpec{{ID: id("l1"), Label: "x", Value: "x"}}}}},
	}
}

// TestRules walks the rules of references, on both backends: value is what the
// reference gives, or wrong is in what is said against it.
func TestRules(t *testing.T) {
	vaults := ruleVaults(t)
	big := vaults[0].Items[0].Fields[8].Value
	key := vaults[0].Items[1].Fields[0].Value
	tests := []struct{ ref, value, wrong string }{
		{"op://My App/Production/TOP", "top\n", ""},
		{"op://my app/PRODUCTION/top", "top\n", ""},
		{"op://" + id("v1") + "/" + id("prod") + "/" + id("f1"), "top\n", ""},
		{"op://" + id("v1") + "/Production/TOP", "top\n", ""},
		{"op://My App/" + id("prod") + "/TOP", "top\n", ""},
		{"op://My App/Production/password", "own", ""},
		{"op://My App/Production/database/password", "in database", ""},
		{"op://My App/Production/" + id("s1") + "/password", "in database", ""},
		{"op://My App/Production/only", "sectioned", ""},
		{"op://My App/Production/custom", "under no heading", ""},
		{"op://My App/Production/notesPlain", "the notes", ""},
		{"op://My App/Production/notes", "the notes", ""},
		{"op://My App/Production/crlf", "a\r\nb\r\n", ""},
		{"op://My App/Production/big", big, ""},
		{"op://My App/Production/empty", "", ""},
		{"op://My App/Production/unicode", "\u0000\u200b\U0001F511é", ""},
		{"op://My App/Production/Schlüssel%2F€ 100%25%3F", "exotic", ""},
		{"op://My%20App/Production/TOP", "top\n", ""},
		{"op://My App/Production/ca.pem", "\x00binary\xff\n", ""},
		{"op://My App/Production/" + id("file"), "\x00binary\xff\n", ""},
		{"op://My App/Production/Cache/in cache", "sectioned file", ""},
		{"op://My App/Production/ca.pem?attribute=name", "ca.pem", ""},
		{"op://My App/Production/ca.pem?attribute=size", "9", ""},
		{"op://My App/Production/ca.pem?attribute=id", id("file"), ""},
		{"op://My App/Production/ca.pem?attribute=content", "\x00binary\xff\n", ""},
		{"op://My App/a document/env.txt", "A=1\r\n", ""},
		{"op://My App/Production/one-time password", authURI, ""},
		{"op://My App/Production/one-time password?attribute=otp", "94287082", ""},
		{"op://My App/Production/one-time password?attribute=totp", "94287082", ""},
		{"op://My App/Production/TOP?attribute=title", "TOP", ""},
		{"op://My App/Production/top?attribute=id", id("f1"), ""},
		{"op://My App/Production/TOP?attribute=type", "CONCEALED", ""},
		{"op://My App/Production/TOP?attribute=value", "top\n", ""},
		{"op://My App/Production/TOP?attribute=purpose", "", ""},
		{"op://My App/Production/notesPlain?attribute=purpose", "NOTES", ""},
		{"op://My App/Deploy Key/private key", key, ""},
		{"op://My App/Deploy Key/private_key", key, ""},
		{"op://My App/Deploy Key/public key", "ssh-ed25519 AAAA", ""},
		{"op://My App/Deploy Key/fingerprint", "SHA256:x", ""},
		{"op://My App/Deploy Key/key type", "ed25519", ""},
		{"op://My App/abcdefghijklmnopqrstuvwxyz/x", "has the title of an id", ""},

		{"op://My App/Production/host", "", "2 fields match"},
		{"op://My App/Production/twice", "", "2 fields match"},
		{"op://My App/Production/DATABASE_PASSWORD", "", `no field "DATABASE_PASSWORD"`},
		{"op://My App/Production/Data/password", "", `no section "Data"`},
		{"op://My App/Production/Cache/password", "", `the section has no field "password"`},
		{"op://My App/Prodction/x", "", `no item "Prodction"`},
		{"op://My App/Double/x", "", "2 items of the title"},
		{"op://My App/Old/x", "", `no item "Old"`},
		{"op://My App/" + id("trash") + "/x", "", "archived or deleted"},
		{"op://My App/" + id("none") + "/x", "", `no item "` + id("none") + `"`},
		{"op://Twin/x/x", "", "2 vaults of the name"},
		{"op://Hidden/x/x", "", `no vault "Hidden"`},
		{"op://" + id("none") + "/x/x", "", "for these credentials"},
		{"op://My App/Production/TOP?attribute=otp", "", "not a one-time password"},
		{"op://My App/Production/TOP?attribute=size", "", "is one of files"},
		{"op://My App/Production/ca.pem?attribute=otp", "", "is one of fields"},
		{"op://My App/Production/TOP?ssh-format=openssh", "", "only for the private key"},
		{"op://My App/Production/" + strings.ToUpper(id("f1")), "", "no field"},
	}
	o := onepassword.Options{Now: func() time.Time { return time.Unix(59, 0) }, Deadline: 5 * time.Second}
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
			r := start(t)
			for _, test := range tests {
				ref, err := onepassword.ParseReference(test.ref)
				if err != nil {
					t.Errorf("%s: %v", test.ref, err)
					continue
				}
				got, err := r.Read(t.Context(), ref)
				switch {
				case test.wrong == "" && err != nil:
					t.Errorf("%s: %v", test.ref, err)
				case test.wrong == "" && got.Reveal() != test.value:
					t.Errorf("%s gives %q, want %q", test.ref, got.Reveal(), test.value)
				case test.wrong != "" && err == nil:
					t.Errorf("%s gives %q, want the problem %q", test.ref, got.Reveal(), test.wrong)
				case test.wrong != "" && !strings.Contains(err.Error(), test.wrong):
					t.Errorf("%s: %q, want %q", test.ref, err, test.wrong)
				case test.wrong != "" && problem.Status(err) != problem.Found:
					t.Errorf("%s: status %d for %q, want %d", test.ref, problem.Status(err), err, problem.Found)
				}
			}
		})
	}
}
