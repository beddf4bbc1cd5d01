package gate_test

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// rows are what a terminal of so many columns shows.
func rows(text string, width int) string {
	var all []string
	for line := range strings.SplitSeq(text, "\n") {
		runes := []rune(line)
		for len(runes) > width {
			all = append(all, strings.TrimRight(string(runes[:width]), " "))
			runes = runes[width:]
		}
		all = append(all, strings.TrimRight(string(runes), " "))
	}
	return strings.Join(all, "\n")
}

func TestFold(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"short", "short"},
		{"  hint: kamal-op host-keys prints them all", "  hint: kamal-op\n    host-keys prints\n    them all"},
		{"exactly twenty chars", "exactly twenty chars"},
		{"help: https://example.com/a/long/page#of-it", "help: https://exampl\ne.com/a/long/page#of\n-it"},
		{"a word that is quite-a-bit-longish and more", "a word that is quite\n-a-bit-longish and\n  more"},
		{"a\nline of more than twenty\nb", "a\nline of more than\n  twenty\nb"},
		{"✗ ünïcödé is as wide as it is", "✗ ünïcödé is as wide\n  as it is"},
	} {
		got := gate.Fold(test.text, 20)
		if shown := rows(got, 20); shown != test.want {
			t.Errorf("%q:\n%s\nnot\n%s", test.text, shown, test.want)
		}
		if strings.Count(got, "\n") != strings.Count(test.text, "\n") || strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(test.text), " ") {
			t.Errorf("%q became %q", test.text, got)
		}
	}
	const red = "\x1b[31m✗\x1b[0m"
	if got := gate.Fold(red+" is not wider for it", 24); got != red+" is not wider for it" {
		t.Errorf("%q", got)
	}
	if got := gate.Fold("a terminal that says nothing of its width", 0); strings.Contains(got, "  ") {
		t.Errorf("%q", got)
	}
}
