package kamal

import (
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// envFileValues are values, and what Kamal's env file has of them.
var envFileValues = map[string]string{
	"plain":          "plain",
	"two\nlines":     `two\nlines`,
	"cr\r\n\ttab":    `cr\r\n\ttab`,
	`back\slash`:     `back\\slash`,
	`{"a":"b\"c"}`:   `{"a":"b\\"c"}`,
	"#{x} #$y $z":    "#{x} #$y $z",
	`\#x`:            `\#x`,
	`\\#x \"`:        `\\\#x \\"`,
	`\#{x}`:          `\\#{x}`,
	"ü€\x1b[31m\x01": `ü€\e[31m\x01`,
	"\x7f\x00":       `\x7F\x00`,
}

func TestEnvFileValue(t *testing.T) {
	for value, want := range envFileValues {
		if got := EnvFileValue(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestEnvFileValue_EscapesAsKamalDoes(t *testing.T) {
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	values := slices.Sorted(maps.Keys(envFileValues))
	given, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "ruby", "-rkamal", "-rjson", "-e",
		`puts JSON.generate(JSON.parse($stdin.read).map { |v| Kamal::EnvFile.new("X" => v).to_s })`)
	cmd.Stdin = strings.NewReader(string(given))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	if err := json.Unmarshal(out, &written); err != nil {
		t.Fatal(err)
	}
	for i, value := range values {
		if want := "X=" + EnvFileValue(value) + "\n"; written[i] != want {
			t.Errorf("%q: Kamal writes %q, we say %q", value, written[i], want)
		}
	}
}
