package kamal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// describe writes what was read of a file, a line each.
func describe(f *SecretsFile) string {
	var b strings.Builder
	for _, d := range f.Definitions {
		fmt.Fprintf(&b, "%d:%d %s %s", d.Place.Line, d.Place.Column, d.Name, d.Kind)
		for _, p := range d.Parts {
			fmt.Fprintf(&b, " [%d:%d %s", p.Place.Line, p.Place.Column, p.Kind)
			switch p.Kind {
			case Literal:
				fmt.Fprintf(&b, " %q", p.Text)
			case PassThrough:
				fmt.Fprintf(&b, " %s", p.Name)
			case Fetch:
				fmt.Fprintf(&b, " %s %q %q %q", p.Adapter, p.Account, p.From, p.Names)
			case Extract:
				fmt.Fprintf(&b, " %s of %s", p.Name, p.Source)
			default:
				fmt.Fprintf(&b, " %q", p.Text)
			}
			for _, w := range p.Wanted {
				fmt.Fprintf(&b, " <%s|%s|%s>", w.Vault, w.Item, w.Field)
			}
			if p.Inline {
				b.WriteString(" inline")
			}
			b.WriteString("]")
		}
		b.WriteString("\n")
	}
	for _, at := range f.Ignored {
		fmt.Fprintf(&b, "%d:%d ignored\n", at.Line, at.Column)
	}
	for _, at := range f.Unset {
		fmt.Fprintf(&b, "%d:%d unset\n", at.Line, at.Column)
	}
	return b.String()
}

func TestParseSecrets(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"comments and blank lines", "# one\n\n  # two\n", ""},
		{"pass-through", "A=$A\nB=${B}\n", "1:1 A pass-through [1:3 pass-through A]\n2:1 B pass-through [2:3 pass-through B]\n"},
		{
			"literal", "A=abc#def\nB='a # b'\nC=\"x\\ny\"\n",
			"1:1 A literal [1:3 literal \"abc\"]\n2:1 B literal [2:4 literal \"a # b\"]\n3:1 C literal [3:4 literal \"x\\\\ny\"]\n",
		},
		{
			"spaces, colons, export", "export A = 1\n  B: 2\nC =3\n",
			"1:8 A literal [1:12 literal \"1\"]\n2:3 B literal [2:6 literal \"2\"]\n3:1 C literal [3:4 literal \"3\"]\n",
		},
		{"export without value", "A=1\nexport A\nexport B\n", "1:1 A literal [1:3 literal \"1\"]\n3:8 unset\n"},
		{"a bare word defines an empty value", "A\n", "1:1 A literal\n"},
		{"a key with a dash is passed over", "MY-KEY=1\n", "1:1 ignored\n"},
		{"quotes over lines", "A=\"one\ntwo\"\nB=2\n", "1:1 A literal [1:4 literal \"one\\ntwo\"]\n3:1 B literal [3:3 literal \"2\"]\n"},
		{"value on the next line", "A=\n  'x'\n", "1:1 A literal [2:4 literal \"x\"]\n"},
		{"carriage returns", "A=1\r\nB=2\r\n", "1:1 A literal [1:3 literal \"1\"]\n2:1 B literal [2:3 literal \"2\"]\n"},
		{"byte order mark", "\uFEFFA=1\n", "1:1 A literal [1:3 literal \"1\"]\n"},
		{"columns count characters", "A=\"é$B\"\n", "1:1 A composed [1:4 literal \"é\"] [1:5 pass-through B]\n"},
		{
			"fetch and extract",
			"S=$(kamal secrets fetch --adapter 1password --account acme --from MyApp/Production A sec/B)\nA=$(kamal secrets extract A $S)\nB=$(kamal secrets extract sec/B ${S})\n",
			"1:1 S fetch [1:3 fetch 1password \"acme\" \"MyApp/Production\" [\"A\" \"sec/B\"] <MyApp|Production|A> <MyApp|Production|sec.B> inline]\n" +
				"2:1 A extract [2:3 extract A of S inline]\n3:1 B extract [3:3 extract sec/B of S inline]\n",
		},
		{
			"fetch in other shapes",
			"A=$(kamal secrets fetch -a 1password --from=op://V/I)\nB=$(bin/kamal secrets fetch --adapter=1password V/I)\nC=$(bundle exec kamal secrets fetch --adapter bitwarden --from x y)\nD=$(kamal secrets fetch --adapter 1password --from \"My Vault\" \"It em/f\")\n",
			"1:1 A fetch [1:3 fetch 1password \"\" \"op://V/I\" [] <V|I|> inline]\n" +
				"2:1 B fetch [2:3 fetch 1password \"\" \"\" [\"V/I\"] <V|I|password>]\n" +
				"3:1 C fetch [3:3 fetch bitwarden \"\" \"x\" [\"y\"]]\n" +
				"4:1 D fetch [4:3 fetch 1password \"\" \"My Vault\" [\"It em/f\"] <My Vault|It em|f> inline]\n",
		},
		{
			"variables in a fetch", "V=MyApp\nO=\"--from $V/Production\"\nS=$(kamal secrets fetch --adapter 1password $O A)\nT=$(kamal secrets fetch --adapter 1password --from $UNKNOWN/I A)\n",
			"1:1 V literal [1:3 literal \"MyApp\"]\n2:1 O composed [2:4 literal \"--from \"] [2:11 pass-through V] [2:13 literal \"/Production\"]\n" +
				"3:1 S fetch [3:3 fetch 1password \"\" \"MyApp/Production\" [\"A\"] <MyApp|Production|A> inline]\n" +
				"4:1 T fetch [4:3 fetch 1password \"\" \"$UNKNOWN/I\" [\"A\"] inline]\n",
		},
		{
			"op read", "A=$(op read op://V/I/F)\nB=$(op read -n \"op://V/I/S/F\")\nC=$(op read op://V/I/F | base64 -d)\nD=\"$(op read \\\"op://V/I t/F\\\")\"\n",
			"1:1 A op read [1:3 op read \"op read op://V/I/F\" <V|I|F>]\n" +
				"2:1 B op read [2:3 op read \"op read -n \\\"op://V/I/S/F\\\"\" <V|I|S.F>]\n" +
				"3:1 C command [3:3 command \"op read op://V/I/F | base64 -d\" <V|I|F>]\n" +
				"4:1 D op read [4:4 op read \"op read \\\"op://V/I t/F\\\"\" <V|I t|F>]\n",
		},
		{
			"op item get", "A=$(op item get Production --vault MyApp --fields label=A)\n",
			"1:1 A command [1:3 command \"op item get Production --vault MyApp --fields label=A\" <MyApp|Production|>]\n",
		},
		{"other command", "A=$(cat config/master.key)\n", "1:1 A command [1:3 command \"cat config/master.key\"]\n"},
		{"composed", "URL=postgres://app:$PW@db\n", "1:1 URL composed [1:5 literal \"postgres://app:\"] [1:20 pass-through PW] [1:23 literal \"@db\"]\n"},
		{"escapes", "A=\\$B\nB=\\$(id)\nC=a\\$(x)\n", "1:1 A literal [1:3 literal \"$B\"]\n2:1 B literal [2:3 literal \"$(id)\"]\n3:1 C literal [3:3 literal \"a$(x)\"]\n"},
		{"dollars that mean nothing", "A=a$\nB=$$\nC=${}\nD=$(\n", "1:1 A literal [1:3 literal \"a$\"]\n2:1 B literal [2:3 literal \"$$\"]\n3:1 C literal [3:3 literal \"${}\"]\n4:1 D literal [4:3 literal \"$(\"]\n"},
		{"nested parentheses", "A=$(echo (a (b)))\n", "1:1 A command [1:3 command \"echo (a (b))\"]\n"},
		{"single quotes keep all", "A='$(id) $B \\n'\n", "1:1 A literal [1:4 literal \"$(id) $B \\\\n\"]\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, describe(ParseSecrets("s", test.text, nil))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadSecrets_ReadsFilesInOrder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".kamal/secrets-common", "A=1\nB=1\n")
	write(t, dir, ".kamal/secrets", "B=2\n")
	write(t, dir, ".kamal/secrets.production", "B=3\n")
	for destination, want := range map[string]string{"": ".kamal/secrets", "production": ".kamal/secrets.production", "staging": ".kamal/secrets-common"} {
		s, err := ReadSecrets(ProjectOptions{Dir: dir, Destination: destination}, DefaultSecretsPath)
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := s.Lookup("B"); !ok || d.Place.File != want {
			t.Errorf("destination %q: B is from %v", destination, d.Place)
		}
		if d, ok := s.Lookup("A"); !ok || d.Place.Line != 1 {
			t.Errorf("destination %q: A is from %v", destination, d.Place)
		}
	}
}

func TestParseSecrets_ReadsVariablesOfTheEnvironment(t *testing.T) {
	f := ParseSecrets("s", "S=$(kamal secrets fetch -a 1password --from $VAULT/I A)\n", []string{"VAULT=X", "VAULT=MyApp"})
	if got := f.Definitions[0].Parts[0].Wanted; len(got) != 1 || got[0].Vault != "MyApp" {
		t.Errorf("wanted %+v", got)
	}
}

func FuzzParseSecrets(f *testing.F) {
	f.Add("A=$(kamal secrets fetch --adapter 1password --from V/I B)\nB=$(kamal secrets extract B $A)\n")
	f.Add("export A: \"x\\n$B\" # c\r\n'")
	f.Add("A=\\$(id\\))\nB=${C")
	f.Fuzz(func(t *testing.T, text string) {
		file := ParseSecrets("s", text, nil)
		lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r")
		for _, d := range file.Definitions {
			if d.Place.Line < 1 || d.Place.Line > lines || d.Place.Column < 1 {
				t.Errorf("%s is at %v of %d lines", d.Name, d.Place, lines)
			}
			for _, p := range d.Parts {
				if p.Place.Line < d.Place.Line || p.Place.Line > lines {
					t.Errorf("a part of %s is at %v, the name at %v", d.Name, p.Place, d.Place)
				}
			}
		}
	})
}

// write makes a file below dir.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
