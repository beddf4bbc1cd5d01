package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A shelf is a vault in memory: items by vault/item, values by reference.
type shelf struct {
	items        map[string]*onepassword.Item
	values       map[string]string
	vaults       []onepassword.Vault
	overviews    []onepassword.Overview
	environments map[string][]onepassword.Variable
	asked        []string
	down         error
}

func (s *shelf) ask(what string) error {
	s.asked = append(s.asked, what)
	return s.down
}

func (s *shelf) Item(_ context.Context, vault, item string) (*onepassword.Item, error) {
	if err := s.ask("item " + vault + "/" + item); err != nil {
		return nil, err
	}
	if found, ok := s.items[vault+"/"+item]; ok {
		return found, nil
	}
	return nil, problem.Newf("no item %s", item)
}

func (s *shelf) Read(_ context.Context, ref onepassword.Reference) (mask.Secret, error) {
	if err := s.ask("read " + ref.String()); err != nil {
		return mask.Secret{}, err
	}
	if value, ok := s.values[ref.String()]; ok {
		return mask.NewSecret(ref.Field, value), nil
	}
	return mask.Secret{}, problem.Newf("no field %s", ref.Field)
}

func (s *shelf) Vaults(context.Context) ([]onepassword.Vault, error) {
	return s.vaults, s.ask("vaults")
}

func (s *shelf) Items(_ context.Context, vault string) ([]onepassword.Overview, error) {
	return s.overviews, s.ask("items " + vault)
}

func (s *shelf) Environment(_ context.Context, id string) ([]onepassword.Variable, error) {
	if err := s.ask("environment " + id); err != nil {
		return nil, err
	}
	return s.environments[id], nil
}

// A desk is a broker without a socket, and what it told and masked.
type desk struct {
	*Broker
	events []Event
	masked []string
}

func newDesk(o Options) *desk {
	d := &desk{}
	o.Notify = func(e Event) { d.events = append(d.events, e) }
	if o.Mask == nil {
		o.Mask = func(secrets []mask.Secret) error {
			for _, s := range secrets {
				d.masked = append(d.masked, s.Reveal())
			}
			return nil
		}
	}
	o.Now = fixedNow
	d.Broker = newBroker(o.ListenOptions)
	d.Open(o)
	return d
}

// messages are those of the problems that stop Kamal.
func (d *desk) messages() []string {
	var text []string
	for _, p := range d.Problems() {
		text = append(text, p.Message)
	}
	return text
}

// judged is what a check of these secrets, all of them used in env, says.
func judged(t *testing.T, o Options, c checkRequest, secrets ...heldSecret) *desk {
	t.Helper()
	d := newDesk(o)
	c.Secrets = secrets
	if c.Used == nil {
		for _, h := range secrets {
			c.Used = append(c.Used, secretUse{Name: h.Name, Key: "env.secret"})
		}
	}
	reply := d.check(t.Context(), &c)
	if stopped := reply.Stop != ""; stopped != (len(d.Problems()) > 0) {
		t.Errorf("Kamal is told %q, and there are %d problems", reply.Stop, len(d.Problems()))
	}
	return d
}

func one(name, value string) heldSecret { return heldSecret{Name: name, Value: []byte(value)} }

func TestHoldsReference(t *testing.T) {
	for _, value := range []string{
		"op://V/I/f", "op://V/I", "op://", " op://V/I/f\n", `"op://V/I/f"`, "`op read op://V/I/f`", "{{ op://My Vault/I/f }}",
		"postgres://u:op://V/I/f@h/db", "${X:-op://V/I/f}", "$(op read op://V/I/f", "x {{op://V/I/s/f}} y", "pre op://V/$X/f",
	} {
		if !holdsReference(value) {
			t.Errorf("%q is taken for a value", value)
		}
	}
	for _, value := range []string{"", "plain", "shop://a/b/c", "desktop://a/b/c", "x-op://a/b/c", "see op:// for more", "op:/V/I/f", "OP://V/I/f", "the scheme op://vault is ours"} {
		if holdsReference(value) {
			t.Errorf("%q is taken for a reference", value)
		}
	}
}

func TestCheck_StopsAtAnUnresolvedReference(t *testing.T) {
	c := checkRequest{Literals: []configLiteral{{"H", "env.clear.H", []byte("op://V/I/f")}, {"OK", "env.clear.OK", []byte("op://V/I/f")}, {"T", "env.clear.T", []byte("shop://x op:// y")}}}
	d := judged(t, Options{AllowReferences: []string{"G", "OK"}}, c, one("A", "op://V/I/f"), one("G", "op://V/I/f"), one("P", "plain"))
	text := strings.Join(d.messages(), "\n")
	if len(d.Problems()) != 2 || !strings.Contains(text, "A holds a secret reference") || !strings.Contains(text, "env.clear.H of deploy.yml") {
		t.Errorf("the problems are %q", text)
	}
	if problem.Status(d.Problems()) != problem.Found {
		t.Errorf("the status is %d", problem.Status(d.Problems()))
	}
	for _, p := range d.Problems() {
		if !strings.Contains(p.Hint, "--allow-reference ") {
			t.Errorf("the hint is %q", p.Hint)
		}
	}
	// One that nothing uses is told, and stops nothing.
	c = checkRequest{Used: []secretUse{{Name: "P", Key: "env.secret"}}}
	d = judged(t, Options{}, c, one("A", "op://V/I/f"), one("P", "plain"))
	if len(d.Problems()) != 0 || len(d.events) != 2 || d.events[0].Kind != Warning || !strings.Contains(d.events[0].Message, "nothing in the configuration uses it") {
		t.Errorf("%q, %+v", d.messages(), d.events)
	}
}

// A text of the vault's that has references in it, such as a template, arrives as it
// is; a field that is one reference and nothing else is a mistake.
func TestCheck_AllowsReferencesInTextsOfTheVault(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secrets"), []byte("A=$A\nB=$B\nC=x $A\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const template = "url: {{ op://V/I/f }}\n"
	declared := []DeclaredSecret{{Secret: mask.NewSecret("A", template)}, {Secret: mask.NewSecret("B", " op://V/I/f\n")}}
	d := judged(t, Options{Declared: declared}, checkRequest{Dir: dir, Files: []string{"secrets"}},
		one("A", template), one("B", " op://V/I/f\n"), one("C", "x "+template))
	text := strings.Join(d.messages(), "\n")
	if len(d.Problems()) != 2 || !strings.Contains(text, "B holds a secret reference") || !strings.Contains(text, "C holds a secret reference") {
		t.Errorf("the problems are %q", text)
	}
}

func TestCheck_StopsAtWhatAContainerCannotTake(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	const line, argument = 65535, 131071
	for name, test := range map[string]struct {
		use   secretUse
		hooks []string
		value string
		want  string // "" passes
	}{
		"a line of the env file":              {use: secretUse{Name: "A", Key: "env.secret"}, value: x(line - 2)},
		"a longer one":                        {use: secretUse{Name: "A", Key: "env.secret"}, value: x(line - 1), want: "A is too long: 65536 bytes"},
		"one that escaping makes longer":      {use: secretUse{Name: "A", Key: "servers.web.env.secret"}, value: x(line-3) + "\n", want: "65536 bytes"},
		"under a longer name":                 {use: secretUse{Name: "A", As: "AA", Key: "accessories.db.env.secret"}, value: x(line - 2), want: "65536 bytes"},
		"a build's secret":                    {use: secretUse{Name: "A", Key: "builder.secrets"}, value: x(argument - 2)},
		"a longer one of a build":             {use: secretUse{Name: "A", Key: "builder.secrets"}, value: x(argument - 1), want: "A is too long: 131072 bytes"},
		"a certificate":                       {use: secretUse{Name: "A", Key: "proxy.ssl.private_key_pem"}, value: x(argument) + "\n"},
		"a certificate, and a hook":           {use: secretUse{Name: "A", Key: "proxy.ssl.private_key_pem"}, hooks: []string{"pre-deploy"}, value: x(argument - 1), want: "the hook pre-deploy"},
		"a shorter one, and a hook":           {use: secretUse{Name: "A", Key: "proxy.ssl.private_key_pem"}, hooks: []string{"pre-deploy"}, value: x(argument - 2)},
		"a password":                          {use: secretUse{Name: "A", Key: "registry.password"}, value: x(argument - shellRoom - 2)},
		"a longer password":                   {use: secretUse{Name: "A", Key: "registry.password"}, value: x(argument - shellRoom - 1), want: "docker login"},
		"a password with a line break":        {use: secretUse{Name: "A", Key: "registry.password"}, value: "{\n}", want: "A, the registry's password,"},
		"a user name with a line break":       {use: secretUse{Name: "A", Key: "registry.username"}, value: "a\n", want: "A, the registry's username,"},
		"an accessory's registry's password":  {use: secretUse{Name: "A", Key: "accessories.db.registry.password"}, value: "a${b}", want: "A, the registry's password,"},
		"an accessory's registry's user name": {use: secretUse{Name: "A", Key: "accessories.db.registry.username"}, value: "a#{b}", want: "A, the registry's username,"},
		"a secret with a line break":          {use: secretUse{Name: "A", Key: "env.secret"}, value: "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			d := judged(t, Options{}, checkRequest{Used: []secretUse{test.use}, Hooks: test.hooks}, one("A", test.value))
			text := strings.Join(d.messages(), "\n")
			if test.want == "" && text != "" || test.want != "" && (len(d.Problems()) != 1 || !strings.Contains(text, test.want)) {
				t.Errorf("the problems are %.300q, want %q", text, test.want)
			}
		})
	}
}

// A hook has all secrets, also those that nothing else uses: one that cannot be given to
// it would end the deploy where the hook stands, after the app's change.
func TestCheck_StopsAtWhatAHookCannotTake(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the limits are Linux's")
	}
	long := strings.Repeat("x", 131072)
	uses := []secretUse{{Name: "A", Key: "env.secret"}}
	if d := judged(t, Options{}, checkRequest{Used: uses}, one("A", "a"), one("H", long)); len(d.Problems()) != 0 {
		t.Errorf("without a hook: %.300q", d.messages())
	}
	d := judged(t, Options{}, checkRequest{Used: uses, Hooks: []string{"post-deploy"}}, one("A", "a"), one("H", long))
	if text := strings.Join(d.messages(), "\n"); len(d.Problems()) != 1 || !strings.Contains(text, "H is too long: 131074 bytes") || !strings.Contains(text, "post-deploy") {
		t.Errorf("with one: %.300q", text)
	}
}

// What each may be is too long for all together, where what is started has them all.
func TestCheck_StopsAtValuesTooLongTogether(t *testing.T) {
	most := kamal.MaxArguments()
	if most == 0 {
		t.Skip("how much the system takes is not known")
	}
	const each = 60 << 10
	var all []heldSecret
	var build []secretUse
	for n := range most/each + 1 {
		name := fmt.Sprintf("S%03d", n)
		all = append(all, one(name, strings.Repeat("x", each)))
		build = append(build, secretUse{Name: name, Key: "builder.secrets"})
	}
	for name, test := range map[string]struct {
		used    []secretUse
		hooks   []string
		secrets []heldSecret
		want    string // "" passes
	}{
		"in env files alone":      {secrets: all},
		"a hook has them":         {secrets: all, hooks: []string{"pre-deploy"}, want: "the hook pre-deploy"},
		"a hook has two less":     {secrets: all[2:], hooks: []string{"pre-deploy"}},
		"the build has them":      {secrets: all, used: build, want: "the docker that builds"},
		"the build has half":      {secrets: all, used: build[len(build)/2:]},
		"nothing uses them there": {secrets: all, used: []secretUse{{Name: "S000", Key: "env.secret"}}, hooks: []string{"post-deploy"}, want: "the hook post-deploy"},
	} {
		d := judged(t, Options{}, checkRequest{Used: test.used, Hooks: test.hooks}, test.secrets...)
		text := strings.Join(d.messages(), "\n")
		if (test.want == "") != (len(d.Problems()) == 0) || !strings.Contains(text, test.want) {
			t.Errorf("%s: %.400q", name, text)
		}
		for _, p := range d.Problems() {
			if p.Help != problem.LongValue || !slices.Contains(p.Details, "S001: 61440 bytes") {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
	// What Kamal itself has counts.
	d := newDesk(Options{})
	d.child = map[string]int{"BIG": 3 * each}
	d.check(t.Context(), &checkRequest{Hooks: []string{"pre-build"}, Secrets: all[2:]})
	if len(d.Problems()) != 1 {
		t.Errorf("beside a large environment: %.400q", d.messages())
	}
}

func TestCheck_MasksBeforeAnythingElse(t *testing.T) {
	d := judged(t, Options{}, checkRequest{Also: [][]byte{[]byte("of the fetch")}}, one("A", "value"), one("E", ""))
	if got := strings.Join(d.masked, ","); got != "value,of the fetch" {
		t.Errorf("masked are %q", got)
	}
	refusing := Options{Mask: func([]mask.Secret) error { return errors.New("no pipe") }}
	if d := judged(t, refusing, checkRequest{}, one("A", "value")); len(d.Problems()) != 1 {
		t.Errorf("a value that could not be masked stops nothing: %q", d.messages())
	}
}
