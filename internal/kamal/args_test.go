package kamal

import (
	"slices"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	for arg, want := range map[string][]Option{
		"--version":                  {{Name: "--version"}},
		"--version=v1":               {{Name: "--version"}},
		"--no-version":               {{Name: "--version", Off: true}},
		"--skip-version":             {{Name: "--version", Off: true}},
		"--config_file=x":            {{Name: "--config-file"}},
		"--skip-push":                {{Name: "--skip-push"}},
		"--skip_push":                {{Name: "--skip-push"}},
		"--no-skip-push":             {{Name: "--skip-push", Off: true}},
		"--skip_skip_push":           {{Name: "--skip-push", Off: true}},
		"--skip-push=false":          {{Name: "--skip-push", Off: true}},
		"--skip-push=true":           {{Name: "--skip-push"}},
		"--skip-hooks":               {{Name: "--skip-hooks"}},
		"--no-cache":                 {{Name: "--no-cache"}},
		"-P":                         {{Name: "--skip-push"}},
		"-P=f":                       {{Name: "--skip-push", Off: true}},
		"-qP":                        {{Name: "--quiet"}, {Name: "--skip-push"}},
		"-d":                         {{Name: "--destination"}},
		"-d=x":                       {{Name: "--destination"}},
		"-d1":                        {{Name: "--destination"}},
		"-pD":                        {{Name: "--primary"}, {Name: "-D"}},
		"-chrvH":                     {{Name: "--config-file"}, {Name: "--hosts"}, {Name: "--roles"}, {Name: "--verbose"}, {Name: "--skip-hooks"}},
		"a value\n--version=v1\n-c1": {{Name: "--version"}, {Name: "--config-file"}},
		"staging":                    nil,
		"a-d --version":              nil,
		"-":                          nil,
		"":                           nil,
	} {
		for i := range want {
			want[i].Text = arg
		}
		if got := Options([]string{"deploy", arg}); !slices.Equal(got, want) {
			t.Errorf("%q: %+v, want %+v", arg, got, want)
		}
	}
}

// The version that Kamal takes: the last option that says one, then VERSION.
func TestDeclaredVersion(t *testing.T) {
	for line, want := range map[string]string{
		"deploy":                               "",
		"deploy --version=v1":                  "v1",
		"deploy --version=v1 --version v2":     "v2",
		"deploy --version=v1 -q":               "v1",
		"VERSION=v3 deploy":                    "v3",
		"VERSION=v3 deploy --version v2":       "v2",
		"deploy --version":                     "--version",
		"deploy --no-version":                  "--no-version",
		"rollback v1 --version v2":             "v1",
		"VERSION=v3 rollback v1":               "v1",
		"deploy --destination=x\n--version=v2": "--destination=x\n--version=v2",
	} {
		env := map[string]string{}
		args := strings.Split(line, " ")
		if value, ok := strings.CutPrefix(args[0], "VERSION="); ok {
			env["VERSION"], args = value, args[1:]
		}
		if got := DeclaredVersion(args, env); got != want {
			t.Errorf("%q is %q, not %q", line, got, want)
		}
	}
}
