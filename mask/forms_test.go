package mask

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// form is what a real program made of a value.
type form struct {
	By    string `json:"by"`
	Value string `json:"value"`
	Form  string `json:"form"`
}

// readForms are forms that are kept in a file, so many at least.
func readForms(t testing.TB, name string, least int) (forms []form) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &forms); err != nil {
		t.Fatal(err)
	}
	if len(forms) < least {
		t.Fatalf("%s has %d forms, want %d", name, len(forms), least)
	}
	return forms
}

// harmless is what may be left of a form: the token, what is around the value,
// its line ends in any form, and the mark of a block of YAML.
var harmless = regexp.MustCompile(`\*\*\*|["'` + "`" + `$\\\s]|%0[ADad]|0[da]|&#1[03];|\\[nr]|\|-?|^b`)

// firstOfBase64 is what base64 may leave before a value that is not at its
// beginning: what stands before, and the character that holds bits of both; and
// the line end behind it.
var firstOfBase64 = regexp.MustCompile(`^(dXNlcj.|YW.|Y.|Y|e|dXNlcjp|YWI|YW|eH|[de].)?\*\*\*(Cg==|o=|K|=*)\s*$`)

// TestForms_AsRealProgramsPrintThem has what Ruby 3 (with Rails' JSON and Kamal 2),
// Python 3, Node and bash print for values with every awkward character.
func TestForms_AsRealProgramsPrintThem(t *testing.T) {
	for _, f := range readForms(t, "testdata/forms.json", 300) {
		m := New()
		m.Add(f.Value)
		for _, size := range []int{0, 1, 3, 7} {
			got := cut(t, m, []byte("x="+f.Form+";y"), size)
			got = strings.TrimSuffix(strings.TrimPrefix(got, "x="), ";y")
			if !strings.Contains(got, "***") {
				t.Errorf("%s of %q: %q is not masked: %q", f.By, f.Value, f.Form, got)
				continue
			}
			rest := harmless.ReplaceAllString(got, "")
			rest = strings.NewReplacer("n", "", "r", "").Replace(rest)
			if rest != "" && !firstOfBase64.MatchString(got) {
				t.Errorf("%s of %q: %q leaves %q: %q", f.By, f.Value, f.Form, rest, got)
			}
		}
	}
}

func TestForms_Base64InEveryPlace(t *testing.T) {
	for _, value := range []string{"hunter22", "hunter222", "hunter2222", "\xff\xfe\xfd\xfc\xfb\xfa?>?>"} {
		m := New()
		m.Add(value)
		for before := range 4 {
			for after := range 4 {
				for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
					head, tail := strings.Repeat("a", before), strings.Repeat("z", after)
					code := encoding.EncodeToString([]byte(head + value + tail))
					// Of the code, those characters that say only what is before or behind,
					// or as much about that as about the value, stay.
					want := code[:(8*before+5)/6] + "***"
					if after > 0 {
						want += code[8*(before+len(value))/6:]
					}
					if got := m.String(code); got != want {
						t.Errorf("%d before, %d after: %q gives %q, want %q", before, after, code, got, want)
					}
				}
			}
		}
	}
}
