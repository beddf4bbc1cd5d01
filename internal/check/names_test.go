package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

const shop = "service: shop\nimage: acme/shop\nservers: [192.0.2.1]\nregistry: {username: acme, password: [TOKEN]}\n"

// A declared name that programs follow is told as a deploy tells it, whoever declares it.
func TestCheck_RefusesDeclaredNamesThatProgramsFollow(t *testing.T) {
	step := func(inputs string) string {
		return "on: push\njobs:\n  a:\n    steps:\n      - uses: kamal-op/kamal-op@v1\n        with:\n          secrets: |\n            TOKEN=op://V/I/TOKEN\n            PATH=op://V/I/P\n" + inputs
	}
	ref := onepassword.Reference{Vault: "V", Item: "I", Field: "f"}
	for name, test := range map[string]struct {
		o        Options
		workflow string
		vault    string
		want     []string
	}{
		"an option":                        {o: Options{Declared: []Declared{{Name: "LD_PRELOAD", Ref: ref, Origin: "--secret"}}}, want: []string{"--secret: LD_PRELOAD"}},
		"a variable that is loaded":        {o: Options{Declared: []Declared{{Name: "BASH_ENV", Variable: "LOADED", Origin: "--secret"}}}, want: []string{"--secret: BASH_ENV"}},
		"every one":                        {o: Options{Declared: []Declared{{Name: "PATH", Ref: ref, Origin: "--secret"}, {Name: "RUBYOPT", Ref: ref, Origin: "--secret"}}}, want: []string{"--secret: PATH", "--secret: RUBYOPT"}},
		"allowed":                          {o: Options{Declared: []Declared{{Name: "PATH", Ref: ref, Origin: "--secret"}}, AllowNames: []string{"PATH"}}},
		"another is allowed":               {o: Options{Declared: []Declared{{Name: "PATH", Ref: ref, Origin: "--secret"}}, AllowNames: []string{"ENV"}}, want: []string{"--secret: PATH"}},
		"a token":                          {o: Options{Declared: []Declared{{Name: "GIT_TOKEN", Ref: ref, Origin: "--secret"}}}},
		"a field of a whole item":          {o: Options{Declared: []Declared{{Ref: onepassword.Reference{Vault: "V", Item: "I"}, Origin: "--secret"}}}, vault: "V/I/LD_AUDIT = x\nV/I/TOKEN = x\n", want: []string{"--secret: LD_AUDIT"}},
		"a workflow":                       {workflow: step(""), want: []string{"workflow: PATH"}},
		"a workflow that allows it":        {workflow: step("          allow-name: PATH\n")},
		"a workflow that allows two":       {workflow: step("          allow-name: ENV, PATH\n")},
		"a workflow that allows another":   {workflow: step("          allow-name: ENV\n"), want: []string{"workflow: PATH"}},
		"a step's environment allows it":   {workflow: step("        env: {KAMAL_OP_ALLOW_NAME: PATH}\n")},
		"the file's environment allows it": {workflow: "env:\n  KAMAL_OP_ALLOW_NAME: PATH\n" + step("")},
		"another job allows it":            {workflow: step("  b:\n    env: {KAMAL_OP_ALLOW_NAME: PATH}\n    steps: [{run: kamal-op check}]\n"), want: []string{"workflow: PATH"}},
		"a workflow, in a run":             {o: Options{Run: true}, workflow: step("")},
	} {
		t.Run(name, func(t *testing.T) {
			test.o.Dir = t.TempDir()
			files := map[string]string{"config/deploy.yml": shop, ".kamal/secrets": "TOKEN=$TOKEN\n", ".github/workflows/deploy.yml": test.workflow}
			for name, text := range files {
				path := filepath.Join(test.o.Dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if test.vault != "" {
				test.o.Vault = testkit.ParseVault(t, test.vault)
			}
			report, err := Check(context.Background(), test.o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range report.Findings {
				if f.Rule != RuleReserved {
					continue
				}
				said := kamal.ReservedNameProblem(f.Secret)
				if test.vault != "" {
					said = kamal.ReservedFieldProblem(f.Secret)
				}
				origin, found := strings.CutSuffix(f.Problem.Message, ": "+said.Message)
				if !found || f.Problem.Hint != said.Hint || f.Problem.Help != said.Help || !f.Breaks() {
					t.Errorf("%q %q", f.Problem.Message, f.Problem.Hint)
				}
				got = append(got, origin+": "+f.Secret)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
