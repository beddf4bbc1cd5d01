package projectfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		{"ssh-key", "", []projectfile.Line{{"op://MyApp/Server", 2}}},
		{"secret", "", []projectfile.Line{{"A=op://MyApp/Production/A", 4}, {"B=op://MyApp/Production/B", 5}}},
		{"secret", "staging", []projectfile.Line{{"A=op://MyApp/Production/A", 4}, {"B=op://MyApp/Staging/B", 15}}},
		{"host-keys", "", []projectfile.Line{{"one ssh-ed25519 AAAA", 8}, {"two ssh-ed25519 BBBB", 10}}},
		{"limit", "", []projectfile.Line{{"8", 11}}},
		{"limit", "staging", []projectfile.Line{{"2", 16}}},
		{"limit", "other", []projectfile.Line{{"8", 11}}},
		{"skip-push", "", []projectfile.Line{{"true", 12}}},
		{"check", "", nil},
	} {
		if diff := cmp.Diff(test.want, f.Values(test.option, test.destination)); diff != "" {
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

// All that is wrong is told at once, each with its line.
func TestParse_Problems(t *testing.T) {
	for text, want := range map[string][]string{
		"ssh-kye: x\nnothing: y\n":       {"f.yml:1:1: f.yml: \"ssh-kye\" is no option that may stand there (did you mean ssh-key? docs/project-file.md lists what may stand there)", "f.yml:2:1: f.yml: \"nothing\" is no option that may stand there (docs/project-file.md lists what may stand there)"},
		"limit: [1, 2]\n":                {"f.yml:1:8: f.yml: limit has one value (write limit: value)"},
		"secret: {A: x}\nsecrets: B\n":   {"f.yml:2:1: f.yml: secret is given twice (keep one of the two)"},
		"secrets: {A: {B: c}}\n":         {"f.yml:1:14: f.yml: the value of secrets is no text (write it as a text, in quotes where YAML would take it for something else)"},
		"- a\n":                          {"f.yml:1:1: f.yml: the file is no mapping of names to values (write NAME: value, one a line)"},
		strings.Repeat("[", 2000):        {": f.yml is not YAML: nested too deep to be read ()"},
		"destinations: {a: {limi: 1}}\n": {"f.yml:1:20: f.yml: \"limi\" is no option that may stand there (did you mean limit? docs/project-file.md lists what may stand there)"},
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
	for _, text := range []string{"a: [\n", "limit: &x 1\n", "limit: *x\n", strings.Repeat("#", 65<<10)} {
		if _, err := projectfile.Parse("f.yml", []byte(text), known, near); err == nil {
			t.Errorf("%.20q is taken", text)
		}
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
