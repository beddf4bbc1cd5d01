package onepassword_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	sdk "github.com/1password/onepassword-sdk-go"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// twoCompanies are two service accounts: each sees a vault of its own, both see one
// of the same id, and each has a vault called Twice.
func twoCompanies(t *testing.T) (first, second *fakeSDK) {
	t.Helper()
	vault := func(key, name string) standin.VaultSpec {
		return standin.VaultSpec{ID: id(key), Name: name, Items: []standin.ItemSpec{{
			ID: id(key + "i"), Title: "Production", Fields: []standin.FieldSpec{{ID: id(key + "f"), Label: "TOKEN", Value: "value in " + name}},
			Files: []standin.FileSpec{{ID: id(key + "d"), Name: "cert.pem", Content: []byte("file in " + name)}},
		}}}
	}
	first = &fakeSDK{t: t, vaults: []standin.VaultSpec{vault("a", "Mine"), vault("s", "Both"), vault("c", "Twice")}}
	second = &fakeSDK{t: t, vaults: []standin.VaultSpec{vault("b", "Theirs"), vault("s", "Both"), vault("d", "Twice")}}
	first.envs = map[string][]sdk.EnvironmentVariable{"both": {{Name: "X", Value: "1"}}}
	second.envs = map[string][]sdk.EnvironmentVariable{"both": {{Name: "X", Value: "1"}}, "theirs": {{Name: "Y", Value: "two"}}}
	return first, second
}

func TestAccounts_AskWhoSeesTheVault(t *testing.T) {
	first, second := twoCompanies(t)
	r := onepassword.NewResolver(onepassword.NewAccounts(first.backend(), second.backend()), onepassword.Options{})
	got, err := r.Resolve(t.Context(), declare(t,
		"MINE=op://Mine/Production/TOKEN", "THEIRS=op://Theirs/Production/TOKEN",
		"BY_ID=op://"+id("b")+"/"+id("bi")+"/TOKEN", "FILE=op://Theirs/Production/cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"value in Mine", "value in Theirs", "value in Theirs", "file in Theirs"} {
		if got[n].Reveal() != want {
			t.Errorf("%s has the wrong value", got[n].Name())
		}
	}
	for name, f := range map[string]*fakeSDK{"first": first, "second": second} {
		f.mu.Lock()
		foreign := slices.ContainsFunc(f.calls, func(c string) bool {
			_, vault, of := strings.Cut(c, " ")
			return of && f.vault(vault) == nil
		})
		lists := len(slices.DeleteFunc(slices.Clone(f.calls), func(c string) bool { return c != "vaults" }))
		f.mu.Unlock()
		if foreign || lists != 1 {
			t.Errorf("the %s was asked %v", name, f.calls)
		}
	}
	variables, err := r.Environment(t.Context(), "theirs")
	if err != nil || len(variables) != 1 || variables[0].Value.Reveal() != "two" {
		t.Errorf("the Environment has %d variables, %v", len(variables), err)
	}
}

func TestAccounts_RefuseAVaultThatTwoSee(t *testing.T) {
	first, second := twoCompanies(t)
	r := onepassword.NewResolver(onepassword.NewAccounts(first.backend(), second.backend()), onepassword.Options{})
	for reference, want := range map[string]string{
		"op://Both/Production/TOKEN":               `the service account tokens 1 and 2 both see the vault "Both"`,
		"op://" + id("s") + "/Production/TOKEN":    `the service account tokens 1 and 2 both see the vault "Both"`,
		"op://Twice/Production/TOKEN":              `there are 2 vaults of the name "Twice"`,
		"op://Nowhere/Production/TOKEN":            `there is no vault "Nowhere" for these credentials`,
		"op://" + id("zz") + "/" + id("zi") + "/X": `there is no vault "` + id("zz") + `"`,
	} {
		_, err := r.Resolve(t.Context(), declare(t, "X="+reference))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", reference, err)
		}
	}
	for environment, want := range map[string]string{"both": "the service account tokens 1 and 2 both see it", "none": "none"} {
		if _, err := r.Environment(t.Context(), environment); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the Environment %s: %v", environment, err)
		}
	}
}

// A token that 1Password refuses is told with its place, though nothing is wanted of it.
func TestAccounts_ReportARefusedOne(t *testing.T) {
	first, second := twoCompanies(t)
	second.fault = func(string, int) error {
		return errors.New("invalid service account token, please make sure you provide a valid token")
	}
	r := onepassword.NewResolver(onepassword.NewAccounts(first.backend(), second.backend()), onepassword.Options{})
	_, err := r.Resolve(t.Context(), declare(t, "MINE=op://Mine/Production/TOKEN"))
	if list := problem.Of(err); len(list) != 1 || list[0].Status != problem.Refused || !strings.Contains(err.Error(), "service account token 2 of 2: ") {
		t.Errorf("%v", err)
	}
	if err := first.backend().Close(); err != nil {
		t.Error(err)
	}
}

func TestAccounts_EndWhenCancelled(t *testing.T) {
	first, second := twoCompanies(t)
	ctx, cancel := context.WithCancel(t.Context())
	second.fault = func(string, int) error { cancel(); return context.Canceled }
	r := onepassword.NewResolver(onepassword.NewAccounts(first.backend(), second.backend()), onepassword.Options{})
	if _, err := r.Resolve(ctx, declare(t, "MINE=op://Mine/Production/TOKEN")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSplitTokens(t *testing.T) {
	for text, want := range map[string][]string{
		"ops_a\nops_b\n":  {"ops_a", "ops_b"},
		"ops_a ops_b":     {"ops_a", "ops_b"},
		"ops_a":           {"ops_a"},
		"ops_aaa\nbbb":    {"ops_aaa\nbbb"}, // one that a line break was pasted into
		"":                {""},
		"eyJ.e.s\nops_aa": {"eyJ.e.s\nops_aa"},
	} {
		if got := onepassword.SplitTokens(text); !slices.Equal(got, want) {
			t.Errorf("%q has %q", text, got)
		}
	}
}
