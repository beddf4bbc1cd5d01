package edit

import (
	"context"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
)

// Where something deploys already, whatever it is and however it is called, init
// adds no second workflow that does.
func TestInit_addsNoSecondDeploy(t *testing.T) {
	config := "service: shop\nimage: a\nservers: [a]\nenv: {secret: [A]}\n"
	job := func(steps string) string {
		return "on: push\njobs:\n  release:\n    runs-on: ubuntu-latest\n    steps:\n" + steps
	}
	const workflow = ".github/workflows/ci.yml"
	tests := map[string]struct {
		files map[string]string
		write bool
	}{
		"kamal":                           {files: map[string]string{workflow: job("      - run: bundle exec kamal deploy\n")}},
		"kamal, among others":             {files: map[string]string{workflow: job("      - run: |\n          rake && timeout 9m bin/kamal redeploy -d x || exit 1\n")}},
		"kamal-op":                        {files: map[string]string{workflow: job("      - uses: kamal-op/kamal-op@v1\n")}},
		"kamal-op on the runner":          {files: map[string]string{workflow: job("      - run: kamal-op deploy\n")}},
		"another's action":                {files: map[string]string{workflow: job("      - uses: igor-alexandrov/kamal-deploy@v0.1.0\n")}},
		"an action of its own":            {files: map[string]string{workflow: job("      - uses: ./.github/actions/ship\n"), ".github/actions/ship/action.yml": "runs:\n  using: composite\n  steps:\n    - run: kamal deploy\n      shell: bash\n"}},
		"a script":                        {files: map[string]string{workflow: job("      - run: ./bin/ship\n"), "bin/ship": "#!/bin/sh\nexec bin/kamal deploy \"$@\"\n"}},
		"a target":                        {files: map[string]string{workflow: job("      - run: make ship\n"), "Makefile": "ship:\n\tkamal deploy\n"}},
		"GitLab":                          {files: map[string]string{".gitlab-ci.yml": "deploy:\n  script:\n    - kamal deploy\n"}},
		"a comment":                       {files: map[string]string{workflow: job("      # kamal deploy\n      - run: rake\n")}, write: true},
		"tests":                           {files: map[string]string{workflow: job("      - run: kamal config\n")}, write: true},
		"a check":                         {files: map[string]string{workflow: job("      - uses: kamal-op/kamal-op@v1\n        with:\n          command: check\n")}, write: true},
		"another service":                 {files: map[string]string{workflow: job("      - run: kamal deploy -c config/deploy.thumbs.yml\n")}, write: true},
		"another project of a repository": {files: map[string]string{workflow: job("      - run: kamal deploy\n        working-directory: other\n")}, write: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.files["config/deploy.yml"], test.files[".kamal/secrets"] = config, "A=$A\n"
			for _, force := range []bool{false, true} {
				plan, err := Init(context.Background(), check.Options{Dir: project(t, test.files)}, InitOptions{Force: force})
				if err != nil {
					t.Fatal(err)
				}
				if len(plan.Changes) > 0 != test.write {
					t.Errorf("changes: %v", plan.Changes)
				}
				if notes := strings.Join(plan.Notes, "\n"); !test.write && !strings.Contains(notes, "deploys already") && !strings.Contains(name, "kamal-op") {
					t.Errorf("notes: %s", notes)
				}
			}
		})
	}
}

// Vault and item are those that the project names already.
func TestInit_takesVaultAndItemFromTheProject(t *testing.T) {
	config := "service: shop\nimage: a\nservers: [a]\nenv: {secret: [A, B]}\n"
	fetch := "S=$(kamal secrets fetch --adapter 1password --account a --from Company/Shop-live A)\nA=$(kamal secrets extract A $S)\n"
	for name, test := range map[string]struct {
		files      map[string]string
		in         InitOptions
		want, note string
	}{
		"a fetch":                   {files: map[string]string{".kamal/secrets": fetch}, want: "ssh-key: op://Company/Server\n"},
		"a reference":               {files: map[string]string{".kamal/secrets": "A=$(op read op://Company/Shop/A)\n"}, want: "ssh-key: op://Company/Server\n"},
		"an option":                 {files: map[string]string{".kamal/secrets": fetch}, in: InitOptions{Vault: "Mine"}, want: "ssh-key: op://Mine/Server\n"},
		"nothing":                   {want: "ssh-key: op://Shop/Server\n"},
		"a variable, which is told": {files: map[string]string{".kamal/secrets": strings.Replace(fetch, "Company", "$VAULT", 1)}, want: "ssh-key: op://Shop/Server\n", note: "is a guess (--vault)"},
		"passed on":                 {files: map[string]string{".kamal/secrets-common": "A=$(op read op://Company/Live/A)\n", ".kamal/secrets": "B=$B\n"}, want: "            B=op://Company/Live/B\n"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"config/deploy.yml": config}
			for file, text := range test.files {
				files[file] = text
			}
			plan, err := Init(context.Background(), check.Options{Dir: project(t, files)}, test.in)
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			for _, c := range plan.Changes {
				if strings.HasPrefix(c.File, workflowDir) {
					text = c.New
				}
			}
			if !strings.Contains(text, test.want) || !strings.Contains(strings.Join(plan.Notes, "\n"), test.note) {
				t.Errorf("%s\n%q", text, plan.Notes)
			}
		})
	}
}

// What stands between lines of ERB is defined too: whether Kamal will ask for it
// depends on a condition.
func TestInit_definesWhatERBMayName(t *testing.T) {
	config := "service: shop\nimage: a\nservers: [a]\nenv:\n  secret:\n    - A\n<% if ENV[\"X\"] %>\n    - B\n<% end %>\n"
	plan, err := Init(context.Background(), check.Options{Dir: project(t, map[string]string{"config/deploy.yml": config})}, InitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range plan.Changes {
		if c.File == ".kamal/secrets" && !strings.Contains(c.New, "--from Shop/Production A B)\n") {
			t.Error(c.New)
		}
	}
}
