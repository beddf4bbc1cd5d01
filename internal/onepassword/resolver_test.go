package onepassword_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/1password/onepassword-sdk-go"
	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit/rulestest"
)

// hundred is a vault of two items with fifty fields each, and references to all.
func hundred() (standin.VaultSpec, []string) {
	vault := standin.VaultSpec{ID: id("v"), Name: "MyApp"}
	var lines []string
	for _, item := range []string{"one", "two"} {
		spec := standin.ItemSpec{ID: id(item), Title: item}
		for n := range 50 {
			label := fmt.Sprintf("%s_%d", strings.ToUpper(item), n)
			spec.Fields = append(spec.Fields, standin.FieldSpec{ID: id(fmt.Sprintf("f%s%c%c", item, 'a'+n/26, 'a'+n%26)), Label: label, Value: "value of " + label})
			lines = append(lines, label+"=op://MyApp/"+item+"/"+label)
		}
		vault.Items = append(vault.Items, spec)
	}
	return vault, lines
}

func TestResolver_MakesFewRequests(t *testing.T) {
	spec, lines := hundred()
	byID := make([]string, len(lines))
	for i, line := range lines {
		byID[i] = strings.NewReplacer("op://MyApp/one/", "op://"+id("v")+"/"+id("one")+"/", "op://MyApp/two/", "op://"+id("v")+"/"+id("two")+"/").Replace(line)
	}
	t.Run("Connect", func(t *testing.T) {
		for name, test := range map[string]struct {
			lines []string
			want  int
		}{"by names": {lines, 4}, "by ids": {byID, 2}, "whole items": {[]string{"op://MyApp/one", "op://MyApp/two"}, 4}} {
			vault, r := startVault(t, standin.VaultOptions{Vaults: []standin.VaultSpec{spec}})
			got, err := r.Resolve(t.Context(), declare(t, test.lines...))
			if err != nil || len(got) != 100 {
				t.Fatalf("%s: %d secrets, %v", name, len(got), err)
			}
			for _, s := range got {
				if s.Reveal() != "value of "+s.Name() {
					t.Fatalf("%s: %s has the wrong value", name, s.Name())
				}
			}
			if n := len(vault.Requests()); n != test.want {
				t.Errorf("%s: %d requests, want %d", name, n, test.want)
			}
			// Whoever asks again, asks nothing of the server.
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if _, err := r.Resolve(t.Context(), declare(t, test.lines...)); err != nil {
						t.Error(err)
					}
					if _, err := r.Item(t.Context(), spec.Name, "ONE"); err != nil && name != "by ids" {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := len(vault.Requests()); name != "by ids" && n != test.want {
				t.Errorf("%s: %d requests after asking again, want %d", name, n, test.want)
			}
		}
	})
	t.Run("service account", func(t *testing.T) {
		for name, test := range map[string]struct {
			lines []string
			want  []string
		}{
			"by names": {lines, []string{"login", "vaults", "items " + id("v"), "get " + id("v")}},
			"by ids":   {byID, []string{"login", "get " + id("v")}},
		} {
			fake := &fakeSDK{t: t, vaults: []standin.VaultSpec{spec}}
			if _, err := fake.resolver(onepassword.Options{}).Resolve(t.Context(), declare(t, test.lines...)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, fake.calls); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	})
}

// TestResolver_AllowsConcurrentFirstUse asks for the same items from many goroutines at
// once: each is fetched once.
func TestResolver_AllowsConcurrentFirstUse(t *testing.T) {
	spec, lines := hundred()
	vault, r := startVault(t, standin.VaultOptions{Vaults: []standin.VaultSpec{spec}, Latency: 2 * time.Millisecond})
	var wg sync.WaitGroup
	for n := range 32 {
		wg.Go(func() {
			d := declare(t, lines[n%len(lines)], lines[(n+60)%len(lines)])
			if _, err := r.Resolve(t.Context(), d); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(vault.Requests()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

func TestResolver_ReportsAllProblemsInOrder(t *testing.T) {
	vaults := []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{
		{Title: "Production", Fields: []standin.FieldSpec{
			{Label: "DATABASE_PASSWRD", Value: "hidden value"}, {Label: "EMPTY"}, {Label: "NUL", Value: "a\x00b"}, {Label: "GOOD", Value: "good"},
		}},
		{Title: "Messy", Fields: []standin.FieldSpec{
			{Label: "API key", Value: "1"},
			{Label: "TWICE", Value: "1"},
			{Label: "TWICE", Value: "2"},
			{ID: "username", Label: "username", Purpose: "USERNAME"},
			{Label: "VOID"},
		}},
	}}}
	_, r := startVault(t, standin.VaultOptions{Vaults: vaults})
	r = onepassword.NewResolver(r.Backend(), onepassword.Options{AllowEmpty: []string{"E"}})
	declared := declare(t,
		"A=op://MyApp/Production/GOOD",
		"DATABASE_PASSWORD=op://MyApp/Production/DATABASE_PASSWORD",
		"B=op://MyApp/Prod/x",
		"op://MyApp/Messy",
		"C=op://Other/Item/x",
		"D=op://MyApp/Production/EMPTY",
		"E=op://MyApp/Production/EMPTY",
		"F=op://MyApp/Prod/y",
		"G=op://Other/Thing/x",
		"H=op://MyApp/Production/NUL",
		"A=op://MyApp/Production/GOOD",
	)
	secrets, err := r.Resolve(t.Context(), declared)
	if secrets != nil {
		t.Error("secrets came with the problems")
	}
	var got []string
	for _, p := range problem.Of(err) {
		got = append(got, p.Message)
		for _, line := range append(p.Details, "hint: "+p.Hint) {
			got = append(got, "  "+line)
		}
	}
	ids := map[string]string{}
	text := strings.Join(got, "\n")
	for _, line := range got {
		if _, after, ok := strings.Cut(line, "id "); ok && onepassword.IsID(after) {
			ids[after] = "ID"
			text = strings.ReplaceAll(text, after, "ID")
		}
	}
	want := `DATABASE_PASSWORD (op://MyApp/Production/DATABASE_PASSWORD): the item has no field "DATABASE_PASSWORD"
  it has: DATABASE_PASSWRD, EMPTY, NUL, GOOD
  hint: correct the field's name, or add the field in 1Password. Did you mean DATABASE_PASSWRD?
the vault "MyApp" has no item "Prod"
  wanted for B, F
  it has: Production, Messy
  hint: correct the item's name
op://MyApp/Messy: the field "API key" is not the name of an environment variable
  hint: rename the field, move the secrets under a section and write ?section=NAME, or declare the fields one by one
op://MyApp/Messy: the item has the field "TWICE" more than once
  "TWICE", id ID
  "TWICE", id ID
  hint: rename all but one in 1Password
VOID is empty: the field of that name in op://MyApp/Messy has no value
  hint: fill it in in 1Password, or allow it with --allow-empty VOID
there is no vault "Other" for these credentials
  wanted for C, G
  they can see: MyApp
  hint: correct the name, or give the credentials read access to the vault
D is empty: op://MyApp/Production/EMPTY has no value
  hint: fill it in in 1Password, or allow it with --allow-empty D
H has a NUL byte in it, which no environment variable can hold: op://MyApp/Production/NUL
  hint: store it as base64
A is declared twice: by op://MyApp/Production/GOOD (--secret) and by op://MyApp/Production/GOOD (--secret)
  hint: take one of the two away`
	if d := cmp.Diff(want, text); d != "" {
		t.Error(d)
	}
}

// TestResolver_ReportsAnOutageOnce: when nothing can be reached every secret is
// named, and the cause is told once.
func TestResolver_ReportsAnOutageOnce(t *testing.T) {
	spec, lines := hundred()
	vault, r := startVault(t, standin.VaultOptions{Vaults: []standin.VaultSpec{spec}})
	vault.SetFault(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	_, err := r.Resolve(t.Context(), declare(t, lines[:3]...))
	list := problem.Of(err)
	if len(list) != 1 || problem.Status(err) != problem.Refused {
		t.Fatalf("%d problems of status %d: %v", len(list), problem.Status(err), err)
	}
	if list[0].Details[0] != "wanted for ONE_0, ONE_1, ONE_2" {
		t.Error(list[0].Details)
	}
}

func TestResolver_EndsWhenCancelled(t *testing.T) {
	vault, r := startVault(t, walkthrough)
	ctx, cancel := context.WithCancel(t.Context())
	vault.SetFault(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	})
	if _, err := r.Resolve(ctx, declare(t, "op://MyApp/Production")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	// What was cancelled is not kept as an outcome.
	vault.SetFault(nil)
	if _, err := r.Resolve(t.Context(), declare(t, "op://MyApp/Production")); err != nil {
		t.Error(err)
	}
}

func TestResolver_FollowsAReplacedItem(t *testing.T) {
	vault, r := startVault(t, standin.VaultOptions{Vaults: []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{
		{ID: id("old"), Title: "Production", Fields: []standin.FieldSpec{{Label: "A", Value: "old"}}},
	}}}})
	vault.SetFault(func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 3 {
			if err := vault.RemoveItem("MyApp", "Production"); err != nil {
				t.Error(err)
			}
			if err := vault.PutItem("MyApp", standin.ItemSpec{ID: id("new"), Title: "Production", Fields: []standin.FieldSpec{{Label: "A", Value: "new"}}}); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	got, err := r.Resolve(t.Context(), declare(t, "A=op://MyApp/Production/A"))
	if err != nil || got[0].Reveal() != "new" {
		t.Errorf("%v", err)
	}
}

func TestResolver_SSHKey(t *testing.T) {
	vaults := rulestest.Vaults(t)
	_, r := startVault(t, standin.VaultOptions{Vaults: vaults})
	fake := (&fakeSDK{t: t, vaults: vaults}).resolver(onepassword.Options{})
	for name, r := range map[string]*onepassword.Resolver{"connect": r, "service account": fake} {
		for _, text := range []string{"op://My App/Deploy Key", "op://My App/Deploy Key/private key"} {
			ref, err := onepassword.ParseReference(text)
			if err != nil {
				t.Fatal(err)
			}
			key, err := r.SSHKey(t.Context(), ref)
			if err != nil {
				t.Fatalf("%s: %s: %v", name, text, err)
			}
			if want := vaults[0].Items[1].Fields; key.Private.Reveal() != want[0].Value || key.Public != want[1].Value || key.Fingerprint != want[2].Value {
				t.Errorf("%s: %s gives public %q, fingerprint %q", name, text, key.Public, key.Fingerprint)
			}
		}
		ref, err := onepassword.ParseReference("op://My App/Server")
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.SSHKey(t.Context(), ref)
		if err == nil || !strings.Contains(problem.Of(err)[0].Hint, "Did you mean SSH_PRIVATE_KEY?") {
			t.Errorf("%s: %v", name, problem.Of(err))
		}
	}
}

func TestResolver_Environment(t *testing.T) {
	fake := &fakeSDK{t: t, envs: map[string][]sdk.EnvironmentVariable{"env1": {{Name: "A", Value: "1\n", Masked: true}, {Name: "B", Value: ""}}}}
	r := fake.resolver(onepassword.Options{})
	for range 2 {
		got, err := r.Environment(t.Context(), "env1")
		if err != nil || len(got) != 2 || got[0].Value.Name() != "A" || got[0].Value.Reveal() != "1\n" || !got[0].Masked || got[1].Masked {
			t.Errorf("%v, %v", got, err)
		}
	}
	if d := cmp.Diff([]string{"login", "environment"}, fake.calls); d != "" {
		t.Error(d)
	}
	if _, err := r.Environment(t.Context(), "none"); problem.Status(err) != problem.Found {
		t.Errorf("an unknown Environment: %v", err)
	}
	fake.envs["env2"] = []sdk.EnvironmentVariable{{Name: "C", Value: "3"}, {Name: "D"}, {Name: "E"}, {Name: "not a name", Value: "4"}, {Name: "F", Value: "\x00"}}
	declared := []onepassword.Declaration{{Environment: "env1", AllowEmpty: true, Origin: "--environment"}, {Environment: "env2", Origin: "--environment"}, {Environment: "env1", AllowEmpty: true, Origin: "--environment"}}
	secrets, err := onepassword.NewResolver(fake.backend(), onepassword.Options{AllowEmpty: []string{"D"}}).Resolve(t.Context(), declared[:1])
	if err != nil || len(secrets) != 2 || secrets[1].Name() != "B" {
		t.Errorf("%v, %v", secrets, err)
	}
	_, err = onepassword.NewResolver(fake.backend(), onepassword.Options{AllowEmpty: []string{"D"}}).Resolve(t.Context(), declared)
	want := `E is empty: Environment env2 has no value for it
Environment env2: the variable "not a name" is not the name of an environment variable
F has a NUL byte in it, which no environment variable can hold: Environment env2
A, B are declared twice: by Environment env1 (--environment) and by Environment env1 (--environment)`
	if err == nil || err.Error() != want {
		t.Error(cmp.Diff(want, fmt.Sprint(err)))
	}
	_, connect := startVault(t, walkthrough)
	if _, err := connect.Resolve(t.Context(), declared[:1]); err == nil || problem.Status(err) != problem.Refused {
		t.Errorf("on Connect: %v", err)
	}
	if _, err := connect.Environment(t.Context(), "env1"); err == nil || !strings.Contains(err.Error(), "Connect does not serve Environments") {
		t.Errorf("on Connect: %v", err)
	}
}

// TestResolver_ConnectLeavesTheCoreAlone: the SDK costs seconds, and Connect must
// not pay them.
func TestResolver_ConnectLeavesTheCoreAlone(t *testing.T) {
	_, r := startVault(t, walkthrough)
	if _, err := r.Resolve(t.Context(), declare(t, "op://MyApp/Production")); err != nil {
		t.Fatal(err)
	}
	if onepassword.CoreWasTouched() {
		t.Error("the SDK's core was loaded")
	}
}

// TestResolver_HasOneDeadlineForAll: several files that stall share the deadline of
// the batch.
func TestResolver_HasOneDeadlineForAll(t *testing.T) {
	item := standin.ItemSpec{Title: "Files"}
	var lines []string
	for n := range 5 {
		name := fmt.Sprintf("file%d", n)
		item.Files = append(item.Files, standin.FileSpec{Name: name, Content: []byte("x")})
		lines = append(lines, fmt.Sprintf("F%d=op://MyApp/Files/%s", n, name))
	}
	vault, r := startVault(t, standin.VaultOptions{Vaults: []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{item}}}})
	vault.SetFault(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		stalls := strings.HasSuffix(r.URL.Path, "/content")
		if stalls {
			<-r.Context().Done()
		}
		return stalls
	})
	r = onepassword.NewResolver(r.Backend(), onepassword.Options{Deadline: 3 * time.Second})
	began := time.Now()
	_, err := r.Resolve(t.Context(), declare(t, lines...))
	if took := time.Since(began); took > 12*time.Second { // one after the other they would take 15 s
		t.Errorf("it took %v", took)
	}
	var text strings.Builder
	for _, p := range problem.Of(err) {
		fmt.Fprintln(&text, p.Message, p.Details)
	}
	told := text.String()
	for n := range 5 {
		if !strings.Contains(told, fmt.Sprintf("F%d", n)) || problem.Status(err) != problem.Refused {
			t.Errorf("F%d is not in %q of status %d", n, told, problem.Status(err))
		}
	}
}
