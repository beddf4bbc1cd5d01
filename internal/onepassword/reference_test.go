package onepassword_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

func TestParseName(t *testing.T) {
	for text, want := range map[string]string{
		"My App": "My App", "item": "item", "100%25": "100%", "a%2Fb": "a/b", "\"a": "\"a",
		"": "", "100% Prod": "", "a/b": "", "item/item": "", "a?b": "", "a?section=b": "", "a\nb": "", "a\xff": "",
	} {
		if name, ok := onepassword.ParseName(text); ok != (want != "") || ok && name != want {
			t.Errorf("%q is read as %q, %v", text, name, ok)
		}
	}
}

func TestParseReference(t *testing.T) {
	type r = onepassword.Reference
	for text, want := range map[string]r{
		"op://a/b/c":                           {Vault: "a", Item: "b", Field: "c"},
		"op://My App/Pro duction/s t/f g":      {Vault: "My App", Item: "Pro duction", Section: "s t", Field: "f g"},
		"op://a/b":                             {Vault: "a", Item: "b"},
		"op://a/b?section=Data%20base":         {Vault: "a", Item: "b", Section: "Data base"},
		"op://a/b/c?attribute=otp":             {Vault: "a", Item: "b", Field: "c", Attribute: "otp"},
		"op://a/b/c/d?ssh-format=openssh":      {Vault: "a", Item: "b", Section: "c", Field: "d", SSHFormat: "openssh"},
		"op://a%2Fb/c%3Fd/e%25/f%C3%A9":        {Vault: "a/b", Item: "c?d", Section: "e%", Field: "fé"},
		"op://Schlüssel+&/€@:#/\U0001F511'\"$": {Vault: "Schlüssel+&", Item: "€@:#", Field: "\U0001F511'\"$"},
		"op://a/b/c ":                          {Vault: "a", Item: "b", Field: "c "},
	} {
		got, err := onepassword.ParseReference(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(r{})); d != "" {
			t.Errorf("%s: %s", text, d)
		}
		if got.String() != text {
			t.Errorf("%s prints as %s", text, got)
		}
		again, err := onepassword.ParseReference(want.String())
		if d := cmp.Diff(want, again, cmpopts.IgnoreUnexported(r{})); err != nil || d != "" {
			t.Errorf("%s put together as %s: %v %s", text, want, err, d)
		}
	}
	for text, want := range map[string]string{
		"":                           "is empty",
		"a secret value":             "not a secret reference: it does not begin with op://",
		" op://a/b/c":                "begins with white space",
		"OP://a/b/c":                 "does not begin with op://",
		"op://":                      "the item is missing",
		"op://a":                     "the item is missing",
		"op://a/b/":                  "its field is empty",
		"op://a//c":                  "its item is empty",
		"op:///b/c":                  "its vault is empty",
		"op://a/b//c":                "its section is empty",
		"op://a/b/c/d/e":             "too many '/'",
		"op://a/b/c?":                "one parameter",
		"op://a/b/c?attribute":       "one parameter",
		"op://a/b/c?attribute=a&b=c": "one parameter",
		"op://a/b/c?attribute=other": `unknown attribute "other"`,
		"op://a/b/c?ssh-format=pem":  `unknown ssh-format "pem"`,
		"op://a/b/c?section=s":       `unknown parameter "section"`,
		"op://a/b?attribute=otp":     "a whole item has no parameter",
		"op://a/b?section=":          "its section is not a name",
		"op://a/b/100%":              "has a % without two hexadecimal digits",
		"op://a/b/%zz":               "has a % without two hexadecimal digits",
		"op://a/b/%ff":               "is not UTF-8",
		"op://a/b/x%00":              "control character U+0000",
		"op://a/b/x\ny":              "control character U+000A",
		"op://a/" + strings.Repeat("x", 300) + "/\x01": "control character",
	} {
		_, err := onepassword.ParseReference(text)
		if err == nil || !strings.Contains(err.Error(), want) || problem.Status(err) != problem.Usage {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x01\x00") {
			t.Errorf("%q: the problem is not one line: %q", text, err)
		}
	}
	// What is no reference may be a secret that was put in the wrong place.
	if _, err := onepassword.ParseReference("hunter2 is no reference"); strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the text is quoted: %v", err)
	}
}

func TestParseDeclaration(t *testing.T) {
	for text, want := range map[string]string{
		"A_1=op://a/b/c": "",
		"op://a/b":       "",
		"op://a/b/c":     "no name for it",
		"A=op://a/b":     "names an item, not a field",
		"1A=op://a/b/c":  "not the name of an environment variable",
		"A-B=op://a/b/c": "not the name of an environment variable",
		"=op://a/b/c":    "not the name of an environment variable",
		"A":              "no name or no reference",
		"A=hunter2":      "A: not a secret reference",
	} {
		d, err := onepassword.ParseDeclaration(text, "input secrets, line 3")
		if want == "" {
			if err != nil || d.Origin != "input secrets, line 3" {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || problem.Status(err) != problem.Usage || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"DATABASE_PASSWRD", "RAILS_MASTER_KEY", "SSH_PRIVATE_KEY", "api-token", "Production", "x", "CHATKIT_PK"}
	for wrong, want := range map[string]string{
		"DATABASE_PASSWORD": "DATABASE_PASSWRD",
		"RAILS_MATSER_KEY":  "RAILS_MASTER_KEY",
		"SSH_KEY":           "SSH_PRIVATE_KEY",
		"API_TOKEN":         "api-token",
		"production ":       "Production",
		"entirely else":     "",
		"":                  "",
	} {
		if got := strings.Join(onepassword.Nearest(wrong, names), " "); got != want {
			t.Errorf("%q: %q, want %q", wrong, got, want)
		}
	}
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"é", "e", 1}} {
		if got := onepassword.Distance(test.a, test.b); got != test.want || onepassword.Distance(test.b, test.a) != got {
			t.Errorf("%q, %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
