package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEntrypoint_IsOursUnlessACIStartsAProgram(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"sh", "cat"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/true\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"PATH=" + bin}
	plugin := []string{"PATH=" + bin, "PLUGIN_COMMAND=deploy"}
	action := append(slices.Clone(env), "GITHUB_ACTIONS=true", "INPUT_COMMAND=deploy", "INPUT_ARGS=--skip-push")
	for name, test := range map[string]struct {
		args, env []string
		program   string
		own       []string
	}{
		"nothing":             {nil, env, "", nil},
		"GitHub's action":     {[]string{"action"}, env, "", []string{"action"}},
		"a command line":      {[]string{"deploy", "--destination", "sh"}, env, "", []string{"deploy", "--destination", "sh"}},
		"our own name":        {[]string{"kamal-op", "version"}, env, "", []string{"version"}},
		"GitLab's shell":      {[]string{"sh", "-c", "exec bash"}, env, filepath.Join(bin, "sh"), nil},
		"a shell by its path": {[]string{filepath.Join(bin, "sh")}, env, filepath.Join(bin, "sh"), nil},
		"Jenkins's cat":       {[]string{"cat"}, env, filepath.Join(bin, "cat"), nil},
		"one that is missing": {[]string{"bash"}, env, "", []string{"bash"}},
		"another program":     {[]string{"ls"}, env, "", []string{"ls"}},
		"a plugin":            {nil, plugin, "", []string{"plugin"}},
		"a plugin's shell":    {[]string{"sh"}, plugin, filepath.Join(bin, "sh"), nil},
		"act's action":        {[]string{"--skip-push"}, action, "", []string{"action"}},
		"a job's own line":    {[]string{"deploy", "-v"}, append(slices.Clone(env), "GITHUB_ACTIONS=true", "INPUT_ARGS=deploy -v"), "", []string{"deploy", "-v"}},
		"a line in a plugin":  {[]string{"version"}, plugin, "", []string{"version"}},
	} {
		program, own := Entrypoint(test.args, test.env)
		if program != test.program || !cmp.Equal(own, test.own) {
			t.Errorf("%s: the program %q, the arguments %q", name, program, own)
		}
	}
}

func TestSettingLines(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"A=op://v/i/a\nB=op://v/i/b\n": "A=op://v/i/a\nB=op://v/i/b\n",
		"A=op://v/i/a,B=op://v/i/b":    "A=op://v/i/a\nB=op://v/i/b",
		"op://v/a,op://v/b":            "op://v/a\nop://v/b",
		"A=op://v/Item, one/a":         "A=op://v/Item, one/a",
		"host,192.0.2.1 ssh-ed25519 A": "host,192.0.2.1 ssh-ed25519 A",
	} {
		if got := settingLines(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestJSONLines(t *testing.T) {
	for text, want := range map[string]string{
		`{"B":"op://v/i/b","A":"1"}`: "A=1\nB=op://v/i/b",
		` ["a","b"] `:                "a\nb",
		`[]`:                         "",
	} {
		if got, ok := jsonLines(text); got != want || !ok {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "A=op://v/i/a", `{"A":1}`, "[x]", `["a"] b`, "[fe80::1]:22 ssh-ed25519 A"} {
		if got, ok := jsonLines(text); ok {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// Only a comma that a reference follows is taken for an end, and nothing else of a
// text is changed.
func FuzzSettingLines(f *testing.F) {
	for _, seed := range []string{"A=op://v/i/a,B=op://v/i/b", `{"A":"op://v/i/a"}`, "[\"a\"]", "a,b", ",op://", "x=,op://a,,op://b"} {
		f.Add(seed)
	}
	end := regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*=)?op://`)
	f.Fuzz(func(t *testing.T, text string) {
		got := settingLines(text)
		if len(got) != len(text) {
			t.Fatalf("%q became %q", text, got)
		}
		for i := range got {
			if got[i] != text[i] && (text[i] != ',' || got[i] != '\n' || !end.MatchString(text[i+1:])) {
				t.Fatalf("%q became %q", text, got)
			}
		}
	})
}
