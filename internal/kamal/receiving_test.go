package kamal_test

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// The right side is what Kamal 2.12 writes and what dash makes of it.
func TestShellValue_AsKamalWritesItAndAShellReadsIt(t *testing.T) {
	for _, test := range []struct {
		value, written string
		same           bool
	}{
		{"", "", true},
		{"plain", `"plain"`, true},
		{"a\nb", `"a\nb"`, false},
		{"a\tb", `"a\tb"`, false},
		{`a\nb`, `"a\\nb"`, true},
		{`q"q`, `"q\"q"`, true},
		{"x#{y}", `"x\#{y}"`, false},
		{"x#y", `"x#y"`, true},
		{"$HOME", `"\$HOME"`, true},
		{"${HOME}", `"${HOME}"`, false},
		{"${}", `"${}"`, false},
		{"${a", `"\${a"`, true},
		{"`id`", "\"\\`id\\`\"", true},
		{"é", "é", true},
		{"aé$b`c`", "\"a\"é\"\\$b\\`c\\`\"", true},
		{"\x01", `"\x01"`, false},
		{"\x7f", `"\x7F"`, false},
		{"\x1b", `"\e"`, false},
		{"!x y'", `"!x y'"`, true},
		{"#$x", `"\#\$x"`, false},
		{`\`, `"\\"`, true},
		{"a$", `"a\$"`, true},
		{"$(id)", `"\$(id)"`, true},
		{"${é}", `"\${"é"}"`, true},
	} {
		if written, same := kamal.ShellValue(test.value); written != test.written || same != test.same {
			t.Errorf("%q is written as %s and arrives: %v, want %s, %v", test.value, written, same, test.written, test.same)
		}
	}
}

func TestEnvFileLine_CountsWhatKamalWrites(t *testing.T) {
	for value, want := range map[string]int{"": 2, "x": 3, "\n": 4, `\`: 4, "é": 4, strings.Repeat("x", 10): 12} {
		if got := kamal.EnvFileLine("A", value); got != want {
			t.Errorf("the line of %q has %d bytes, want %d", value, got, want)
		}
	}
}
