package projectfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

var known = []projectfile.Option{
	{Name: "ssh-key", List: true},
	{Name: "secret", Other: "secrets", List: true},
	{Name: "host-keys", List: true},
	{Name: "check", Confirmed: true},
	{Name: "limit"},
	{Name: "skip-push"},
}

func near(wrong string, names []string) string {
	for _, name := range names {
		if strings.HasPrefix(name, wrong[:min(3, len(wrong))]) {
			return name
		}
	}
	return ""
}

func TestParse(t *testing.T) {
	f, err := projectfile.Parse("f.yml", []byte(`# a comment
ssh-key: op://MyApp/Server
secrets:
  A: op://MyApp/Production/A   # why
  B: op://MyApp/Production/B
host-keys: |
  # two hosts
  one ssh-ed25519 AAAA

  two ssh-ed25519 BBBB
limit: 8
skip-push: true
destinations:
  staging:
    secrets: [B=op://MyApp/Staging/B]
    limit: 2
`), known, near)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		option, destination string
		want                []projectfile.Line
	}{
		{"ssh-key", "", []projectfile.Line{{Text: "op://MyApp/Server", Line: 2}}},
		{"secret", "", []projectfile.Line{{Text: "A=op://MyApp/Production/A", Line: 4}, {Text: "B=op://MyApp/Production/B", Line: 5}}},
		{"secret", "staging", []projectfile.Line{{Text: "A=op://MyApp/Production/A", Line: 4}, {Text: "B=op://MyApp/Staging/B", Line: 15}}},
		{"host-keys", "", []projectfile.Line{{Text: "one ssh-ed25519 AAAA", Line: 8}, {Text: "two ssh-ed25519 BBBB", Line: 10}}},
		{"limit", "", []projectfile.Line{{Text: "8", Line: 11}}},
		{"limit", "staging", []projectfile.Line{{Text: "2", Line: 16}}},
		{"limit", "other", []projectfile.Line{{Text: "8", Line: 11}}},
		{"skip-push", "", []projectfile.Line{{Text: "true", Line: 12}}},
		{"check", "", nil},
	} {
		if diff := cmp.Diff(test.want, f.Values(test.option, test.destination), cmpopts.IgnoreFields(projectfile.Line{}, "Column")); diff != "" {
			t.Errorf("%s of %q: %s", test.option, test.destination, diff)
		}
	}
	if got := f.Origin(projectfile.Line{Line: 4}); got != "f.yml:4" {
		t.Errorf("origin %q", got)
	}
}

func TestParse_AnEmptyFileSaysNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "destinations:\n"} {
		if f, err := projectfile.Parse("f.yml", []byte(text), known, near); err != nil || f.Values("limit", "") != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An empty list is a value: none. A destination that has it takes nothing of what holds
// for all.
func TestParse_AnEmptyListIsNotNothing(t *testing.T) {
	f, err := projectfile.Parse("f.yml", []byte(`ssh-key: [op://MyApp/Server]
secrets: {A: op://MyApp/Production/A}
host-keys: []
destinations:
  bare: {ssh-key: [], secrets: []}
  text: {ssh-key: "", secrets: {}}
  other: {limit: 1}
`), known, near)
	if err != nil {
		t.Fatal(err)
	}
	for destination, want := range map[string]int{"": 1, "other": 1, "bare": 0, "text": 0} {
		for option, line := range map[string]int{"ssh-key": 1, "secret": 2} {
			if got := f.Values(option, destination); len(got) != want {
				t.Errorf("%s of %q: %v", option, destination, got)
			}
			at, there := f.Given(option, destination)
			if want == 0 {
				line = map[string]int{"bare": 5, "text": 6}[destination]
			}
			if !there || at.Line != line {
				t.Errorf("%s of %q is given at %+v, %v", option, destination, at, there)
			}
		}
	}
	if at, there := f.Given("host-keys", "bare"); !there || f.Place(at).String() != "f.yml:3:1" {
		t.Errorf("%+v, %v", at, there)
	}
	if _, there := f.Given("skip-push", "bare"); there {
		t.Error("skip-push is given")
	}
	var named []string
	for _, d := range f.Destinations() {
		named = append(named, f.Place(d).String()+" "+d.Text)
	}
	if diff := cmp.Diff([]string{"f.yml:5:3 bare", "f.yml:6:3 text", "f.yml:7:3 other"}, named); diff != "" {
		t.Error(diff)
	}
}

// Each value has the place at which an editor finds it.
func TestParse_PlacesOfValues(t *testing.T) {
	f, err := projectfile.Parse("f.yml", []byte("limit:   8\nssh-key: [a, b]\nsecrets:\n  A: x\nhost-keys: |\n  one\n  two\n"), known, near)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, option := range []string{"limit", "ssh-key", "secret", "host-keys"} {
		for _, l := range f.Values(option, "") {
			got = append(got, f.Place(l).String()+" "+l.Text)
		}
	}
	if diff := cmp.Diff([]string{"f.yml:1:10 8", "f.yml:2:11 a", "f.yml:2:14 b", "f.yml:4:6 A=x", "f.yml:6 one", "f.yml:7 two"}, got); diff != "" {
		t.Error(diff)
	}
}

// All that is wrong is told at once, each with its line.
func TestParse_Problems(t *testing.T) {
	for text, want := range map[string][]string{
		"ssh-kye: x\nnothing: y\n":     {"f.yml:1:1: f.yml: \"ssh-kye\" is no option that may stand there (did you mean ssh-key? docs/project-file.md lists what may stand there)", "f.yml:2:1: f.yml: \"nothing\" is no option that may stand there (docs/project-file.md lists what may stand there)"},
		"limit: [1, 2]\n":              {"f.yml:1:8: f.yml: limit has one value (write limit: value)"},
		"secret: {A: x}\nsecrets: B\n": {"f.yml:2:1: f.yml: secret is given twice (keep one of the two)"},
		"secrets: {A: {B: c}}\n":       {"f.yml:1:14: f.yml: the value of secrets is no text (write it as a text, in quotes where YAML would take it for something else)"},
		"limit: &x 1\n":                {"f.yml:1:8: f.yml: the value of limit is an anchor or an alias (write the value out where it counts)"},
		"limit: *x\n":                  {"f.yml:1:8: f.yml: the value of limit is an anchor or an alias (write the value out where it counts)"},
		"secrets:\n\tA: b\n":           {"f.yml:2:1: f.yml is not YAML: found character '\t' that cannot start any token (indent with spaces: YAML takes no tabs there)"},
		"limit: 1\nlimit: 2\n":         {"f.yml:2:1: f.yml is not YAML: mapping key \"limit\" already defined at [1:1] (keep one of the two)"},
		"\ufefflimti: 1\n":             {"f.yml:1:1: f.yml: \"limti\" is no option that may stand there (did you mean limit? docs/project-file.md lists what may stand there)"},
		"- a\n":                        {"f.yml:1:1: f.yml: the file is no mapping of names to values (write NAME: value, one a line)"},
		strings.Repeat("[", 2000):      {": f.yml is not YAML: nested too deep to be read ()"},
		"limit: 1\n---\nlimit: 2\n":    {"f.yml:2:1: f.yml: there is more than one document (keep one)"},
		"limit: 1\n---\n":              {"f.yml:2:1: f.yml: there is more than one document (keep one)"},
		"destinations: {a: {destinations: {b: {limit: 1}}}}\n": {"f.yml:1:20: f.yml: \"destinations\" is no option that may stand there (docs/project-file.md lists what may stand there)"},
		"destinations: {a: {limi: 1}}\n":                       {"f.yml:1:20: f.yml: \"limi\" is no option that may stand there (did you mean limit? docs/project-file.md lists what may stand there)"},
	} {
		_, err := projectfile.Parse("f.yml", []byte(text), known, near)
		var got []string
		for _, p := range problem.Of(err) {
			got = append(got, p.Place.String()+": "+p.Message+" ("+p.Hint+")")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	for _, text := range []string{"limit: 1\r", "a: [\n", "limit: &x 1\n", "limit: *x\n"} {
		if _, err := projectfile.Parse("f.yml", []byte(text), known, near); err == nil {
			t.Errorf("%.20q is taken", text)
		}
	}
}

func TestParse_TakesAFileOf64KB(t *testing.T) {
	if _, err := projectfile.Parse("f.yml", []byte(strings.Repeat("#", projectfile.MaxSize)), known, near); err != nil {
		t.Error(err)
	}
	if _, err := projectfile.Parse("f.yml", []byte(strings.Repeat("#", projectfile.MaxSize+1)), known, near); err == nil {
		t.Error("a longer one is taken")
	}
}

// Whatever the file holds, it is read or refused, and what is read has a place.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"limit: 8\n", "secrets:\n  A: op://v/i/f\n", "host-keys: |\n  a\n  b\n", "destinations: {a: {limit: 1}}", "? a\n: b", "limit: !!int 1", "<<: {}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := projectfile.Parse("f.yml", []byte(text), known, func(string, []string) string { return "" })
		if err != nil {
			if len(problem.Of(err)) == 0 {
				t.Error("an error without a problem")
			}
			return
		}
		for _, o := range known {
			for _, l := range file.Values(o.Name, "a") {
				if l.Line < 1 || l.Line > strings.Count(text, "\n")+2 {
					t.Errorf("%q stands in line %d", l.Text, l.Line)
				}
			}
		}
	})
}
