package kamal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A change to a list of secrets keeps every other byte, and taking the entry out
// again gives back the text.
func TestConfigEdit(t *testing.T) {
	root := "env.secret"
	tests := map[string]struct {
		text, key, want string // want "" is a refusal
	}{
		"block":                   {"env:\n  secret:\n    - A\nx: y\n", root, "env:\n  secret:\n    - A\n    - NEW\nx: y\n"},
		"block without end":       {"env:\n  secret:\n    - A", root, "env:\n  secret:\n    - A\n    - NEW"},
		"CR LF":                   {"env:\r\n  secret:\r\n  - A # a\r\nx: y\r\n", root, "env:\r\n  secret:\r\n  - A # a\r\n  - NEW\r\nx: y\r\n"},
		"quoted":                  {"env:\n  secret:\n    -  \"A\" # é\n\n# end\n", root, "env:\n  secret:\n    -  \"A\" # é\n    -  \"NEW\"\n\n# end\n"},
		"single quotes":           {"env:\n  secret: ['A']\n", root, "env:\n  secret: ['A', 'NEW']\n"},
		"comments between":        {"env:\n  secret:\n    # one\n    - A\n    # two\n    - B\n    # three\n", root, "env:\n  secret:\n    # one\n    - A\n    # two\n    - B\n    - NEW\n    # three\n"},
		"flow":                    {"env: { secret: [A,B] }\n", root, "env: { secret: [A,B,NEW] }\n"},
		"flow over lines":         {"env:\n  secret: [\n    A,\n    B,\n  ]\n", root, "env:\n  secret: [\n    A,\n    B,\n    NEW,\n  ]\n"},
		"flow with comments":      {"env:\n  secret: [\n    A, # a\n    B\n  ]\n", root, "env:\n  secret: [\n    A, # a\n    B, NEW\n  ]\n"},
		"empty flow":              {"env:\n  secret: []\n", root, "env:\n  secret: [NEW]\n"},
		"no list":                 {"env:\n  clear:\n    A: b\n\nx: y\n", root, "env:\n  clear:\n    A: b\n  secret:\n    - NEW\n\nx: y\n"},
		"no list, comment inside": {"env:\n  clear:\n# off\n    A: |\n      # text\n\nx: y\n", root, "env:\n  clear:\n# off\n    A: |\n      # text\n  secret:\n    - NEW\n\nx: y\n"},
		"no list in flow":         {"env: {clear: {A: b}}\n", root, "env: {secret: [NEW], clear: {A: b}}\n"},
		"empty flow mapping":      {"env: {}\n", root, "env: {secret: [NEW]}\n"},
		"no env":                  {"service: a\nservers:\n    web:\n        hosts: [a]\n", root, "service: a\nservers:\n    web:\n        hosts: [a]\nenv:\n    secret:\n        - NEW\n"},
		"no env, no end":          {"service: a", root, "service: a\nenv:\n  secret:\n    - NEW"},
		"role":                    {"servers:\n  web:\n    hosts:\n    - a\nx: y\n", "servers.web.env.secret", "servers:\n  web:\n    hosts:\n    - a\n    env:\n      secret:\n        - NEW\nx: y\n"},
		"role in flow":            {"servers: {web: {hosts: [a]}}\n", "servers.web.env.secret", "servers: {web: {env: {secret: [NEW]}, hosts: [a]}}\n"},
		"role as a list":          {"servers:\n  web: [a]\n", "servers.web.env.secret", ""},
		"no such role":            {"servers:\n  web: [a]\n", "servers.job.env.secret", ""},
		"no accessories":          {"service: a\n", "accessories.db.env.secret", ""},
		"tag":                     {"env:\n  tags:\n    eu:\n      clear: {A: b}\n", "env.tags.eu.secret", "env:\n  tags:\n    eu:\n      clear: {A: b}\n      secret:\n        - NEW\n"},
		"builder":                 {"builder:\n  arch: amd64\n", "builder.secrets", "builder:\n  arch: amd64\n  secrets:\n    - NEW\n"},
		"anchor":                  {"x-e: &e\n  secret:\n    - A\nenv: *e\n", root, "x-e: &e\n  secret:\n    - A\n    - NEW\nenv: *e\n"},
		"merge key":               {"x-e: &e {secret: [A]}\nenv:\n  <<: *e\n", root, "x-e: &e {secret: [A, NEW]}\nenv:\n  <<: *e\n"},
		"given twice":             {"env: {secret: [A]}\nenv: {secret: [B]}\n", root, "env: {secret: [A]}\nenv: {secret: [B, NEW]}\n"},
		"ERB elsewhere":           {"image: <%= ENV['I'] %>\nenv:\n  secret:\n    - A\n", root, "image: <%= ENV['I'] %>\nenv:\n  secret:\n    - A\n    - NEW\n"},
		"ERB inside, not last":    {"env:\n  secret:\n    <% if x %>\n    - A\n    <% end %>\n    - B\n", root, "env:\n  secret:\n    <% if x %>\n    - A\n    <% end %>\n    - B\n    - NEW\n"},
		"ERB behind":              {"env:\n  secret:\n    - A\n    <% if x %>\n    - B\n    <% end %>\n", root, "env:\n  secret:\n    - A\n    - NEW\n    <% if x %>\n    - B\n    <% end %>\n"},
		"ERB is the list":         {"env:\n  secret: <%= list %>\n", root, ""},
		"ERB is the last":         {"env:\n  secret:\n    - A\n    - <%= b %>\n", root, ""},
		"ERB gives the list":      {"env:\n  secret:\n    <%= list %>\n", root, ""},
		"ERB gives env":           {"env:\n  clear: {A: b}\n  <%= more %>\n", root, ""},
		"ERB around the list":     {"env:\n  <% if x %>\n  secret:\n    - A\n  <% end %>\n  clear: {A: b}\n", root, ""},
		"a scalar":                {"env:\n  secret: A\n", root, ""},
		"a block scalar":          {"env:\n  secret:\n    - |\n      A\n", root, ""},
		"a second document":       {"service: a\n---\nservice: b\n", root, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := EditConfig("c.yml", test.text)
			if err != nil {
				t.Fatal(err)
			}
			err = e.Add("NEW", strings.Split(test.key, ".")...)
			if test.want == "" {
				if err == nil {
					t.Fatalf("not refused:\n%s", e.Text())
				}
				if e.Text() != test.text {
					t.Errorf("refused, and changed:\n%s", e.Text())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, e.Text()); diff != "" {
				t.Fatal(diff)
			}
			if err := e.Rename("NEW", "OTHER"); err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(test.want, "NEW", "OTHER"); e.Text() != want {
				t.Errorf("renamed: %s", cmp.Diff(want, e.Text()))
			}
			if err := e.Remove("OTHER", nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.text, e.Text()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Names that are no entries of a list are renamed, and not taken out.
func TestConfigEdit_RenamesWhatIsNoListEntry(t *testing.T) {
	text := "registry: {password: [A]}\nproxy:\n  ssl:\n    certificate_pem: 'A'\nenv:\n  secret: [\"X:A\", AA]\n"
	e, err := EditConfig("c.yml", text)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Remove("A", nil); err == nil || !strings.Contains(err.Error(), "registry.password") || !strings.Contains(err.Error(), "certificate_pem") {
		t.Errorf("%v", err)
	}
	if e, err = EditConfig("c.yml", text); err != nil {
		t.Fatal(err)
	}
	if err := e.Rename("A", "B"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("registry: {password: [B]}\nproxy:\n  ssl:\n    certificate_pem: 'B'\nenv:\n  secret: [\"X:B\", AA]\n", e.Text()); diff != "" {
		t.Error(diff)
	}
}

// A change to a secrets file keeps every other byte.
func TestSecretsEdit(t *testing.T) {
	last := func(e *SecretsEdit, kind Kind) Definition {
		var found Definition
		for _, d := range e.File().Definitions {
			if d.Kind == kind {
				found = d
			}
		}
		return found
	}
	fetched := func(e *SecretsEdit) error { return e.AddFetched(last(e, Fetch), "NEW") }
	like := func(kind Kind, from string) func(e *SecretsEdit) error {
		return func(e *SecretsEdit) error {
			if ok, err := e.AddLineLike(last(e, kind), "NEW", from); !ok {
				t.Errorf("the line is not copied: %v", err)
				return nil
			} else if err != nil {
				return err
			}
			return nil
		}
	}
	tests := map[string]struct {
		text string
		do   func(e *SecretsEdit) error
		want string
	}{
		"fetch":                    {"S=$(kamal secrets fetch -a 1password --account a --from V/I A B) # c\n", fetched, "S=$(kamal secrets fetch -a 1password --account a --from V/I A B NEW) # c\n"},
		"fetch, options behind":    {"S=$(kamal secrets fetch A --from V/I -a 1password --account a)\n", fetched, "S=$(kamal secrets fetch A NEW --from V/I -a 1password --account a)\n"},
		"fetch over lines":         {"S=\"$(kamal secrets fetch --adapter 1password --account a --from V/I\n  A\n  B)\"\n", fetched, "S=\"$(kamal secrets fetch --adapter 1password --account a --from V/I\n  A\n  B\n  NEW)\"\n"},
		"fetch over CR LF lines":   {"S=\"$(kamal secrets fetch --adapter 1password --account a --from V/I\r\n  A\r\n  B)\"\r\n", fetched, "S=\"$(kamal secrets fetch --adapter 1password --account a --from V/I\r\n  A\r\n  B\r\n  NEW)\"\r\n"},
		"fetch, quotes in quotes":  {"S=\"$(kamal secrets fetch --adapter 1password --account a --from \\\"V/I\\\" \\\"A\\\")\"\n", fetched, "S=\"$(kamal secrets fetch --adapter 1password --account a --from \\\"V/I\\\" \\\"A\\\" NEW)\"\n"},
		"fetch of a variable":      {"V=x\nS=$(kamal secrets fetch --adapter 1password --account a --from $V/I A)\n", fetched, "V=x\nS=$(kamal secrets fetch --adapter 1password --account a --from $V/I A NEW)\n"},
		"fetch of everything":      {"S=$(kamal secrets fetch --adapter 1password --account a --from V/I)\n", fetched, "S=$(kamal secrets fetch --adapter 1password --account a --from V/I)\n"},
		"extract":                  {"\uFEFFexport A = \"$(kamal secrets extract A $S)\" # a\nB=1\n", like(Extract, "NEW"), "\uFEFFexport A = \"$(kamal secrets extract A $S)\" # a\nexport NEW = \"$(kamal secrets extract NEW $S)\"\nB=1\n"},
		"extract, no end":          {"A=$(kamal secrets extract I/A ${S})", like(Extract, "NEW"), "A=$(kamal secrets extract I/A ${S})\nNEW=$(kamal secrets extract NEW ${S})"},
		"op read":                  {"A=$(op read \"op://V/I/A\")\r\n", like(Read, "op://V/I/NEW"), "A=$(op read \"op://V/I/A\")\r\nNEW=$(op read \"op://V/I/NEW\")\r\n"},
		"pass-through":             {"# a\nA=${A}\n\n# b\n", like(PassThrough, "NEW"), "# a\nA=${A}\nNEW=${NEW}\n\n# b\n"},
		"pass-through of another":  {"A: $B\n", like(PassThrough, "NEW"), "A: $B\nNEW: $NEW\n"},
		"rename":                   {"S=$(kamal secrets fetch --adapter 1password --account a --from V I/A I/AB)\nA=$(kamal secrets extract I/A $S)\nU=\"x:$A@${A}y$AB\"\nC=$(echo \"$A\" '$AB')\n", func(e *SecretsEdit) error { return rename(e, Renaming{From: "A", To: "NEW", Field: true}) }, "S=$(kamal secrets fetch --adapter 1password --account a --from V I/NEW I/AB)\nNEW=$(kamal secrets extract I/NEW $S)\nU=\"x:$NEW@${NEW}y$AB\"\nC=$(echo \"$NEW\" '$AB')\n"},
		"rename, field kept":       {"A=$(op read op://V/I/A)\n", func(e *SecretsEdit) error { return rename(e, Renaming{From: "A", To: "NEW", Field: false}) }, "NEW=$(op read op://V/I/A)\n"},
		"rename, field too":        {"A=$(op read 'op://V/I/A')\r\nA2=$A\r\n", func(e *SecretsEdit) error { return rename(e, Renaming{From: "A", To: "NEW", Field: true}) }, "NEW=$(op read 'op://V/I/NEW')\r\nA2=$NEW\r\n"},
		"remove between comments":  {"# a\nA=1\n# b\nB=2\n", func(e *SecretsEdit) error { return e.RemoveDefinition(e.File().Definitions[0]) }, "# a\n# b\nB=2\n"},
		"remove over lines":        {"A='x\ny'\nB=2\n", func(e *SecretsEdit) error { return e.RemoveDefinition(e.File().Definitions[0]) }, "B=2\n"},
		"remove the last, no end":  {"A=1\r\nB=2", func(e *SecretsEdit) error { return e.RemoveDefinition(e.File().Definitions[1]) }, "A=1"},
		"space before the fetch":   {"S=$( kamal secrets fetch --adapter 1password A --account a --from V/I B )\n", func(e *SecretsEdit) error { return e.RemoveFetched(last(e, Fetch), "A") }, "S=$( kamal secrets fetch --adapter 1password --account a --from V/I B )\n"},
		"remove from the fetch":    {"S=$(kamal secrets fetch --adapter 1password A --account a --from V/I B)\n", func(e *SecretsEdit) error { return e.RemoveFetched(last(e, Fetch), "B") }, "S=$(kamal secrets fetch --adapter 1password A --account a --from V/I)\n"},
		"remove the fetch's first": {"S=$(kamal secrets fetch --adapter 1password A  B --account a --from V/I)\n", func(e *SecretsEdit) error { return e.RemoveFetched(last(e, Fetch), "A") }, "S=$(kamal secrets fetch --adapter 1password  B --account a --from V/I)\n"},
		"remove the only name":     {"S=$(kamal secrets fetch --adapter 1password A --account a --from V/I)\nB=1\n", func(e *SecretsEdit) error { return e.RemoveFetched(last(e, Fetch), "A") }, "B=1\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := EditSecrets("s", test.text, nil)
			if err := test.do(e); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, e.Text()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What would change the meaning of another line is refused.
func TestSecretsEdit_RefusesUnsafeEdits(t *testing.T) {
	tests := map[string]struct {
		text string
		do   func(e *SecretsEdit) error
	}{
		"the value goes on in the next line": {"A=\n'b'\n", func(e *SecretsEdit) error {
			return e.RemoveDefinition(Definition{Name: "A"})
		}},
		"a name that a line cannot hold": {"S=$(kamal secrets fetch --adapter 1password --account a --from V A)\n", func(e *SecretsEdit) error {
			return e.AddFetched(e.File().Definitions[0], "it's (#1)")
		}},
		"names out of a variable": {"N='A B'\nS=$(kamal secrets fetch --adapter 1password --account a --from V/I $N)\n", func(e *SecretsEdit) error {
			return e.AddFetched(e.File().Definitions[1], "NEW")
		}},
		"a line that opens a quote": {"A=1\n\n'\nB=x\n", func(e *SecretsEdit) error {
			return e.AddLine("NEW", "NEW='", &e.File().Definitions[0])
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := EditSecrets("s", test.text, nil)
			if err := test.do(e); err == nil {
				t.Errorf("not refused:\n%s", e.Text())
			}
			if e.Text() != test.text {
				t.Errorf("refused, and changed:\n%s", e.Text())
			}
		})
	}
}

// Values do not stand in what may be shown.
func TestSecretsEdit_Shown(t *testing.T) {
	text := "A=hunter2 # c\nB='two\nlines'\nURL=postgres://u:hunter2@$HOST/db\nC=$C\nD=\nE=\"$(op read op://V/I/E)\"\r\n"
	got := EditSecrets("s", text, nil).Shown()
	want := "A=***# c\nB=***\nURL=***\nC=$C\nD=\nE=\"$(op read op://V/I/E)\"\r\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever the files hold: a change is refused and leaves the text alone, or the
// name is there afterwards, taking it out gives the bytes back, and all else
// reads as before.
func FuzzEdit(f *testing.F) {
	f.Add("env:\n  secret:\n    - A\n", "A=$A\n")
	f.Add("env: {secret: [A, \"B\"], clear: {X: y}}\r\n", "S=$(kamal secrets fetch --adapter 1password --account a --from V/I A)\nA=$(kamal secrets extract A $S)")
	f.Add("v:\renv:", "A=$A\n")
	f.Add("x: &e\n  secret: [A]\nenv:\n  <<: *e\n", "A=\"$(op read op://V/I/A)\" # c\n'")
	f.Add("env:\n  secret:\n    - <%= a %>\n    - B\n", "A='b\nc'\n\nB=${A}\n")
	f.Fuzz(func(t *testing.T, config, secrets string) {
		if strings.Contains(config, "NEW_NAME") || strings.Contains(secrets, "NEW_NAME") {
			return
		}
		if e, err := EditConfig("c.yml", config); err == nil {
			before := e.Uses()
			err := e.Add("NEW_NAME", "env", "secret")
			if err != nil {
				if e.Text() != config {
					t.Errorf("refused, and changed: %q, %q", config, e.Text())
				}
			} else {
				if len(e.Uses()) <= len(before) {
					t.Errorf("not added: %q, %q", config, e.Text())
				}
				if err := e.Remove("NEW_NAME", nil); err == nil && len(e.Uses()) != len(before) {
					t.Errorf("not taken out: %q, %q", config, e.Text())
				}
			}
		}
		e := EditSecrets("s", secrets, nil)
		names := len(e.File().Definitions)
		for _, d := range e.File().Definitions {
			e := EditSecrets("s", secrets, nil)
			_, err := e.AddLineLike(d, "NEW_NAME", "NEW_NAME")
			if err != nil || e.Text() == secrets {
				if e.Text() != secrets {
					t.Errorf("refused, and changed: %q, %q", secrets, e.Text())
				}
				continue
			}
			defs := e.File().Definitions
			if len(defs) != names+1 {
				t.Errorf("not added: %q, %q", secrets, e.Text())
			}
			for _, d := range defs {
				if d.Name == "NEW_NAME" {
					if err := e.RemoveDefinition(d); err != nil || e.Text() != secrets {
						t.Errorf("not given back: %q, %q: %v", secrets, e.Text(), err)
					}
				}
			}
		}
		_ = e.Shown()
	})
}

func rename(e *SecretsEdit, r Renaming) error {
	_, err := e.Rename(r)
	return err
}
