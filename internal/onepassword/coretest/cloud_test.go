//go:build !race

package coretest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	sdk "github.com/1password/onepassword-sdk-go"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit/rulestest"
	"github.com/kamal-op/kamal-op/mask"
)

// startCloud starts a cloud that this process's SDK reaches: its core sends its
// requests by net/http's default client.
func startCloud(t *testing.T, o standin.CloudOptions) *standin.Cloud {
	t.Helper()
	cloud, err := standin.StartCloud(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := url.Parse(cloud.Proxy())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(cloud.CA()) {
		t.Fatal("the cloud's certificate is none")
	}
	transport := &http.Transport{
		Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}
	before := http.DefaultTransport
	http.DefaultTransport = transport
	t.Cleanup(func() {
		http.DefaultTransport = before
		transport.CloseIdleConnections()
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return cloud
}

// overCloud is our backend over the real core over a cloud.
func overCloud(t *testing.T, cloud *standin.Cloud, o onepassword.Options) *onepassword.Resolver {
	t.Helper()
	return onepassword.NewResolver(overCloudBackend(t, cloud), o)
}

// checkoutVersion is the version that Go gives a build from a checkout.
const checkoutVersion = "v0.0.0-20260102030405-0123456789ab+dirty"

// overCloudBackend is that backend itself, with a session of its own.
func overCloudBackend(t *testing.T, cloud *standin.Cloud) *onepassword.ServiceAccount {
	t.Helper()
	backend, err := onepassword.NewServiceAccount(onepassword.ServiceAccountOptions{Token: mask.NewSecret("token", cloud.Token()), Version: checkoutVersion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	})
	return backend
}

// signIn makes a client of 1Password's SDK itself.
func signIn(t *testing.T, cloud *standin.Cloud) *sdk.Client {
	t.Helper()
	client, err := sdk.NewClient(t.Context(), sdk.WithServiceAccountToken(cloud.Token()), sdk.WithIntegrationInfo("kamal-op", "v0.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestCloud_SignsIn: 1Password's own core signs in to the stand-in, which holds it to
// every proof and signature, and finds there what Connect's stand-in would serve.
func TestCloud_SignsIn(t *testing.T) {
	cloud := startCloud(t, standin.CloudOptions{Vaults: []standin.VaultSpec{
		{Name: "My App", Items: []standin.ItemSpec{
			{Title: "Production", Tags: []string{"deploy"}, Sections: []standin.SectionSpec{{Label: "Database"}}, Fields: []standin.FieldSpec{
				{ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: "some notes"},
				{Label: "RAILS_MASTER_KEY", Value: "rails\nvalue\n"},
				{Label: "password", Value: "in a section", Section: "Database"},
			}},
			{Title: "Other", Category: "LOGIN", Fields: []standin.FieldSpec{
				{ID: "username", Label: "username", Type: "STRING", Purpose: "USERNAME", Value: "me"},
				{ID: "password", Label: "password", Purpose: "PASSWORD", Value: "of a login"},
			}},
			{Title: "In the trash", State: "DELETED"},
		}},
		{Name: "Hidden", Hidden: true},
	}})
	client := signIn(t, cloud)
	if n := len(cloud.Requests()); n != 4 {
		t.Errorf("signing in took %d requests: %v", n, cloud.Requests())
	}
	vaults, err := client.Vaults().List(t.Context())
	if err != nil || len(vaults) != 1 || vaults[0].Title != "My App" {
		t.Fatalf("%+v, %v", vaults, err)
	}
	items, err := client.Items().List(t.Context(), vaults[0].ID)
	if err != nil || len(items) != 2 || items[0].Title != "Production" || items[1].Category != sdk.ItemCategoryLogin || items[0].Tags[0] != "deploy" {
		t.Fatalf("%+v, %v", items, err)
	}
	for ref, want := range map[string]string{
		"op://My App/Production/RAILS_MASTER_KEY":                       "rails\nvalue\n",
		"op://my app/production/database/password":                      "in a section",
		"op://My App/Production/notesPlain":                             "some notes",
		"op://My App/Other/username":                                    "me",
		"op://" + vaults[0].ID + "/" + items[1].ID + "/password":        "of a login",
		"op://" + vaults[0].ID + "/" + items[0].ID + "/" + "notesPlain": "some notes",
	} {
		if got, err := client.Secrets().Resolve(t.Context(), ref); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", ref, got, err, want)
		}
	}
	for _, r := range cloud.Requests() {
		if r.Status != http.StatusOK {
			t.Errorf("%s %s: %d", r.Method, r.Path, r.Status)
		}
	}
}

// TestCloud_Rules walks the rules of references over the SDK's own core.
func TestCloud_Rules(t *testing.T) {
	vaults := rulestest.Vaults(t)
	cloud := startCloud(t, standin.CloudOptions{Vaults: vaults})
	o := rulestest.Options()
	o.Deadline = time.Minute // the core is compiled in it
	r, cases := overCloud(t, cloud, o), rulestest.Cases(vaults)
	rulestest.Check(t, r, cases)

	// What the SDK itself resolves is what we read, and what it finds no value for we
	// find none for.
	client := signIn(t, cloud)
	for _, c := range cases {
		if sdk.Secrets.ValidateSecretReference(t.Context(), c.Ref) != nil {
			continue // in ways that TestReferences_Differential lists our syntax is wider
		}
		theirs, err := client.Secrets().Resolve(t.Context(), c.Ref)
		switch {
		case err != nil && strings.Contains(err.Error(), "only text files are supported"):
			// A file of other bytes is one of them here, and has none there.
		case err != nil && c.Ref == "op://My App/Production/"+rulestest.ID("file"):
			// Of files it knows names alone.
		case err != nil && c.Wrong == "":
			t.Errorf("%s: we read it, and the SDK says %v", c.Ref, err)
		case err == nil && c.Wrong != "":
			t.Errorf("%s: the SDK resolves it, and we say %q", c.Ref, c.Wrong)
		case err == nil && theirs != c.Value && !strings.Contains(c.Ref, "otp"):
			t.Errorf("%s: we read %.60q, and the SDK resolves %.60q", c.Ref, c.Value, theirs)
		}
	}
}

// TestCloud_Items: what the core makes of items has our names for it: files, whose
// place it tells apart, a document, an Environment.
func TestCloud_Items(t *testing.T) {
	key := rulestest.NewKey(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	environment := rulestest.ID("environment")
	cloud := startCloud(t, standin.CloudOptions{
		Environments: []standin.EnvironmentSpec{{ID: environment, Name: "production", Variables: []standin.FieldSpec{
			{Label: "HIDDEN", Value: "hidden value\n"}, {Label: "SHOWN", Value: "shown", Type: "STRING"},
		}}},
		Vaults: []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{
			{Title: "files", Sections: []standin.SectionSpec{{Label: "certs"}}, Files: []standin.FileSpec{
				{Name: "ca.pem", Content: []byte("\x00binary\xff\n")}, {Name: "large", Content: large, Section: "certs"}, {Name: "empty"},
			}},
			{Title: "doc", Category: "DOCUMENT", Files: []standin.FileSpec{{Name: "env.txt", Content: []byte("A=1\r\n")}, {Name: "beside", Content: []byte("b")}}},
			{Title: "key", Category: "SSH_KEY", Fields: []standin.FieldSpec{
				{ID: "private_key", Label: "private key", Type: "SSHKEY", Value: key.Private},
				{ID: "public_key", Value: key.Public},
				{ID: "fingerprint", Value: key.Fingerprint},
				{ID: "key_type", Value: "ed25519"},
			}},
			{Title: "login", Category: "LOGIN", Fields: []standin.FieldSpec{
				{ID: "username", Label: "username", Type: "STRING", Purpose: "USERNAME", Value: "me"}, {ID: "password", Label: "password", Purpose: "PASSWORD", Value: "pw"},
			}},
			{Title: "password", Category: "PASSWORD", Fields: []standin.FieldSpec{{ID: "password", Label: "password", Purpose: "PASSWORD", Value: "pw"}}},
		}}},
	})
	r := overCloud(t, cloud, onepassword.Options{Deadline: time.Minute})
	for ref, want := range map[string]string{
		"op://MyApp/files/ca.pem":                       "\x00binary\xff\n",
		"op://MyApp/files/certs/large":                  string(large),
		"op://MyApp/files/large":                        string(large),
		"op://MyApp/files/empty":                        "",
		"op://MyApp/doc/env.txt":                        "A=1\r\n",
		"op://MyApp/doc/beside":                         "b",
		"op://MyApp/key/key type":                       "ed25519",
		"op://MyApp/key/private key?attribute=type":     "SSHKEY",
		"op://MyApp/login/username?attribute=purpose":   "USERNAME",
		"op://MyApp/login/password?attribute=purpose":   "PASSWORD",
		"op://MyApp/password/password":                  "pw",
		"op://MyApp/password/password?attribute=type":   "CONCEALED",
		"op://MyApp/files/ca.pem?attribute=size":        "9",
		"op://MyApp/login/password?attribute=id":        "password",
		"op://MyApp/key/fingerprint?attribute=value":    key.Fingerprint,
		"op://MyApp/key/private key?ssh-format=openssh": "",
	} {
		parsed, err := onepassword.ParseReference(ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Read(t.Context(), parsed)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if parsed.SSHFormat != "" {
			// Its comment and its check are each one's own; the key is the same.
			theirs, err := signIn(t, cloud).Secrets().Resolve(t.Context(), ref)
			if err != nil || public(t, theirs) != public(t, got.Reveal()) || public(t, theirs) != key.Fingerprint {
				t.Errorf("%s: %v", ref, err)
			}
			continue
		}
		if got.Reveal() != want {
			t.Errorf("%s gives %.100q, want %.100q", ref, got.Reveal(), want)
		}
	}
	variables, err := r.Environment(t.Context(), environment)
	if err != nil || len(variables) != 2 || variables[0].Value.Reveal() != "hidden value\n" || !variables[0].Masked || variables[1].Masked || variables[1].Value.Name() != "SHOWN" {
		t.Errorf("%d variables, %v", len(variables), err)
	}
	if _, err := r.Environment(t.Context(), rulestest.ID("none")); err == nil {
		t.Error("an Environment that there is not was read")
	}
}

// public is the fingerprint of a private key.
func public(t *testing.T, private string) string {
	t.Helper()
	signer, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(signer.PublicKey())
}

// TestCloud_RequestsInSeries: how many requests a run makes behind the four to sign in.
// The core makes one at a time, so that each is one that a deploy waits for. The keys
// are the SDK's own, and so is the vault of an id, which it asks for by itself.
func TestCloud_RequestsInSeries(t *testing.T) {
	vault, one, two := rulestest.ID("v"), rulestest.ID("one"), rulestest.ID("two")
	cloud := startCloud(t, standin.CloudOptions{Vaults: []standin.VaultSpec{{ID: vault, Name: "MyApp", Items: []standin.ItemSpec{
		{ID: one, Title: "one", Fields: []standin.FieldSpec{{Label: "A", Value: "1"}}, Files: []standin.FileSpec{{ID: rulestest.ID("file"), Name: "x", Content: []byte("x")}}},
		{ID: two, Title: "two", Fields: []standin.FieldSpec{{Label: "A", Value: "2"}}},
	}}}})
	const vaults, keys, items, batch, single = "vaults", "keysets", "overviews", "batch", "v"
	for name, test := range map[string]struct {
		refs []string
		want []string
	}{
		"by names":    {[]string{"op://MyApp/one/A", "op://MyApp/two/A"}, []string{vaults, keys, items, batch}},
		"item by id":  {[]string{"op://MyApp/" + one + "/A"}, []string{vaults, keys, batch}},
		"vault by id": {[]string{"op://" + vault + "/one/A"}, []string{items, single, keys, batch}},
		"all by ids":  {[]string{"op://" + vault + "/" + one + "/A", "op://" + vault + "/" + two + "/A"}, []string{batch, single, keys}},
		"a file":      {[]string{"op://MyApp/one/x"}, []string{vaults, keys, items, batch, one, rulestest.ID("file")}},
	} {
		cloud.Forget()
		var declared []onepassword.Declaration
		for n, ref := range test.refs {
			d, err := onepassword.ParseDeclaration(fmt.Sprintf("NAME_%d=%s", n, ref), "--secret")
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, d)
		}
		if _, err := overCloud(t, cloud, onepassword.Options{Deadline: time.Minute}).Resolve(t.Context(), declared); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		asked := behindSignIn(cloud.Requests(), vault, single)
		if d := cmp.Diff(test.want, asked); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// behindSignIn are the last parts of the paths that were asked for after signing in; a
// vault's own goes by another name, since its id tells nothing.
func behindSignIn(requests []standin.Request, vault, name string) []string {
	var asked []string
	for _, r := range requests {
		path, _, _ := strings.Cut(r.Path, "?")
		if last := path[strings.LastIndex(path, "/")+1:]; last == vault {
			asked = append(asked, name)
		} else if !strings.Contains(path, "/auth") {
			asked = append(asked, last)
		}
	}
	return asked
}
