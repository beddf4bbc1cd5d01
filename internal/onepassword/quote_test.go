package onepassword_test

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// TestQuote: what comes from outside takes one line of a message, and not a long one.
func TestQuote(t *testing.T) {
	long := strings.Repeat("a", 200)
	for text, want := range map[string]string{
		"":                    `""`,
		"a name":              `"a name"`,
		"a\nb\x1b[31m":        `"a\nb\x1b[31m"`,
		long:                  `"` + long + `"`,
		long + "b":            `"` + long + `…"`,
		long[:199] + "é":      `"` + long[:199] + `…"`, // no half of a character
		long[:198] + "é":      `"` + long[:198] + `é"`,
		`with "quotes" in it`: `"with \"quotes\" in it"`,
	} {
		if got := onepassword.Quote(text); got != want {
			t.Errorf("%q is quoted as %s", text, got)
		}
	}
	reference := "op://" + strings.Repeat("a", 195)
	for text, want := range map[string]string{
		"op://My App/Prod/Schlüssel": "op://My App/Prod/Schlüssel",
		reference:                    reference,
		reference + "b":              `"` + reference + `…"`,
		"op://a/b\n/c":               `"op://a/b\n/c"`,
		"op://a/\xff":                `"op://a/\xff"`,
	} {
		if got := onepassword.QuoteReference(text); got != want {
			t.Errorf("%q is told as %s", text, got)
		}
	}
}

// TestList: names stand as they are where that is plain.
func TestList(t *testing.T) {
	hundred := strings.Repeat("a", 100)
	twenty := strings.Split(strings.Repeat("x,", 19)+"x", ",")
	for want, names := range map[string][]string{
		"":                              {},
		"A, B C":                        {"A", "B C"},
		`"", "a,b", "a\"b", "a\tb"`:     {"", "a,b", `a"b`, "a\tb"},
		hundred:                         {hundred},
		`"` + hundred + `a"`:            {hundred + "a"},
		strings.Repeat("x, ", 19) + "x": twenty,
		strings.Repeat("x, ", 19) + "x and 1 more": append(twenty[:20:20], "y"),
	} {
		if got := onepassword.List(names); got != want {
			t.Errorf("%q is told as %s", names, got)
		}
	}
}
