package broker

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// secretsFile is a check of a project that has this .kamal/secrets.
func secretsFile(t *testing.T, text string) checkRequest {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".kamal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".kamal", "secrets"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return checkRequest{Dir: dir, Files: []string{".kamal/secrets"}}
}

func vaultOptions() Options {
	return Options{
		Vault: &shelf{
			items: map[string]*onepassword.Item{"V/I": {Title: "I", Sections: []onepassword.Section{{ID: "s", Label: "db"}}, Fields: []onepassword.Field{
				{ID: "1", Label: "A", Value: secret("a-value")},
				{ID: "2", Label: "B", Value: secret("b-value")},
				{ID: "3", Label: "password", Value: secret("p-value")},
				{ID: "4", Label: "A", Section: "s", Value: secret("db-a-value")},
			}}},
			values: map[string]string{"op://V/I/A": "a-value", "op://V/I/B": "b-value", "op://V/I/password": "p-value", "op://V/I/db/A": "db-a-value"},
		},
		Declared: []DeclaredSecret{{Secret: mask.NewSecret("DECLARED", "declared-value")}},
	}
}

const fetchAll = "SECRETS=$(kamal secrets fetch --adapter 1password --account x --from V/I)\n"

// A secrets file that cannot be read could hide that another value arrives.
func TestCheck_StopsAtAnUnreadableFile(t *testing.T) {
	c := secretsFile(t, "X=$(op read op://V/I/A)\n")
	c.Used = []secretUse{{Name: "X", Key: "env.secret"}}
	file := filepath.Join(c.Dir, ".kamal/secrets")
	if err := os.WriteFile(file, bytes.Repeat([]byte("#"), 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	large := judged(t, vaultOptions(), c, one("X", "b-value"))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	gone := judged(t, vaultOptions(), c, one("X", "b-value"))
	for _, d := range []*desk{large, gone} {
		if len(d.Problems()) != 1 || !strings.HasPrefix(d.messages()[0], ".kamal/secrets cannot be read") {
			t.Errorf("%q", d.messages())
		}
	}
	// Without a vault there is nothing to hold it against.
	if d := judged(t, Options{}, c, one("X", "b-value")); len(d.Problems()) != 0 {
		t.Errorf("without a vault: %q", d.messages())
	}
}

func TestCheck_ComparesWithTheVault(t *testing.T) {
	for name, test := range map[string]struct{ file, value, other string }{
		"a read":                          {"X=$(op read op://V/I/A)\n", "a-value", "b-value"},
		"a read of a section's":           {"X=$(op read op://V/I/db/A)\n", "db-a-value", "a-value"},
		"a declared secret":               {"X=$DECLARED\n", "declared-value", "declared-valu"},
		"one of the same file":            {"Y=$(op read op://V/I/A)\nX=$Y\n", "a-value", ""},
		"an extract of a whole item":      {fetchAll + "X=$(kamal secrets extract B $SECRETS)\n", "b-value", "a-value"},
		"an extract by its whole key":     {fetchAll + "X=$(kamal secrets extract V/I/A $SECRETS)\n", "a-value", "db-a-value"},
		"an extract by section and label": {fetchAll + "X=$(kamal secrets extract db/A $SECRETS)\n", "db-a-value", "a-value"},
		"an extract of a fetched field":   {"SECRETS=$(kamal secrets fetch --adapter 1password --account x --from V/I B)\nX=$(kamal secrets extract B $SECRETS)\n", "b-value", "B"},
		"the password, by its item":       {"SECRETS=$(kamal secrets fetch --adapter 1password --account x --from V/I password)\nX=$(kamal secrets extract V/I $SECRETS)\n", "p-value", "p"},
		"a value that is composed":        {"X=\"postgres://u:$DECLARED@h\"\n", "postgres://u:declared-value@h", "postgres://u:declared-valu@h"},
	} {
		t.Run(name, func(t *testing.T) {
			c := secretsFile(t, test.file)
			c.Used = []secretUse{{Name: "X", Key: "env.secret"}}
			if d := judged(t, vaultOptions(), c, one("X", test.value)); len(d.Problems()) != 0 {
				t.Errorf("what it should be stops Kamal: %q", d.messages())
			}
			d := judged(t, vaultOptions(), c, one("X", test.other))
			if len(d.Problems()) != 1 || !strings.HasPrefix(d.messages()[0], "X: what ") || d.Problems()[0].Place.File != ".kamal/secrets" {
				t.Errorf("another value: %q", d.messages())
			}
			if strings.Contains(strings.Join(d.messages(), ""), "-value") {
				t.Errorf("a value is shown: %q", d.messages())
			}
			// The preload gave it: no file defines it.
			if d := judged(t, vaultOptions(), c, heldSecret{Name: "X", Value: []byte("supplied"), Supplied: true}); len(d.Problems()) != 0 {
				t.Errorf("a supplied value is held against a file: %q", d.messages())
			}
		})
	}
	// What is composed in one name may be passed on by another: no part of it is the whole.
	c := secretsFile(t, "Y=$(op read op://V/I/A)-$(op read op://V/I/B)\nX=$Y\n")
	if d := judged(t, vaultOptions(), c, one("Y", "a-value-b-value"), one("X", "a-value-b-value")); len(d.Problems()) != 0 {
		t.Errorf("a composed value that is passed on: %q", d.messages())
	}
	// What 1Password has no part in is not judged, and a vault that is away stops nothing here.
	for _, file := range []string{"X=$(cat file)\n", "X=$UNKNOWN\n", fetchAll + "X=$(kamal secrets extract NOPE $SECRETS)\n", "X=$(kamal secrets extract A $NOTHING)\n", "X=$(op read op://V/I/NOPE)\n", "X=literal\n"} {
		c := secretsFile(t, file)
		if d := judged(t, vaultOptions(), c, one("X", "anything")); len(d.Problems()) != 0 {
			t.Errorf("%q: %q", file, d.messages())
		}
		if d := judged(t, Options{}, c, one("X", "anything")); len(d.Problems()) != 0 {
			t.Errorf("%q, without a vault: %q", file, d.messages())
		}
	}
}

func TestCheck_SaysWhyAValueFailed(t *testing.T) {
	for how, want := range map[string]string{
		"missing": "X: its command is not found: D", "unset": "X: $D is not set", "usage": "X: its command is not used as it should be: $D is not set",
		"error": "X: D", "exit": "X: its command failed, D", "depends": "X: $D did not arrive",
	} {
		d := judged(t, Options{}, checkRequest{}, heldSecret{Name: "X", Failed: []failureCause{{How: how, Detail: "D"}}})
		if len(d.Problems()) != 1 || d.messages()[0] != want {
			t.Errorf("%s: %q", how, d.messages())
		}
	}
	c := secretsFile(t, fetchAll)
	if d := judged(t, Options{}, c, heldSecret{Name: "SECRETS", Failed: []failureCause{{How: "error", Detail: "D"}}}); d.messages()[0] != "SECRETS: the secrets could not be fetched: D" {
		t.Errorf("a fetch: %q", d.messages())
	}
	if d := judged(t, Options{}, c, heldSecret{Name: "SECRETS", Failed: []failureCause{{How: "exit", Detail: "D"}}}); d.messages()[0] != "SECRETS: its command failed, D" {
		t.Errorf("a fetch: %q", d.messages())
	}
	if d := judged(t, Options{}, checkRequest{}, heldSecret{Name: "X", Failed: []failureCause{{How: "usage"}}}); d.messages()[0] != "X: its command is not used as it should be" || d.Problems()[0].Hint != "" {
		t.Errorf("usage: %q", d.messages())
	}
	// A file that is not there is named: git ignores it, or it is mistyped.
	for file, want := range map[string]string{
		"X=$(cat config/master.key)\n":  "X: config/master.key is not there",
		"X=$(cat .kamal/secrets)\n":     "X: its command failed, exit status 1",
		"X=$(cat $HOME/x)\n":            "X: its command failed, exit status 1",
		"X=$(cat gone | base64 -d)\n":   "X: its command failed, exit status 1",
		"X=a$(cat config/master.key)\n": "X: its command failed, exit status 1",
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, ".kamal"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ".kamal", "secrets"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		o := Options{Project: &kamal.Project{ProjectOptions: kamal.ProjectOptions{Dir: dir}}}
		d := judged(t, o, secretsFile(t, file), heldSecret{Name: "X", Failed: []failureCause{{How: "exit", Detail: "exit status 1"}}})
		if got := d.messages()[0]; got != want {
			t.Errorf("%q: %q", file, got)
		}
	}
	// Where X came of Y, Y is told, though only X is used.
	c = checkRequest{Used: []secretUse{{Name: "X", Key: "env.secret"}}}
	d := judged(t, Options{}, c, heldSecret{Name: "X", Failed: []failureCause{{How: "depends", Detail: "Y"}}},
		heldSecret{Name: "Y", Failed: []failureCause{{How: "depends", Detail: "Z"}}}, heldSecret{Name: "Z", Failed: []failureCause{{How: "exit", Detail: "exit status 9"}}})
	if len(d.Problems()) != 1 || d.messages()[0] != "Z: its command failed, exit status 9" {
		t.Errorf("%q", d.messages())
	}
}

func TestCheck_HintsByTheSourceOfAnEmptyValue(t *testing.T) {
	for file, want := range map[string][2]string{
		"X=\n":                      {"X is empty in the secrets file", "give it a value"},
		"X=$(cat file)\n":           {"X is empty: its command prints nothing", "allow it with"},
		"X=$Y\n":                    {"X is empty: so is $Y", "allow it with"},
		"X=$(op read op://V/I/N)\n": {"X is empty", "fill the field in 1Password"},
		fetchAll + "X=$(kamal secrets extract N $SECRETS)\n": {"X is empty", "fill the field in 1Password"},
	} {
		c := secretsFile(t, file)
		d := judged(t, Options{}, c, one("X", ""))
		if len(d.Problems()) != 1 || d.messages()[0] != want[0] || !strings.HasPrefix(d.Problems()[0].Hint, want[1]) {
			t.Errorf("%q: %q, %q", file, d.messages(), d.Problems()[0].Hint)
		}
		if d := judged(t, Options{AllowEmpty: []string{"X"}}, c, one("X", "")); len(d.Problems()) != 0 {
			t.Errorf("allowed, %q: %q", file, d.messages())
		}
	}
	if d := judged(t, Options{AllowEmpty: []string{"X"}}, checkRequest{}, one("X", "a\x00b")); len(d.Problems()) != 1 || !strings.Contains(d.messages()[0], "NUL byte") {
		t.Errorf("%q", d.messages())
	}
}

func TestCheck_StopsAtUndefinedNames(t *testing.T) {
	for command, want := range map[string]int{"deploy": 2, "redeploy": 2, "setup": 2, "app boot": 2, "rollback": 0, "config": 0, "": 0} {
		c := checkRequest{Command: command, Used: []secretUse{
			{Name: "X", Key: "env.secret"},
			{Name: "X", Key: "env.secret"},
			{Name: "R", Key: "registry.password"},
			{Name: "HAS", Key: "env.secret"},
			{Name: "ROLE", Key: "servers.web.env.secret"},
			{Name: "CERT", Key: "proxy.ssl.private_key_pem"},
		}}
		d := judged(t, Options{}, c, one("HAS", "x"))
		if len(d.Problems()) != want {
			t.Errorf("%s: %q", command, d.messages())
		}
		if want > 0 && (!strings.HasPrefix(d.messages()[0], "X is named in env.secret of deploy.yml") || !strings.HasPrefix(d.messages()[1], "R is named")) {
			t.Errorf("%s: %q", command, d.messages())
		}
	}
}

// A name that nothing defines is shown where deploy.yml has it.
func TestCheck_TheNameThatNothingDefinesHasItsPlace(t *testing.T) {
	at := problem.Place{File: "config/deploy.yml", Line: 7, Column: 5}
	project := &kamal.Project{Config: &kamal.Config{Uses: []kamal.Use{{Name: "Z"}, {Name: "X", Place: at}}}}
	c := checkRequest{Command: "deploy", Used: []secretUse{{Name: "X", Key: "env.secret"}}}
	for _, test := range []struct {
		project *kamal.Project
		message string
		at      problem.Place
	}{
		{project, "X is named in config/deploy.yml but nothing defines it", at},
		{&kamal.Project{Config: &kamal.Config{}}, "X is named in env.secret of deploy.yml but nothing defines it", problem.Place{}},
		{&kamal.Project{}, "X is named in env.secret of deploy.yml but nothing defines it", problem.Place{}},
	} {
		d := judged(t, Options{Project: test.project}, c)
		if p := d.Problems(); len(p) != 1 || p[0].Message != test.message || p[0].Place != test.at {
			t.Errorf("%+v", p)
		}
	}
}

func TestCheck_StopsAtOutputCopies(t *testing.T) {
	c := checkRequest{Output: []string{"file", "otel"}}
	d := judged(t, Options{}, c)
	if len(d.Problems()) != 2 || !strings.HasPrefix(d.messages()[1], "output.otel copies what hooks print") || !strings.Contains(d.Problems()[0].Hint, "--allow-output-copies") {
		t.Errorf("%q", d.messages())
	}
	if d := judged(t, Options{Choices: Choices{AllowOutputCopies: true}}, c); len(d.Problems()) != 0 || len(d.events) != 1 || d.events[0].Kind != Checked {
		t.Errorf("allowed: %q, %+v", d.messages(), d.events)
	}
}

func TestCheck_NamesEscapedValuesOnce(t *testing.T) {
	c := checkRequest{Used: []secretUse{
		{Name: "X", Key: "env.secret"},
		{Name: "X", Key: "env.secret"},
		{Name: "ROLE", Key: "servers.web.env.secret"},
		{Name: "PLAIN", Key: "env.secret"},
		{Name: "CERT", Key: "proxy.ssl.private_key_pem"},
		{Name: "BUILD", Key: "builder.secrets"},
	}}
	d := newDesk(Options{})
	for range 2 {
		c.Secrets = []heldSecret{one("X", "a\nb"), one("ROLE", `a\b`), one("PLAIN", `p$"#'é`), one("CERT", "a\nb"), one("BUILD", "a\nb")}
		if reply := d.check(t.Context(), &c); reply.Stop != "" {
			t.Fatal(reply.Stop)
		}
	}
	var named []string
	for _, e := range d.events {
		if e.Kind == Notice {
			name, rest, _ := strings.Cut(e.Message, " ")
			named = append(named, name)
			if !strings.Contains(rest, "env file escapes") || !strings.Contains(e.Hint, "--exact-values") || strings.Contains(rest, "next major") != (name == "X") {
				t.Errorf("%+v", e)
			}
		}
	}
	if strings.Join(named, ",") != "X,ROLE" {
		t.Errorf("named are %v", named)
	}
}

// What is to arrive as it is may be longer, and is not told of; it has a name that a
// shell exports.
func TestCheck_WarnsOfUnknownExactValues(t *testing.T) {
	c := func(as string) checkRequest {
		return checkRequest{Used: []secretUse{{Name: "X", Key: "env.secret", As: as}, {Name: "CERT", Key: "proxy.ssl.private_key_pem"}}}
	}
	all, x := kamal.ExactValues{All: true}, kamal.ExactValues{Names: []string{"X"}}
	for name, test := range map[string]struct {
		exact kamal.ExactValues
		as    string
		value string
		want  string // of the problem; "" is none
	}{
		"line breaks":                        {all, "X", "a\nb\n", ""},
		"by its name":                        {x, "ALIAS", "a\nb\n", ""},
		"sixty KiB of line breaks":           {x, "X", strings.Repeat("\n", 60<<10), ""},
		"sixty KiB of them, as Kamal writes": {kamal.ExactValues{}, "X", strings.Repeat("\n", 60<<10), "X is too long: 122882 bytes as Kamal writes it, at most 65535 are taken"},
		"as long as one can be":              {all, "X", strings.Repeat("x", kamal.MaxArgument-len("X=")), ""},
		"one longer":                         {all, "X", strings.Repeat("x", kamal.MaxArgument-len("X=")+1), "X is too long: 131072 bytes as Kamal writes it, at most 131071 are taken: no longer environment variable"},
		"another secret's option":            {kamal.ExactValues{Names: []string{"Y"}}, "X", strings.Repeat("x", 70_000), "at most 65535 are taken"},
		"a NUL":                              {all, "X", "a\x00b", "X has a NUL byte"},
		"no UTF-8":                           {all, "X", "a\xff\n", "X is no UTF-8"},
		"no UTF-8, as Kamal writes":          {kamal.ExactValues{}, "X", "a\xff", "X is no UTF-8"},
		"a name of no variable":              {all, "A.B", "a\nb", "X cannot arrive as it is under the name A.B in env.secret"},
		"a name that docker follows":         {all, "DOCKER_CONFIG", "a\nb", "X cannot arrive as it is under the name DOCKER_CONFIG"},
		"such a name, of a plain value":      {all, "A.B", "plain", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := judged(t, Options{ExactValues: test.exact}, c(test.as), one("X", test.value), one("CERT", "a\nb"))
			if test.want == "" {
				if len(d.Problems()) != 0 || len(d.events) != 1 {
					t.Errorf("%q, %+v", d.messages(), d.events)
				}
				return
			}
			if len(d.Problems()) != 1 || !strings.Contains(d.messages()[0], test.want) || d.Problems()[0].Hint == "" {
				t.Errorf("%.300q", d.messages())
			}
		})
	}
	d := judged(t, Options{ExactValues: kamal.ExactValues{Names: []string{"X", "CERT"}}}, c(""), one("X", "a\nb"), one("CERT", "a\nb"))
	if len(d.Problems()) != 0 || d.events[0].Kind != Warning || !strings.Contains(d.events[0].Message, "names CERT, which no list of secrets") {
		t.Errorf("%q, %+v", d.messages(), d.events)
	}
}
