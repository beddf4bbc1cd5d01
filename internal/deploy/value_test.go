package deploy

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// declaredAs is a secret that an earlier step has loaded.
func declaredAs(name, value string) onepassword.Declaration {
	return onepassword.Declaration{Name: name, Variable: "LOADED_" + name, Value: mask.NewSecret("", value), Origin: "--secret"}
}

// keyFrom is an SSH key, or its passphrase, that an earlier step has loaded.
func keyFrom(variable, value string) Value {
	return Value{Loaded: mask.NewSecret(onepassword.VariableText(variable), value)}
}

// without are the resources of a run that has no vault, and what it tells.
func without(t *testing.T) (*resources, *bytes.Buffer) {
	t.Helper()
	var told bytes.Buffer
	way := gate.New(gate.Options{Stdout: &told})
	t.Cleanup(way.Close)
	return &resources{Process: Process{Gate: way, System: ci.Detect(nil, way, way.Stdout(), ci.Options{})}}, &told
}

// What is loaded needs no vault: the secrets in their order, the keys, masked. What
// the project's files name in 1Password is left to whoever asks for it.
func TestResolve_ReadsLoadedValuesWithoutAVault(t *testing.T) {
	s, told := without(t)
	private, public := keyText(t, "") // one with a passphrase takes seconds: the scripts have it
	w := Wanted{
		Secrets: []onepassword.Declaration{declaredAs("B", "the-value-of-b\nits-second-line\n"), declaredAs("A", "the-value-of-a"), declaredAs("P", "is-public")},
		Keys:    []Value{keyFrom("KEY", private)}, Passphrase: keyFrom("PASS", "open it"),
		Certs:  []Certificate{{Text: certified(t, public, nil), From: "env://CERT"}},
		Public: map[string]bool{"P": true},
		items:  []onepassword.Reference{{Vault: "V", Item: "I"}},
	}
	if w.AsksVault() || !w.Loaded() {
		t.Errorf("a vault is asked: %v; something is loaded: %v", w.AsksVault(), w.Loaded())
	}
	ok(t, s.resolve(t.Context(), Vault{}, w))
	if s.resolver != nil || s.backend != nil {
		t.Error("the broker would take it for a vault")
	}
	var names []string
	for _, secret := range s.secrets {
		names = append(names, secret.Name())
	}
	if !slices.Equal(names, []string{"B", "A", "P"}) || s.secrets[0].Reveal() != "the-value-of-b\nits-second-line\n" {
		t.Errorf("the secrets are %q", names)
	}
	if len(s.keys) != 1 || !strings.Contains(s.keys[0].Signer().PublicKey().Type(), "-cert-") {
		t.Errorf("there are %d keys", len(s.keys))
	}
	line := strings.Split(private, "\n")[2]
	s.System.Info("of the-value-of-a, its-second-line, open it, " + line + ", is-public")
	s.Gate.Close()
	if !strings.Contains(told.String(), "of ***, ***, ***, ***, is-public") {
		t.Errorf("not masked: %s", told)
	}
	r := &runner{resources: s}
	r.job.Wanted = w
	var rows []string
	for _, used := range r.secretsUsed(t.Context()) {
		rows = append(rows, used.Name+" "+used.Vault+used.Item+used.Field)
	}
	if want := []string{"B env://LOADED_B", "A env://LOADED_A", "P env://LOADED_P", "SSH key env://KEY"}; !slices.Equal(rows, want) {
		t.Errorf("the summary has %q, not %q", rows, want)
	}
	o := s.brokerOptions(Job{Wanted: w}, nil, nil)
	if o.Vault != nil || len(o.Vaults) > 0 || len(o.Declared) != 3 {
		t.Errorf("the broker gets the vaults %q and %d secrets", o.Vaults, len(o.Declared))
	}
}

// What is wrong with what is loaded is told all at once, by the variable's name and
// never with its value.
func TestResolve_ReportsBadLoadedValues(t *testing.T) {
	s, _ := without(t)
	_, public := keyText(t, "")
	err := s.resolve(t.Context(), Vault{}, Wanted{
		Secrets: []onepassword.Declaration{declaredAs("A", "1"), declaredAs("A", "2"), declaredAs("PATH", "x"), declaredAs("E", "")},
		Keys:    []Value{keyFrom("NONE", ""), keyFrom("PUBLIC", line(public)), keyFrom("WORDS", "of-no-key-at-all")},
	})
	var got []string
	for _, p := range problem.Of(err) {
		got = append(got, p.Message)
	}
	for i, says := range []string{
		"A is declared twice", "E is empty: env://LOADED_E", "the SSH key (env://NONE) is empty", "env://PUBLIC is a public key",
		"env://WORDS is ",
	} {
		if i >= len(got) || !strings.HasPrefix(got[i], says) {
			t.Fatalf("problem %d is not %q:\n%s", i+1, says, strings.Join(got, "\n"))
		}
		if strings.Contains(got[i], "of-no-key") {
			t.Errorf("a value is told: %s", got[i])
		}
	}
	// PATH is told of once the secrets have come.
	err = s.resolve(t.Context(), Vault{}, Wanted{Secrets: []onepassword.Declaration{declaredAs("PATH", "x")}})
	if err == nil || !strings.Contains(err.Error(), "PATH is no name for a secret") {
		t.Errorf("%v", err)
	}
}

// Whoever asks a vault without one is told so, and nothing is left out in silence.
func TestResolve_RefusesReferencesWithoutAVault(t *testing.T) {
	ref := onepassword.Reference{Vault: "V", Item: "I", Field: "F"}
	for name, w := range map[string]Wanted{
		"a secret":       {Secrets: []onepassword.Declaration{declaredAs("A", "1"), {Name: "B", Ref: ref}}},
		"an Environment": {Secrets: []onepassword.Declaration{{Environment: "id"}}},
		"a key":          {Keys: []Value{{Ref: ref}}},
		"a passphrase":   {Passphrase: Value{Ref: ref}},
		"a certificate":  {Certs: []Certificate{{Ref: ref}}},
		"host keys":      {PinRefs: []onepassword.Reference{ref}},
	} {
		s, _ := without(t)
		if err := s.resolve(t.Context(), Vault{}, w); err == nil || !w.AsksVault() {
			t.Errorf("%s: %v", name, err)
		}
	}
}
