package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a pipeline's file declares holds for what it deploys, and for nothing else.
func TestDeclaredFor(t *testing.T) {
	action := func(with string) string {
		return "jobs:\n  a:\n    steps:\n      - uses: kamal-op/kamal-op@v1\n        with:\n          " + strings.ReplaceAll(with, "\n", "\n          ") + "\n"
	}
	calls := func(name string) string {
		return "jobs:\n  a:\n    uses: kamal-op/kamal-op/.github/workflows/" + name + ".yml@v1\n    with:\n      secrets: op://V/I\n"
	}
	for name, test := range map[string]struct {
		file, text, config     string
		plain, staging, review string
	}{
		"a whole item":                {text: action("secrets: op://V/I"), plain: "op://V/I"},
		"names":                       {text: action("secrets: |\n  # of the app\n  A=op://V/I/A\n  B=env://B"), plain: "A B"},
		"a destination":               {text: action("secrets: op://V/I\ndestination: staging"), staging: "op://V/I"},
		"a destination in args":       {text: action("secrets: op://V/I\nargs: -d staging"), staging: "op://V/I"},
		"a destination that may vary": {text: action("secrets: op://V/I\ndestination: ${{ inputs.to }}"), plain: "op://V/I", staging: "op://V/I", review: "op://V/I"},
		"a destination around it":     {text: "env: {KAMAL_OP_DESTINATION: staging}\n" + action("secrets: op://V/I"), staging: "op://V/I"},
		"a review":                    {text: action("secrets: op://V/I\ncommand: review"), review: "op://V/I"},
		"a called workflow":           {text: calls("deploy"), plain: "op://V/I"},
		"a called one, of previews":   {text: calls("review"), review: "op://V/I"},
		"a called one, that sweeps":   {text: calls("sweep"), review: "op://V/I"},
		"a check":                     {text: action("secrets: op://V/I\ncommand: check")},
		"another action":              {text: "# kamal-op\njobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n          secrets: A=op://V/I/A\n"},
		"another configuration":       {text: action("secrets: op://V/I\nconfig-file: config/other.yml")},
		"the configuration":           {text: action("secrets: op://V/I\nconfig-file: ./config/other.yml"), config: "config/other.yml", plain: "op://V/I"},
		"another project":             {text: action("secrets: op://V/I\nworking-directory: apps/other")},
		"an alias":                    {text: "x: &with {secrets: 'op://V/I'}\njobs:\n  a:\n    steps:\n      - uses: kamal-op/kamal-op@v1\n        with: *with\n", plain: "op://V/I"},
		"variables, and a command":    {file: ".gitlab-ci.yml", text: "deploy:\n  variables:\n    KAMAL_OP_SECRETS: op://V/I\n  script: kamal-op deploy -d staging\n", plain: "op://V/I", staging: "op://V/I", review: "op://V/I"},
		"variables of a destination":  {file: ".gitlab-ci.yml", text: "deploy:\n  variables:\n    KAMAL_OP_SECRETS: op://V/I\n    KAMAL_OP_DESTINATION: staging\n  script: kamal-op deploy\n", staging: "op://V/I"},
		"a plugin's settings":         {file: ".woodpecker.yml", text: "steps:\n  - image: ghcr.io/kamal-op/kamal-op:1\n    settings:\n      secrets: [op://V/I]\n      destination: staging\n", staging: "op://V/I"},
		"no YAML":                     {text: "kamal-op: [\n"},
		"nothing that can be read":    {text: action("secrets: ${{ vars.SECRETS }}")},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if test.file == "" {
				test.file = ".github/workflows/deploy.yml"
			}
			file := filepath.Join(dir, test.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for destination, want := range map[string]string{"": test.plain, "staging": test.staging, "review": test.review} {
				var got []string
				for _, d := range (Options{Dir: dir, ConfigFile: test.config}).DeclaredFor(destination) {
					if d.Name == "" {
						d.Name = d.Ref.String()
					}
					got = append(got, d.Name)
				}
				if strings.Join(got, " ") != want {
					t.Errorf("%q: %q, want %q", destination, got, want)
				}
				if run := (Options{Dir: dir, ConfigFile: test.config, Run: true}).DeclaredFor(destination); run != nil {
					t.Errorf("%q: a run is declared %v", destination, run)
				}
			}
		})
	}
}
