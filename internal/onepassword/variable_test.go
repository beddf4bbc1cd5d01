package onepassword_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

func TestParseDeclaration_ReadsAVariable(t *testing.T) {
	for _, text := range []string{"NAME=env://LOADED_1", " NAME = env://LOADED_1 "} {
		d, err := onepassword.ParseDeclaration(text, "--secret")
		if err != nil || d.Name != "NAME" || d.Variable != "LOADED_1" || d.FromVault() || d.Ref != (onepassword.Reference{}) {
			t.Errorf("%q: %+v, %v", text, d, err)
		}
	}
	for text, says := range map[string]string{
		"env://LOADED":          "has no name",
		"NAME=env://":           "not the name of an environment variable",
		"NAME=env://1X":         "not the name of an environment variable",
		"NAME=env://hunter-2":   "not the name of an environment variable",
		"NAME=env://Vault/Item": "not the name of an environment variable",
		"NAME=env://A B":        "not the name of an environment variable",
		"NAME=ENV://LOADED":     "not a secret reference",
	} {
		_, err := onepassword.ParseDeclaration(text, "--secret")
		if err == nil || problem.Status(err) != problem.Usage || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// loaded is a declaration of what is loaded.
func loaded(name, value string) onepassword.Declaration {
	return onepassword.Declaration{Name: name, Variable: "LOADED_" + name, Value: mask.NewSecret("env://LOADED_"+name, value), Origin: "--secret"}
}

// What is loaded is resolved beside what is in a vault, in the order of declaration,
// by the same rules; by itself it needs no vault.
func TestResolver_ReadsVariables(t *testing.T) {
	r := onepassword.NewResolver(nil, onepassword.Options{AllowEmpty: []string{"B"}})
	secrets, err := r.Resolve(t.Context(), []onepassword.Declaration{loaded("C", "one\ntwo\n"), loaded("A", " \t"), loaded("B", "")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range secrets {
		got = append(got, s.Name()+"="+s.Reveal())
	}
	if want := []string{"C=one\ntwo\n", "A= \t", "B="}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	_, err = r.Resolve(t.Context(), []onepassword.Declaration{loaded("A", "1"), loaded("A", "2"), loaded("D", ""), loaded("E", "a\x00b")})
	all := problem.Of(err)
	if len(all) != 3 {
		t.Fatalf("%v", err)
	}
	for i, says := range []string{
		"A is declared twice: by env://LOADED_A (--secret) and by env://LOADED_A (--secret)",
		"D is empty: env://LOADED_D has no value",
		"E has a NUL byte in it, which no environment variable can hold: env://LOADED_E",
	} {
		if !strings.HasPrefix(all[i].Message, says) {
			t.Errorf("%q, not %q", all[i].Message, says)
		}
	}
	if strings.Contains(all[1].Hint, "in 1Password") {
		t.Errorf("the hint leads to 1Password: %s", all[1].Hint)
	}
}
