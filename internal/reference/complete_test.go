package reference_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/reference"
)

// sample is a small grammar with one of each.
var sample = reference.Grammar{
	Commands: []reference.Command{
		{Name: "deploy", Help: "Deploy. All of it.", Options: []reference.Option{
			{Name: "destination", Short: "d", Complete: "destination"},
			{Name: "hosts", Complete: "host"},
			{Name: "plain", Kind: reference.Switch},
			{Name: "check", Enum: []string{"error", "warn"}},
			{Name: "config-file", Complete: "file"},
		}},
		{Name: "remove", Arguments: []reference.Argument{{Name: "name", Complete: "secret"}}},
		{Name: "review", Group: true},
		{Name: "review sweep", Options: []reference.Option{{Name: "ttl"}}},
		{Name: "help", Arguments: []reference.Argument{{Name: "command", Optional: true, Repeats: true}}},
		{Name: "completion", Arguments: []reference.Argument{{Name: "shell", Enum: []string{"bash", "fish"}}}},
	},
	Global: []reference.Option{{Name: "keep-fd"}},
}

func TestComplete(t *testing.T) {
	names := map[string][]string{"destination": {"staging", "production"}, "host": {"a.example", "b.example"}, "secret": {"A", "B"}}
	for line, want := range map[string]string{
		"":                          "deploy remove review help completion",
		"re":                        "remove review",
		"review ":                   "sweep",
		"review sweep -":            "--ttl --keep-fd --help",
		"deploy --pl":               "--plain",
		"deploy --plain --ch":       "--check",
		"deploy -d ":                "staging production",
		"deploy -d staging --k":     "--keep-fd",
		"deploy --destination=p":    "--destination=production",
		"deploy --hosts a.example,": "a.example,a.example a.example,b.example",
		"deploy --check w":          "warn",
		"deploy --config-file x":    ":files",
		"deploy --nothing=":         "",
		"deploy -- x":               ":files",
		"remove ":                   "A B",
		"remove A ":                 "",
		"help rev":                  "review",
		"help review ":              "sweep",
		"completion f":              "fish",
		"nothing ":                  "deploy remove review help completion",
	} {
		var got []string
		for _, s := range reference.Complete(sample, strings.Split(line, " "), func(kind string) []string { return names[kind] }) {
			got = append(got, s.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q gives %q, not %q", line, got, want)
		}
	}
}

func TestSuggestion_HelpIsItsFirstSentence(t *testing.T) {
	s := reference.Suggestion{Text: "deploy", Help: "Deploy. All of it."}
	if got := s.Line("fish"); got != "deploy\tDeploy" {
		t.Errorf("%q", got)
	}
	if got := s.Line("bash"); got != "deploy" {
		t.Errorf("%q", got)
	}
}

// bash takes words apart at = and :, and replaces the part that it calls the last word.
func TestRejoined(t *testing.T) {
	for _, test := range []struct{ words, joined, suggestion, part string }{
		{"deploy|--hosts|=|a", "deploy|--hosts=a", "--hosts=a.example", "a.example"},
		{"deploy|--hosts|=", "deploy|--hosts=", "--hosts=a.example", "a.example"},
		{"run|--secret|=|A|=|op|:|//V", "run|--secret=A=op://V", "--secret=A=op://Vault", "//Vault"},
		{"dep", "dep", "deploy", "deploy"},
		{"deploy|", "deploy|", "x", "x"},
	} {
		words := strings.Split(test.words, "|")
		if got := reference.Rejoined(words); !slices.Equal(got, strings.Split(test.joined, "|")) {
			t.Errorf("%q became %q", words, got)
		}
		if got := reference.BashPart(words, test.suggestion); got != test.part {
			t.Errorf("%q: %q of %q", words, got, test.suggestion)
		}
	}
}

// A line that begins with a dot or an apostrophe would be a request of roff's.
func TestMan_SaysTextsAsTheyAre(t *testing.T) {
	page := reference.Man(reference.Grammar{Description: ".so /etc/passwd \\n a-b"}, "'x")
	for _, want := range []string{"\\&.so /etc/passwd \\en a\\-b\n", "\\&'x\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
}
