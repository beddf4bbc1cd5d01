package onepassword_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// FuzzParseReference: what is accepted reads the same when it is put together from
// its parts; what is refused is refused in one line.
func FuzzParseReference(f *testing.F) {
	for _, seed := range []string{
		"op://a/b/c", "op://My App/Pro/s/f?attribute=otp", "op://a%2Fb/c%25/d", "op://a/b?section=s", "op://a/b/c?ssh-format=openssh",
		"op://é/\u200b/\U0001F511", "OP://a", "op://a/b/%", "op://a/b/c/d/e", "op:///", "A=op://a/b/c", "op://a/b/x\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := onepassword.ParseReference(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") || !utf8.ValidString(err.Error()) {
				t.Errorf("the error of %q is %q", text, err)
			}
			return
		}
		if ref.String() != text || ref.Vault == "" || ref.Item == "" {
			t.Errorf("%q became %+v", text, ref)
		}
		bare := onepassword.Reference{Vault: ref.Vault, Item: ref.Item, Section: ref.Section, Field: ref.Field, Attribute: ref.Attribute, SSHFormat: ref.SSHFormat}
		again, err := onepassword.ParseReference(bare.String())
		if err != nil {
			t.Fatalf("%q put together is %q: %v", text, bare, err)
		}
		if again.Vault != ref.Vault || again.Item != ref.Item || again.Section != ref.Section || again.Field != ref.Field || again.Attribute != ref.Attribute || again.SSHFormat != ref.SSHFormat {
			t.Errorf("%q put together is %q, which is another", text, bare)
		}
		if d, err := onepassword.ParseDeclaration("NAME="+text, "--secret"); err == nil && d.Ref.WholeItem() {
			t.Errorf("%q declares a name for a whole item", text)
		}
	})
}

// FuzzTokens: a check never panics, and what it says holds nothing of the token.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{serviceToken(f), serviceToken(f, "muk"), connectToken(), "", "ops_", "ops_eyJ9", "eyJ.a.b", "***", "op://a/b/c", "ops_e30", `{"a":1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, err := range []error{onepassword.CheckToken(token), onepassword.CheckConnectToken(token)} {
			for _, p := range problem.Of(err) {
				said := p.Message + p.Hint
				for i := 0; i+20 <= len(token); i++ {
					if strings.Contains(said, token[i:i+20]) {
						t.Fatalf("%q stands in %q", token[i:i+20], said)
					}
				}
			}
		}
		parts := onepassword.TokenParts(token)
		if (token == "") != (len(parts) == 0) || token != "" && parts[0].Reveal() != token {
			t.Errorf("%d parts of %q", len(parts), token)
		}
		for _, p := range parts[min(1, len(parts)):] {
			if p.Len() < 8 {
				t.Errorf("a part of %d bytes would blank the log", p.Len())
			}
		}
	})
}

// FuzzConnectJSON: whatever a server answers, the resolver ends with values or a
// problem.
func FuzzConnectJSON(f *testing.F) {
	vaults := `[{"id":"` + id("v") + `","name":"MyApp"}]`
	items := `[{"id":"` + id("i") + `","title":"Production"}]`
	item := `{"id":"` + id("i") + `","title":"Production","vault":{"id":"` + id("v") + `"},"sections":[{"id":"s","label":"S"}],` +
		`"fields":[{"id":"a","label":"A","value":"1"},{"id":"b","label":"B","type":"OTP","value":"otpauth://totp/x?secret=JBSWY3DP","section":{"id":"s"}},` +
		`{"id":"private_key","type":"SSHKEY","label":"private key","value":"x"},{"id":"notesPlain","purpose":"NOTES","value":"n"}],` +
		`"files":[{"id":"f","name":"F","size":3,"content_path":"/v1/x"}]}`
	f.Add(vaults, items, item)
	f.Add(vaults, items, `{}`)
	f.Add(vaults, `null`, `[]`)
	f.Add(`[{"id":""}]`, `[{}]`, `{"id":1}`)
	f.Add(vaults, items, strings.Replace(item, `"sections":[{"id":"s","label":"S"}]`, `"sections":null`, 1))
	f.Add(`{`, `"`, ``)
	refs := []string{"A=op://MyApp/Production/A", "B=op://myapp/production/S/b?attribute=otp", "C=op://MyApp/Production/F", "D=op://MyApp/Production/private key?ssh-format=openssh", "E=op://" + id("v") + "/" + id("i") + "/notes", "op://MyApp/Production"}
	var declared []onepassword.Declaration
	for _, line := range refs {
		d, err := onepassword.ParseDeclaration(line, "--secret")
		if err != nil {
			f.Fatal(err)
		}
		declared = append(declared, d)
	}
	f.Fuzz(func(t *testing.T, vaults, items, item string) {
		backend, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: "http://connect", Token: mask.NewSecret("token", connectToken())})
		if err != nil {
			t.Fatal(err)
		}
		backend.AnswerWith(func(r *http.Request) (*http.Response, error) {
			body := item
			switch strings.Count(r.URL.Path, "/") {
			case 2:
				body = vaults
			case 4:
				body = items
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
		})
		for _, d := range declared {
			r := onepassword.NewResolver(backend, onepassword.Options{Deadline: 2 * time.Millisecond})
			secrets, err := r.Resolve(context.Background(), []onepassword.Declaration{d})
			if (err == nil) == (len(secrets) == 0) {
				t.Fatalf("%d secrets and %v", len(secrets), err)
			}
			for _, s := range secrets {
				if s.Len() == 0 || bytes.ContainsRune([]byte(s.Reveal()), 0) {
					t.Errorf("%s is empty or has a NUL", s.Name())
				}
			}
		}
	})
}

// FuzzValues: codes and keys of whatever a field holds.
func FuzzValues(f *testing.F) {
	f.Add("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&digits=8&period=60&algorithm=SHA512", int64(59))
	f.Add("GEZD GNBV", int64(0))
	f.Add("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", int64(-1))
	f.Fuzz(func(t *testing.T, value string, at int64) {
		if code, err := onepassword.TOTP(value, time.Unix(at, 0)); err == nil && (len(code) < 6 || len(code) > 10) {
			t.Errorf("a code of %d digits", len(code))
		}
		if text, err := onepassword.OpenSSH(value); err == nil && !strings.Contains(text, "OPENSSH PRIVATE KEY") {
			t.Error("what came out is no OpenSSH key")
		}
	})
}

// FuzzFoldKey: the keys of two texts are equal where the texts are, without regard
// to case.
func FuzzFoldKey(f *testing.F) {
	f.Add("Kelvin", "\u212Aelvin")
	f.Add("\u017Fsh", "SSH")
	f.Add("\u03C2", "\u03A3")
	f.Add("a", "B")
	f.Add("\u0130", "i")
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		if got, want := onepassword.FoldKey(a) == onepassword.FoldKey(b), strings.EqualFold(a, b); got != want {
			t.Errorf("%q and %q: %v, want %v", a, b, got, want)
		}
	})
}
