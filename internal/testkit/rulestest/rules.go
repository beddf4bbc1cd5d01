// Package rulestest has the rules of references as a table, with a vault that has one
// of everything that they speak of: the same for Connect, for a fake of 1Password's
// SDK, and for that SDK itself.
package rulestest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// ID makes an id of 1Password's form that says what it is of.
func ID(name string) string {
	// An id is 16 bytes in the alphabet of base 32, which lacks four digits.
	name = strings.NewReplacer("0", "o", "1", "w", "8", "x", "9", "y").Replace(name)
	return (name + "aaaaaaaaaaaaaaaaaaaaaaaaaa")[:26]
}

// A Key is an SSH key as its item has it.
type Key struct{ Private, Public, Fingerprint string }

// NewKey makes one of Ed25519.
func NewKey(t *testing.T) Key {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return Key{
		Private:     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		Public:      strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
		Fingerprint: ssh.FingerprintSHA256(key),
	}
}

// AuthURI is a one-time password's; its code of 1970-01-01 00:00:59 is 94287082.
const AuthURI = "otpauth://totp/app:me?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=8"

// Vaults are one of everything that the rules speak of.
func Vaults(t *testing.T) []standin.VaultSpec {
	big, key := strings.Repeat("0123456789abcde\n", 1024), NewKey(t)
	return []standin.VaultSpec{
		{ID: ID("v1"), Name: "My App", Items: []standin.ItemSpec{
			{ID: ID("prod"), Title: "Production", Sections: []standin.SectionSpec{{ID: ID("s1"), Label: "Database"}, {ID: ID("s2"), Label: "Cache"}, {ID: "add more"}}, Fields: []standin.FieldSpec{
				{ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: "the notes"},
				{ID: ID("f1"), Label: "TOP", Value: "top\n"},
				{ID: ID("f2"), Label: "password", Value: "own"},
				{ID: ID("f3"), Label: "password", Value: "in database", Section: ID("s1")},
				{ID: ID("f4"), Label: "host", Value: "db", Section: ID("s1")},
				{ID: ID("f5"), Label: "host", Value: "cache", Section: ID("s2")},
				{ID: ID("f6"), Label: "only", Value: "sectioned", Section: ID("s2")},
				{ID: ID("f7"), Label: "crlf", Value: "a\r\nb\r\n"},
				{ID: ID("f8"), Label: "big", Value: big},
				{ID: ID("f9"), Label: "empty"},
				{ID: ID("g1"), Label: "Schlüssel/€ 100%?", Value: "exotic"},
				{ID: ID("g2"), Label: "custom", Value: "under no heading", Section: "add more"},
				{ID: ID("g3"), Label: "custom", Value: "under a heading", Section: ID("s1")},
				{ID: ID("g4"), Label: "one-time password", Type: "OTP", Value: AuthURI, TOTP: "00000000"},
				{ID: ID("g5"), Label: "twice", Value: "1"},
				{ID: ID("g6"), Label: "TWICE", Value: "2"},
				{ID: ID("g7"), Label: "unicode", Value: "\u0000\u200b\U0001F511é"},
				{ID: ID("g8"), Label: "DATABASE_PASSWRD", Value: "slip"},
			}, Files: []standin.FileSpec{
				{ID: ID("file"), Name: "ca.pem", Content: []byte("\x00binary\xff\n")},
				{ID: ID("fil2"), Name: "in cache", Content: []byte("sectioned file"), Section: ID("s2")},
			}},
			{ID: ID("key"), Title: "Deploy Key", Category: "SSH_KEY", Fields: []standin.FieldSpec{
				{ID: "private_key", Label: "private key", Type: "SSHKEY", Value: key.Private},
				{ID: "public_key", Label: "public key", Type: "STRING", Value: key.Public},
				{ID: "fingerprint", Label: "fingerprint", Type: "STRING", Value: key.Fingerprint},
				{ID: "key_type", Label: "key type", Type: "STRING", Value: "ed25519"},
			}},
			{ID: ID("doc"), Title: "a document", Category: "DOCUMENT", Files: []standin.FileSpec{{ID: ID("docf"), Name: "env.txt", Content: []byte("A=1\r\n")}}},
			{ID: ID("dup1"), Title: "Double", Fields: []standin.FieldSpec{{ID: ID("h1"), Label: "x", Value: "1"}}},
			{ID: ID("dup2"), Title: "double", Fields: []standin.FieldSpec{{ID: ID("h2"), Label: "x", Value: "2"}}},
			{ID: ID("trash"), Title: "Old", State: "ARCHIVED", Fields: []standin.FieldSpec{{ID: ID("i1"), Label: "x", Value: "1"}}},
			{ID: ID("named"), Title: "abcdefghijklmnopqrstuvwxyz", Fields: []standin.FieldSpec{{ID: ID("j1"), Label: "x", Value: "has the title of an id"}}},
			{ID: ID("serv"), Title: "Server", Fields: []standin.FieldSpec{{ID: ID("k1"), Label: "SSH_PRIVATE_KEY", Value: "key"}}},
		}},
		{ID: ID("v2"), Name: "Twin"},
		{ID: ID("v3"), Name: "twin"},
		{ID: ID("v4"), Name: "Hidden", Hidden: true, Items: []standin.ItemSpec{{ID: ID("hid"), Title: "x", Fields: []standin.FieldSpec{{ID: ID("l1"), Label: "x", Value: "x"}}}}},
	}
}

// A Case is a reference and what comes of it: a value, or a problem with Wrong in it.
type Case struct{ Ref, Value, Wrong string }

// Cases are the rules, for the vaults of Vaults.
func Cases(vaults []standin.VaultSpec) []Case { return append(values(vaults), problems()...) }

// values are the references that give a value.
func values(vaults []standin.VaultSpec) []Case {
	big := vaults[0].Items[0].Fields[8].Value
	key := vaults[0].Items[1].Fields
	return []Case{
		{"op://My App/Production/TOP", "top\n", ""},
		{"op://my app/PRODUCTION/top", "top\n", ""},
		{"op://" + ID("v1") + "/" + ID("prod") + "/" + ID("f1"), "top\n", ""},
		{"op://" + ID("v1") + "/Production/TOP", "top\n", ""},
		{"op://My App/" + ID("prod") + "/TOP", "top\n", ""},
		{"op://My App/Production/password", "own", ""},
		{"op://My App/Production/database/password", "in database", ""},
		{"op://My App/Production/" + ID("s1") + "/password", "in database", ""},
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
		{"op://My App/Production/" + strings.ToUpper(ID("f1")), "top\n", ""},
		{"op://My App/Production/" + strings.ToUpper(ID("s1")) + "/password", "in database", ""},
		{"op://My App/Production/" + ID("file"), "\x00binary\xff\n", ""},
		{"op://My App/Production/Cache/in cache", "sectioned file", ""},
		{"op://My App/Production/ca.pem?attribute=name", "ca.pem", ""},
		{"op://My App/Production/ca.pem?attribute=size", "9", ""},
		{"op://My App/Production/ca.pem?attribute=id", ID("file"), ""},
		{"op://My App/Production/ca.pem?attribute=content", "\x00binary\xff\n", ""},
		{"op://My App/a document/env.txt", "A=1\r\n", ""},
		{"op://My App/Production/one-time password", AuthURI, ""},
		{"op://My App/Production/one-time password?attribute=otp", "94287082", ""},
		{"op://My App/Production/one-time password?attribute=totp", "94287082", ""},
		{"op://My App/Production/TOP?attribute=title", "TOP", ""},
		{"op://My App/Production/top?attribute=id", ID("f1"), ""},
		{"op://My App/Production/TOP?attribute=type", "CONCEALED", ""},
		{"op://My App/Production/TOP?attribute=value", "top\n", ""},
		{"op://My App/Production/TOP?attribute=purpose", "", ""},
		{"op://My App/Production/notesPlain?attribute=purpose", "NOTES", ""},
		{"op://My App/Deploy Key/private key", key[0].Value, ""},
		{"op://My App/Deploy Key/private_key", key[0].Value, ""},
		{"op://My App/Deploy Key/public key", key[1].Value, ""},
		{"op://My App/Deploy Key/fingerprint", key[2].Value, ""},
		{"op://My App/Deploy Key/key type", "ed25519", ""},
		{"op://My App/abcdefghijklmnopqrstuvwxyz/x", "has the title of an id", ""},
	}
}

// problems are the references that give none.
func problems() []Case {
	return []Case{
		{"op://My App/Production/host", "", "2 fields match"},
		{"op://My App/Production/twice", "", "2 fields match"},
		{"op://My App/Production/DATABASE_PASSWORD", "", `no field "DATABASE_PASSWORD"`},
		{"op://My App/Production/Data/password", "", `no section "Data"`},
		{"op://My App/Production/Cache/password", "", `the section has no field "password"`},
		{"op://My App/Prodction/x", "", `no item "Prodction"`},
		{"op://My App/Double/x", "", "2 items of the title"},
		{"op://My App/Old/x", "", `no item "Old"`},
		{"op://My App/" + ID("trash") + "/x", "", "archived or deleted"},
		{"op://My App/" + ID("none") + "/x", "", `no item "` + ID("none") + `"`},
		{"op://Twin/x/x", "", "2 vaults of the name"},
		{"op://Hidden/x/x", "", `no vault "Hidden"`},
		{"op://" + ID("none") + "/x/x", "", "for these credentials"},
		{"op://My App/Production/TOP?attribute=otp", "", "not a one-time password"},
		{"op://My App/Production/TOP?attribute=size", "", "is one of files"},
		{"op://My App/Production/ca.pem?attribute=otp", "", "is one of fields"},
		{"op://My App/Production/TOP?ssh-format=openssh", "", "only for the private key"},
		{"op://My App/" + strings.ToUpper(ID("prod")) + "/TOP", "", "no item"},
		{"op://" + strings.ToUpper(ID("v1")) + "/Production/TOP", "", "no vault"},
	}
}

// Options of a resolver that the cases are for.
func Options() onepassword.Options {
	return onepassword.Options{Now: func() time.Time { return time.Unix(59, 0) }, Deadline: 5 * time.Second}
}

// Check walks the cases.
func Check(t *testing.T, r *onepassword.Resolver, cases []Case) {
	t.Helper()
	for _, test := range cases {
		ref, err := onepassword.ParseReference(test.Ref)
		if err != nil {
			t.Errorf("%s: %v", test.Ref, err)
			continue
		}
		got, err := r.Read(t.Context(), ref)
		switch {
		case test.Wrong == "" && err != nil:
			t.Errorf("%s: %v", test.Ref, err)
		case test.Wrong == "" && got.Reveal() != test.Value:
			t.Errorf("%s gives %q, want %q", test.Ref, got.Reveal(), test.Value)
		case test.Wrong != "" && err == nil:
			t.Errorf("%s gives %q, want the problem %q", test.Ref, got.Reveal(), test.Wrong)
		case test.Wrong != "" && !strings.Contains(err.Error(), test.Wrong):
			t.Errorf("%s: %q, want %q", test.Ref, err, test.Wrong)
		case test.Wrong != "" && problem.Status(err) != problem.Found:
			t.Errorf("%s: status %d for %q, want %d", test.Ref, problem.Status(err), err, problem.Found)
		}
	}
}
