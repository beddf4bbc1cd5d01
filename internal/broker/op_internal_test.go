package broker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

func secret(value string) mask.Secret { return mask.NewSecret("", value) }

// aShelf holds one item of each kind of field, and a vault that is not the run's.
func aShelf() *shelf {
	item := &onepassword.Item{
		ID: "itemid", Title: "Production", Version: 7, Category: "API Credential", Tags: []string{"a", "b"},
		Vault:     onepassword.Vault{ID: "vaultid", Name: "MyApp"},
		CreatedAt: "2025-12-26T03:04:05Z", UpdatedAt: "2026-01-02T03:04:04Z",
		Sections: []onepassword.Section{{ID: "s1", Label: "db"}},
		Fields: []onepassword.Field{
			{ID: "username", Label: "username", Type: "STRING", Purpose: "USERNAME", Value: secret("wendy")},
			{ID: "password", Label: "password", Type: "CONCEALED", Purpose: "PASSWORD", Value: secret("pass-value")},
			{ID: "empty", Label: "empty", Type: "STRING"},
			{ID: "otp1", Label: "one-time password", Type: "OTP", Value: secret("otpauth://x"), Code: secret("123456")},
			{ID: "f1", Label: "url", Type: "STRING", Section: "s1", Value: secret("db-value")},
		},
	}
	return &shelf{
		items:  map[string]*onepassword.Item{"MyApp/Production": item, "vaultid/Production": item, "Other/Own": item},
		values: map[string]string{"op://MyApp/Production/password": "pass-value", "op://MyApp/Production/username": "wendy", "op://MyApp/Production/db/url": "db-value", "op://MyApp/Production/otp1?attribute=otp": "654321"},
		vaults: []onepassword.Vault{{ID: "vaultid", Name: "MyApp"}, {ID: "otherid", Name: "Other"}},
		overviews: []onepassword.Overview{
			{ID: "itemid", Title: "Production", Category: "API_CREDENTIAL", Tags: []string{"a"}},
			{ID: "login", Title: "Login", Category: "LOGIN"},
			{ID: "gone", Title: "Gone", Category: "LOGIN", Archived: true},
		},
		environments: map[string][]onepassword.Variable{"env1": {
			{Value: mask.NewSecret("A", "a-value"), Masked: true}, {Value: mask.NewSecret("B", "b-value")},
		}},
	}
}

// call runs an `op` command at a desk.
func (d *desk) call(t *testing.T, args ...string) *opclient.Reply {
	t.Helper()
	return d.op(t.Context(), &opclient.Request{Args: args})
}

func TestOp_ItemGetPrintsATable(t *testing.T) {
	d := newDesk(Options{Vault: aShelf(), Vaults: []string{"MyApp"}})
	reply := d.call(t, "item", "get", "Production", "--vault", "MyApp")
	want := `ID:          itemid
Title:       Production
Vault:       MyApp (vaultid)
Created:     1 week ago
Updated:     1 second ago
Favorite:    false
Tags:        a,b
Version:     7
Category:    API_CREDENTIAL
Fields:
  username:             wendy
  password:             [use 'op item get itemid --reveal' to reveal]
  one-time password:    [use 'op item get itemid --reveal' to reveal]
  db:
    url:    db-value
`
	if diff := cmp.Diff(want, string(reply.Stdout)); diff != "" || reply.Status != 0 {
		t.Errorf("status %d, %s\n%s", reply.Status, reply.Stderr, diff)
	}
	if len(d.masked) != 0 {
		t.Errorf("masked are %q", d.masked)
	}
	reply = d.call(t, "item", "get", "Production", "--vault", "MyApp", "--reveal")
	if !strings.Contains(string(reply.Stdout), "  password:             pass-value\n") || !slices.Equal(d.masked, []string{"pass-value", "otpauth://x"}) {
		t.Errorf("%s\nmasked are %q", reply.Stdout, d.masked)
	}
}

// As op 2 prints an item whose sections have names, one of them with nothing in it, and
// as it prints one that is empty.
func TestOp_ItemGetPrintsSections(t *testing.T) {
	vault := aShelf()
	item := *vault.items["MyApp/Production"]
	item.Category, item.Tags = "SERVER", nil
	item.Sections = []onepassword.Section{{ID: "admin_console", Label: "Admin Console"}, {ID: "hosting", Label: "Hosting Provider"}, {ID: "add more"}}
	item.Fields = []onepassword.Field{
		{ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: secret("a note")},
		{ID: "url", Label: "admin console URL", Type: "STRING", Section: "admin_console"},
		{ID: "name", Label: "name", Type: "STRING", Section: "hosting", Value: secret("example")},
		{ID: "website", Label: "website", Type: "STRING", Section: "hosting", Value: secret("example.com")},
		{ID: "own", Label: "Project name", Type: "STRING", Section: "add more", Value: secret("projects/1")},
	}
	vault.items["MyApp/Production"] = &item
	about := `ID:          itemid
Title:       Production
Vault:       MyApp (vaultid)
Created:     1 week ago
Updated:     1 second ago
Favorite:    false
Version:     7
Category:    SERVER
`
	want := about + `Fields:
  notesPlain:      a note
  Project name:    projects/1
  Admin Console:

  Hosting Provider:
    name:       example
    website:    example.com
`
	d := newDesk(Options{Vault: vault, Vaults: []string{"MyApp"}})
	if diff := cmp.Diff(want, string(d.call(t, "item", "get", "Production", "--vault", "MyApp").Stdout)); diff != "" {
		t.Error(diff)
	}
	item.Sections, item.Fields = nil, nil
	d = newDesk(Options{Vault: vault, Vaults: []string{"MyApp"}})
	if diff := cmp.Diff(about, string(d.call(t, "item", "get", "Production", "--vault", "MyApp").Stdout)); diff != "" {
		t.Error(diff)
	}
}

func TestRelativeTime(t *testing.T) {
	d := newDesk(Options{})
	for stamp, want := range map[string]string{
		"2026-01-02T03:04:05Z": "now", "2026-01-02T03:04:06Z": "now", "2026-01-02T03:03:05Z": "1 minute ago", "2026-01-02T03:03:06Z": "59 seconds ago",
		"2026-01-02T01:04:05Z": "2 hours ago", "2026-01-01T03:04:05Z": "1 day ago", "2025-12-03T03:04:05Z": "1 month ago",
		"2025-01-02T03:04:05Z": "1 year ago", "2024-01-02T03:04:05Z": "2 years ago", "": "", "soon": "soon",
	} {
		if got := d.relativeTime(stamp); got != want {
			t.Errorf("%s is %q, want %q", stamp, got, want)
		}
	}
}

func TestOp_KeepsEveryCommandWithinTheScope(t *testing.T) {
	for _, args := range [][]string{
		{"read", "op://Other/Own/password"},
		{"item", "get", "Own", "--vault", "Other", "--format", "json"},
		{"item", "get", "Own", "--vault", "otherid"},
		{"item", "list", "--vault", "Other"},
		{"environment", "read", "env1"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			vault := aShelf()
			d := newDesk(Options{Vault: vault, Vaults: []string{"MyApp"}, Environments: []string{"env2"}})
			reply := d.call(t, args...)
			if reply.Status != 1 || len(reply.Stdout) != 0 || !strings.Contains(reply.Stderr, "--op-scope any") || !strings.Contains(reply.Stderr, "not one of this run's") {
				t.Errorf("it is answered: %+v", reply)
			}
			for _, asked := range vault.asked {
				if asked != "vaults" {
					t.Errorf("1Password is asked: %s", asked)
				}
			}
			if len(d.events) != 1 || d.events[0].Kind != Failed {
				t.Errorf("the events are %+v", d.events)
			}
			// With --op-scope any, and where it is named, it is served.
			for _, o := range []Options{{AnyVault: true}, {Vaults: []string{"other"}, Environments: []string{"env1"}}} {
				o.Vault = &shelf{items: vault.items, values: map[string]string{"op://Other/Own/password": "x"}, vaults: vault.vaults, environments: vault.environments}
				o.Vault.(*shelf).items["otherid/Own"] = vault.items["Other/Own"]
				if reply := newDesk(o).call(t, args...); reply.Status != 0 {
					t.Errorf("with %v it is refused: %s", o.AnyVault, reply.Stderr)
				}
			}
		})
	}
}

func TestScope_KnowsNamesAndIDs(t *testing.T) {
	for _, test := range []struct {
		named, asked string
		down         error
		want         bool
	}{
		{"MyApp", "MyApp", nil, true},
		{"MyApp", "myapp", nil, true},
		{"MyApp", "vaultid", nil, true},
		{"vaultid", "MyApp", nil, true},
		{"vaultid", "myapp", nil, true},
		{"MyApp", "otherid", nil, false},
		{"MyApp", "Other", nil, false},
		{"MyApp", "VAULTID", nil, false},
		{"MyApp", "nowhere", nil, false},
		{"", "", nil, false},
		{"MyApp", "vaultid", errors.New("down"), false},
	} {
		vault := aShelf()
		vault.down = test.down
		p := newScope(Options{Vaults: []string{test.named}}).allows(t.Context(), vault, test.asked)
		if (p == nil) != test.want {
			t.Errorf("of %q, %q: %v", test.named, test.asked, p)
		}
		if told := p != nil && strings.Contains(strings.Join(p.Details, ""), "by another name, is not known: down"); told != (test.down != nil) {
			t.Errorf("of %q, %q, with %v: %v", test.named, test.asked, test.down, p)
		}
		if p != nil && strings.Contains(p.Message, "(") != (test.named != "") {
			t.Errorf("it is told %q", p.Message)
		}
	}
}

func TestOp_MasksWhatItAnswers(t *testing.T) {
	for _, test := range []struct {
		args   []string
		stdout string
		masked []string
	}{
		{[]string{"read", "op://MyApp/Production/password"}, "pass-value\n", []string{"pass-value"}},
		{[]string{"item", "get", "Production", "--vault", "MyApp", "--otp"}, "654321\n", []string{"654321"}},
		{[]string{"item", "get", "Production", "--vault", "MyApp", "--fields", "label=password", "--reveal"}, "pass-value\n", []string{"pass-value"}},
		{[]string{"item", "get", "Production", "--vault", "MyApp", "--fields", "username"}, "wendy\n", []string{"wendy"}},
		{[]string{"item", "get", "Production", "--vault", "MyApp", "--fields", "type=concealed"}, "pass-value\n", []string{"pass-value"}},
		{[]string{"item", "get", "Production", "--vault", "MyApp", "--fields", "db.url,username"}, "db-value,wendy\n", []string{"db-value", "wendy"}},
		{[]string{"environment", "read", "env1"}, "A=a-value\nB=b-value\n", []string{"a-value"}},
	} {
		d := newDesk(Options{Vault: aShelf(), Vaults: []string{"MyApp"}, Environments: []string{"env1"}})
		reply := d.call(t, test.args...)
		if string(reply.Stdout) != test.stdout || reply.Status != 0 {
			t.Errorf("op %v: %+v", test.args, reply)
		}
		if diff := cmp.Diff(test.masked, d.masked); diff != "" {
			t.Errorf("op %v: masked\n%s", test.args, diff)
		}
		if len(d.events) != 1 || d.events[0].Kind != Lookup || strings.Contains(d.events[0].Message, "value") {
			t.Errorf("op %v: %+v", test.args, d.events)
		}
		// What cannot be masked does not leave.
		refusing := newDesk(Options{Vault: aShelf(), Vaults: []string{"MyApp"}, Environments: []string{"env1"}, Mask: func([]mask.Secret) error { return errors.New("no pipe") }})
		if reply := refusing.call(t, test.args...); len(reply.Stdout) != 0 || reply.Status != 1 {
			t.Errorf("op %v: it leaves though it was not masked: %+v", test.args, reply)
		}
	}
	// All that is hidden in a whole item, the code of the one-time password too.
	d := newDesk(Options{Vault: aShelf(), Vaults: []string{"MyApp"}})
	reply := d.call(t, "item", "get", "Production", "--vault", "MyApp", "--format", "json")
	var item jsonItem
	if err := json.Unmarshal(reply.Stdout, &item); err != nil || len(item.Fields) != 5 {
		t.Fatalf("%v: %s", err, reply.Stdout)
	}
	if diff := cmp.Diff([]string{"pass-value", "otpauth://x", "123456"}, d.masked); diff != "" {
		t.Error(diff)
	}
	for _, kind := range []string{"CONCEALED", "OTP", "SSHKEY"} {
		if !concealed(&onepassword.Field{Type: kind}) {
			t.Errorf("a field of type %s is shown", kind)
		}
	}
	if concealed(&onepassword.Field{Type: "STRING"}) || !concealed(&onepassword.Field{Type: "STRING", Purpose: "PASSWORD"}) {
		t.Error("a text is hidden, or a password is shown")
	}
}

func TestMask_LeavesOutPublicAndEmptyValues(t *testing.T) {
	d := newDesk(Options{Declared: []DeclaredSecret{{Secret: mask.NewSecret("HOST", "example.com"), Public: true}, {Secret: mask.NewSecret("KEY", "key-value")}}})
	if err := d.mask(secret("example.com"), secret(""), secret("key-value"), secret("other")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"key-value", "other"}, d.masked); diff != "" {
		t.Error(diff)
	}
	called := false
	d = newDesk(Options{Mask: func([]mask.Secret) error { called = true; return nil }})
	if err := d.mask(secret("")); err != nil || called {
		t.Errorf("the masker is called for nothing: %v, %v", err, called)
	}
}

func TestOp_ListsByCategoryAndTag(t *testing.T) {
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"item", "list", "--vault", "MyApp"}, []string{"Production", "Login"}},
		{[]string{"item", "list", "--vault", "MyApp", "--categories", "api credential"}, []string{"Production"}},
		{[]string{"item", "list", "--vault", "MyApp", "--categories", "server, Login"}, []string{"Login"}},
		{[]string{"item", "list", "--vault", "MyApp", "--tags", "b,a"}, []string{"Production"}},
		{[]string{"item", "list", "--vault", "MyApp", "--tags", "c"}, []string{}},
	} {
		d := newDesk(Options{Vault: aShelf(), Vaults: []string{"MyApp"}})
		var items []jsonItem
		if err := json.Unmarshal(d.call(t, append(test.args, "--format", "json")...).Stdout, &items); err != nil {
			t.Fatal(err)
		}
		titles := []string{}
		for _, i := range items {
			titles = append(titles, i.Title)
		}
		if diff := cmp.Diff(test.want, titles); diff != "" {
			t.Errorf("op %v: %s", test.args, diff)
		}
		table := string(d.call(t, test.args...).Stdout)
		if strings.Count(table, "\n") != len(test.want)+1 || strings.Contains(table, "Gone") {
			t.Errorf("op %v: %q", test.args, table)
		}
	}
	// Only the vaults of the run.
	d := newDesk(Options{Vault: aShelf(), Vaults: []string{"MyApp"}})
	if got := string(d.call(t, "vault", "list").Stdout); !strings.Contains(got, "vaultid    MyApp\n") || strings.Contains(got, "Other") {
		t.Errorf("op vault list: %q", got)
	}
}

func TestOp_PrintsFieldsAsCSV(t *testing.T) {
	vault := aShelf()
	vault.values["op://MyApp/Production/username"] = `we"n,dy`
	d := newDesk(Options{Vault: vault, Vaults: []string{"MyApp"}})
	if got := string(d.call(t, "item", "get", "Production", "--vault", "MyApp", "--fields", "username,db.url").Stdout); got != `"we""n,dy",db-value`+"\n" {
		t.Errorf("%q", got)
	}
	if got := string(d.call(t, "item", "get", "Production", "--vault", "MyApp", "--fields", "username").Stdout); got != `"we""n,dy"`+"\n" {
		t.Errorf("%q", got)
	}
	if reply := d.call(t, "item", "get", "Production", "--vault", "MyApp", "--fields", "type=date"); reply.Status != 1 || !strings.Contains(reply.Stderr, "no such field") {
		t.Errorf("%+v", reply)
	}
}

func TestOp_FailsWithoutAVault(t *testing.T) {
	d := newDesk(Options{})
	if reply := d.call(t, "read", "op://MyApp/Production/password"); reply.Status != 1 || !strings.Contains(reply.Stderr, "no access to 1Password") {
		t.Errorf("%+v", reply)
	}
	if reply := d.call(t, "whoami"); reply.Status != 0 || len(d.events) != 1 {
		t.Errorf("%+v, %+v", reply, d.events)
	}
}

func TestOp_KeepsAFailureForItsSecret(t *testing.T) {
	d := newDesk(Options{Vault: aShelf(), Vaults: []string{"MyApp"}})
	d.op(context.Background(), &opclient.Request{Args: []string{"read", "op://MyApp/Production/nope"}, Secret: "A"})
	c := checkRequest{Used: []secretUse{{Name: "A", Key: "env.secret"}, {Name: "B", Key: "env.secret"}}}
	failed := func(name, how, detail string) heldSecret {
		return heldSecret{Name: name, Failed: []failureCause{{How: how, Detail: detail}}}
	}
	c.Secrets = []heldSecret{failed("A", "exit", "exit status 1"), failed("B", "depends", "A")}
	reply := d.check(t.Context(), &c)
	if len(d.Problems()) != 1 || !strings.Contains(reply.Stop, "A: its command failed, exit status 1") || !strings.Contains(reply.Stop, "no field nope") || !strings.Contains(reply.Stop, "with it are missing: B") {
		t.Errorf("Kamal is told %q", reply.Stop)
	}
	if problem.Status(d.Problems()) == problem.Done {
		t.Error("it has no status")
	}
}

// The JSON of a field has its section where it stands in one, and none elsewhere.
func TestOp_itemGetAsJSONHasTheSectionsOfFields(t *testing.T) {
	reply := newDesk(Options{Vault: aShelf(), Vaults: []string{"MyApp"}}).call(t, "item", "get", "Production", "--vault", "MyApp", "--format", "json")
	var item struct{ Fields []jsonField }
	if err := json.Unmarshal(reply.Stdout, &item); err != nil {
		t.Fatal(err)
	}
	for _, f := range item.Fields {
		var want *jsonSection
		if f.ID == "f1" {
			want = &jsonSection{ID: "s1", Label: "db"}
		}
		if diff := cmp.Diff(want, f.Section); diff != "" {
			t.Errorf("%s: %s", f.Label, diff)
		}
	}
	if len(item.Fields) != 5 {
		t.Errorf("%+v", item)
	}
}

// An event tells what was looked up, and of a command that asks the vault nothing none.
func TestOp_TellsWhatIsLookedUp(t *testing.T) {
	for line, want := range map[string]string{
		"read op://V/I/f": "op read op://V/I/f", "item get I --vault V --fields a,b --reveal": "op item get I --vault V --fields a,b",
		"inject": "op inject", "run": "op run", "read": "", "whoami": "", "account get": "", "item": "",
	} {
		c, err := parseFlags(strings.Fields(line))
		if got := c.subject(); err != nil || got != want {
			t.Errorf("%q is told as %q, %v; want %q", line, got, err, want)
		}
	}
}
