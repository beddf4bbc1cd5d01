package kamal

import (
	"slices"
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
