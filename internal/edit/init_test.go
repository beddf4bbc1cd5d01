package edit

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/projectfile"
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
		"Rails' task":                     {files: map[string]string{workflow: job("      - run: bin/rails deploy:production\n"), "lib/tasks/deploy.rake": "task(:production) { sh 'kamal deploy' }\n"}},
		"a task of mise's":                {files: map[string]string{workflow: job("      - run: mise run go\n"), "mise.toml": "[tasks.test]\nrun = 'rake'\n[tasks.go]\nrun = 'kamal deploy'\n"}},
		"another task of mise's":          {files: map[string]string{workflow: job("      - run: mise run test\n"), "mise.toml": "[tasks.test]\nrun = 'rake'\n[tasks.go]\nrun = 'kamal deploy'\n"}, write: true},
		"a script of npm's":               {files: map[string]string{workflow: job("      - run: npm ci && npm run up\n"), "package.json": "{\"scripts\": {\n  \"test\": \"jest\",\n  \"up\": \"kamal deploy\"}}\n"}},
		"another script of npm's":         {files: map[string]string{workflow: job("      - run: npm ci && npm test\n"), "package.json": "{\"scripts\": {\n  \"test\": \"jest\",\n  \"up\": \"kamal deploy\"}}\n"}, write: true},
		"another target":                  {files: map[string]string{workflow: job("      - run: make test\n"), "Makefile": "test:\n\trake\n\nall: x\n\tkamal deploy\n"}, write: true},
		"a script of Ruby's":              {files: map[string]string{workflow: job("      - run: bin/ship\n"), "bin/ship": "#!/usr/bin/env ruby\nsystem(\"bin/kamal\", 'deploy')\n"}},
		"a container of Kamal's":          {files: map[string]string{workflow: job("      - run: docker run --rm -v $PWD:/workdir ghcr.io/basecamp/kamal:v2 deploy\n")}},
		"a word about it":                 {files: map[string]string{workflow: job("      - run: echo 'now run kamal deploy by hand'\n")}, write: true},
		"GitLab":                          {files: map[string]string{".gitlab-ci.yml": "deploy:\n  script:\n    - kamal deploy\n"}},
		"a command that is given":         {files: map[string]string{workflow: job("      - run: bundle exec kamal ${{ inputs.command }}\n")}},
		"a command given for another":     {files: map[string]string{workflow: job("      - run: kamal ${{ inputs.command }}\n        working-directory: other\n")}, write: true},
		"a version of RubyGems'":          {files: map[string]string{workflow: job("      - run: kamal _2.5.3_ deploy\n")}},
		"a call of kamal-op's workflow":   {files: map[string]string{workflow: "on: push\njobs:\n  a:\n    uses: kamal-op/kamal-op/.github/workflows/deploy.yml@v1\n"}},
		"a call of its previews alone":    {files: map[string]string{workflow: "on: push\njobs:\n  a:\n    uses: kamal-op/kamal-op/.github/workflows/review.yml@v1\n  b:\n    uses: kamal-op/kamal-op/.github/workflows/sweep.yml@v1\n"}, write: true},
		"another's pages":                 {files: map[string]string{workflow: "on: push\njobs:\n  a:\n    uses: org/shared/.github/workflows/deploy-docs.yml@main\n"}, write: true},
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

// migrate is named where it can do it: not where an action or a script deploys.
func TestInit_namesWhatComesNext(t *testing.T) {
	for step, next := range map[string]string{
		"      - run: kamal deploy\n": "kamal-op migrate makes",
		"      - run: bin/ship\n":     "call kamal-op in place of kamal",
	} {
		dir := project(t, map[string]string{
			"config/deploy.yml":        "service: shop\nimage: a\nservers: [a]\n",
			"bin/ship":                 "#!/bin/sh\nkamal deploy\n",
			".github/workflows/ci.yml": "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n" + step,
		})
		plan, err := Init(context.Background(), check.Options{Dir: dir}, InitOptions{})
		if notes := strings.Join(plan.Notes, "\n"); err != nil || !strings.Contains(notes, next) {
			t.Errorf("%s: %v, notes %q", step, err, notes)
		}
	}
}

// A workflow of the name that init writes, of which migrate can make nothing, is no
// case for migrate.
func TestInit_namesMigrateWhereItMakesAStep(t *testing.T) {
	for step, next := range map[string]string{
		"      - run: kamal deploy\n":          "stays: kamal-op migrate makes the one step of it, or init --force",
		"      - run: kamal ${{ inputs.c }}\n": "stays: kamal-op migrate makes the one step of it, or init --force",
		"      - run: bin/ship\n":              "stays: call kamal-op in place of kamal",
		"      - run: fly deploy\n":            "stays: it has no step that runs kamal, so migrate changes nothing in it",
		"      - run: kamal version\n":         "stays: it has no step that runs kamal",
	} {
		dir := project(t, map[string]string{
			"config/deploy.yml":            "service: shop\nimage: a\nservers: [a]\n",
			"bin/ship":                     "#!/bin/sh\nkamal deploy\n",
			".github/workflows/deploy.yml": "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n" + step,
		})
		plan, err := Init(context.Background(), check.Options{Dir: dir}, InitOptions{})
		if notes := strings.Join(plan.Notes, "\n"); err != nil || !strings.Contains(notes, next) {
			t.Errorf("%s: %v, notes %q", step, err, notes)
		}
	}
}

// What is to be created in 1Password is listed every time, from what the project names
// by then, in whatever way.
func TestInit_listsTheFieldsAgain(t *testing.T) {
	const (
		config = "service: shop\nimage: a\nservers: [a]\nenv: {secret: [A, B]}\n"
		fetch  = "S=$(kamal secrets fetch --adapter 1password --account a --from Shop/Live A)\nA=$(kamal secrets extract A $S)\nB=$(op read op://Shop/Other/B)\n"
		step   = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: kamal-op/kamal-op@v1\n        with:\n          ssh-key: op://Shop/Hosts/key # of all\n"
	)
	for name, test := range map[string]struct {
		files map[string]string
		in    InitOptions
		want  []string
	}{
		"nothing before":  {want: []string{"op://Shop/Production/A", "op://Shop/Production/B", "op://Shop/Server"}},
		"a secrets file":  {files: map[string]string{".kamal/secrets": fetch}, want: []string{"op://Shop/Live/A", "op://Shop/Other/B", "op://Shop/Server"}},
		"the key's place": {files: map[string]string{".kamal/secrets": fetch, ".github/workflows/deploy.yml": step}, want: []string{"op://Shop/Live/A", "op://Shop/Other/B", "op://Shop/Hosts/key"}},
		"a key of its own": {
			files: map[string]string{".kamal/secrets": fetch, ".github/workflows/deploy.yml": step}, in: InitOptions{KeyItem: "Mine"},
			want: []string{"op://Shop/Live/A", "op://Shop/Other/B", "op://Shop/Mine"},
		},
		"passed on": {
			files: map[string]string{".kamal/secrets": "A=$A\nB=$B\n", ".github/workflows/deploy.yml": step + "          secrets: |\n            A=op://Shop/Live/A\n            B=env://B\n"},
			want:  []string{"op://Shop/Live/A", "op://Shop/Hosts/key"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"config/deploy.yml": config}
			maps.Copy(files, test.files)
			dir := project(t, files)
			for range 2 {
				plan, err := Init(context.Background(), check.Options{Dir: dir}, test.in)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, todo := range plan.Todo {
					if todo.Reference != "" {
						got = append(got, todo.Reference)
					}
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("%q in place of %q", got, test.want)
				}
				if err := plan.Write(dir); err != nil {
					t.Fatal(err)
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
				if c.File == projectfile.Name || strings.HasPrefix(c.File, workflowDir) {
					text += c.New
				}
				if c.File != projectfile.Name && strings.Contains(c.New, "ssh-key") {
					t.Errorf("%s has what holds for a terminal too:\n%s", c.File, c.New)
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

// A workflow of another repository is not read: where its name says that it deploys,
// nothing is added but by force.
func TestInit_asksBeforeItAddsToAWorkflowOfAnotherRepository(t *testing.T) {
	files := map[string]string{
		"config/deploy.yml": "service: shop\nimage: a\nservers: [a]\nenv: {secret: [A]}\n", ".kamal/secrets": "A=$A\n",
		".github/workflows/ci.yml": "on: push\njobs:\n  a:\n    uses: org/shared/.github/workflows/deploy.yml@main\n",
	}
	for _, force := range []bool{false, true} {
		plan, err := Init(context.Background(), check.Options{Dir: project(t, files)}, InitOptions{Force: force})
		if err != nil || len(plan.Changes) > 0 != force || strings.Contains(strings.Join(plan.Notes, ""), "another repository") == force {
			t.Errorf("force %v: %v, %d changes, %q", force, err, len(plan.Changes), plan.Notes)
		}
	}
}

// What another adapter calls is not in the action's image, and is said.
func TestInit_saysWhatTheImageLacks(t *testing.T) {
	files := map[string]string{
		"config/deploy.yml": "service: shop\nimage: a\nservers: [a]\nenv: {secret: [A]}\n",
		".kamal/secrets":    "S=$(kamal secrets fetch --adapter aws_secrets_manager app/A)\nA=$(kamal secrets extract A $S)\n",
	}
	plan, err := Init(context.Background(), check.Options{Dir: project(t, files)}, InitOptions{})
	if err != nil || !strings.Contains(fmt.Sprint(plan.Todo), ".kamal/secrets:1:3 calls aws, which the action's image has not") {
		t.Errorf("%v, %v", err, plan.Todo)
	}
}

// Projects of one repository do not wait for each other's deploys: of those that wait,
// GitHub keeps one.
func TestInit_givesEveryProjectOfARepositoryItsGroup(t *testing.T) {
	const config = "service: shop\nimage: a\nservers: [a]\nenv: {secret: [A]}\n"
	top := project(t, map[string]string{".git/HEAD": "ref: refs/heads/main\n", "apps/web/config/deploy.yml": config, "apps/api/config/deploy.yml": config})
	for _, app := range []string{"web", "api"} {
		plan, err := Init(context.Background(), check.Options{Dir: filepath.Join(top, "apps", app)}, InitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(plan.Changes, func(c Change) bool { return strings.Contains(c.New, "group: deploy-apps-"+app+"\n") }) {
			t.Errorf("%s: %v", app, plan.Changes)
		}
	}
}
