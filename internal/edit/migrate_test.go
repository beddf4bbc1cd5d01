package edit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// project is a directory with these files.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	archive := &txtar.Archive{}
	for name, text := range files {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
	}
	return testkit.WriteProject(t, archive, testkit.Form{})
}

const (
	before = "on: push\n\njobs:\n  test:\n    runs-on: x\n    steps:\n      - run: rake\n  deploy: # it\n    runs-on: x\n    steps:\n      # check out\n      - uses: actions/checkout@v4\n"
	load   = "      - id: op\n        uses: 1password/load-secrets-action@v3\n        with: {export-env: false}\n        env:\n          OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP }}\n          KEY: op://V/Server/key\n          REG: op://V/I/REG\n"
	agent  = "      - uses: webfactory/ssh-agent@v0.9.0\n        with:\n          ssh-private-key: ${{ steps.op.outputs.KEY }}\n\n      # go\n"
	token  = "          service-account-token: ${{ secrets.OP }}\n          ssh-key: op://V/Server/key\n"
	one    = "      - uses: kamal-op/kamal-op@v1\n        with:\n"
)

// What becomes of workflows as people write them.
func TestMigrate(t *testing.T) {
	tests := map[string]struct {
		text, want, note, err string
		key                   string
	}{
		"the whole of it": {
			text: before + "      - uses: 1password/install-cli-action@v2\n      - uses: ruby/setup-ruby@v1\n        with:\n          ruby-version: 3.4\n      - run: gem install kamal -v 2.12.0\n" + load + agent +
				"      - name: Deploy\n        run: bundle exec kamal deploy\n        timeout-minutes: 5\n",
			want: before + "\n      # go\n      - name: Deploy\n        uses: kamal-op/kamal-op@v1\n        with:\n" + token + "        timeout-minutes: 5\n",
		},
		"a destination, arguments, a script of one line": {
			text: before + load + agent + "      - run: |\n          bin/kamal setup -d eu --skip-push\n        working-directory: app\n  after:\n    runs-on: x\n    steps: [run: x]\n",
			want: before + "\n      # go\n" + one + "          command: setup\n" + token + "          destination: eu\n          args: --skip-push\n          working-directory: app\n  after:\n    runs-on: x\n    steps: [run: x]\n",
		},
		"secrets in the step's environment": {
			text: before + load + agent + "      - run: kamal deploy\n        env:\n          KAMAL_REGISTRY_PASSWORD: ${{ steps.op.outputs.REG }}\n          APP: x # stays\n          OLD: ${{ secrets.OLD }}\n",
			want: before + "\n      # go\n" + one + token + "          secrets: |\n            KAMAL_REGISTRY_PASSWORD=op://V/I/REG\n        env:\n          APP: x # stays\n          OLD: ${{ secrets.OLD }}\n",
			note: "OLD comes from GitHub's secrets still",
		},
		"exported secrets": {
			text: before + strings.Replace(load, "false", "true", 1) + strings.Replace(agent, "steps.op.outputs.KEY", "env.KEY", 1) + "      - run: kamal deploy",
			want: before + "\n      # go\n" + one + token + "          secrets: |\n            REG=op://V/I/REG\n",
		},
		"Ruby for another step": {
			text: before + "      - uses: ruby/setup-ruby@v1\n      - run: bundle exec rake assets\n" + load + agent + "      - run: kamal deploy\n",
			want: before + "      - uses: ruby/setup-ruby@v1\n      - run: bundle exec rake assets\n\n      # go\n" + one + token,
			note: "Ruby stays",
		},
		"the key from GitHub's secrets": {
			text: before + strings.Replace(agent, "steps.op.outputs.KEY", "secrets.SSH_KEY", 1) + "      - run: kamal deploy\n",
			err:  "the SSH key comes from ${{ secrets.SSH_KEY }}, not from 1Password",
		},
		"the key from GitHub's secrets, now in 1Password": {
			text: before + strings.Replace(agent, "steps.op.outputs.KEY", "secrets.SSH_KEY", 1) + "      - run: kamal deploy\n",
			key:  "op://My App/Server",
			want: before + "\n      # go\n" + one + "          service-account-token: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n          ssh-key: op://My App/Server\n",
		},
		"a Connect server of the loading step": {
			text: before + strings.Replace(load, "OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP }}", "OP_CONNECT_HOST: ${{ vars.HOST }}\n          OP_CONNECT_TOKEN: ${{ secrets.CONNECT }}", 1) + agent + "      - run: kamal deploy\n",
			want: before + "\n      # go\n" + one + "          connect-host: ${{ vars.HOST }}\n          connect-token: ${{ secrets.CONNECT }}\n          ssh-key: op://V/Server/key\n",
		},
		"a Connect server that others of the loading steps have": {
			text: before + "      - uses: 1password/load-secrets-action/configure@v3\n        with:\n          connect-host: https://connect.example.com\n          connect-token: ${{ secrets.CONNECT }}\n" +
				strings.Replace(load, "          OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP }}\n", "", 1) + agent + "      - run: kamal deploy\n",
			want: before + "\n      # go\n" + one + "          connect-host: 'https://connect.example.com'\n          connect-token: ${{ secrets.CONNECT }}\n          ssh-key: op://V/Server/key\n",
		},
		"a token that others of the loading steps have": {
			text: before + "      - uses: 1password/load-secrets-action/configure@v3\n        with:\n          service-account-token: ${{ secrets.OP }}\n" +
				strings.Replace(load, "          OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP }}\n", "", 1) + agent + "      - run: kamal deploy\n",
			want: before + "\n      # go\n" + one + token,
		},
		"a Connect server of the step that deploys": {
			text: before + load[:strings.Index(load, "          OP_")] + load[strings.Index(load, "          KEY"):] + agent + "      - run: kamal deploy\n        env:\n          OP_CONNECT_HOST: https://connect.example.com\n          OP_CONNECT_TOKEN: ${{ secrets.CONNECT }}\n",
			want: before + "\n      # go\n" + one + "          ssh-key: op://V/Server/key\n        env:\n          OP_CONNECT_HOST: https://connect.example.com\n          OP_CONNECT_TOKEN: ${{ secrets.CONNECT }}\n",
		},
		"a Connect server of one step and the job's service account": {
			text: strings.Replace(before, "  deploy: # it\n", "  deploy: # it\n    env:\n      OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP }}\n", 1) + strings.Replace(load, "OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP }}", "OP_CONNECT_HOST: ${{ vars.HOST }}\n          OP_CONNECT_TOKEN: ${{ secrets.CONNECT }}", 1) + agent + "      - run: kamal deploy\n",
			want: before + "\n      # go\n" + one + token,
			note: "d.yml:15: the Connect server of this step is left out",
		},
		"no agent": {
			text: before + "      - run: kamal deploy\n",
			want: before + one + "          service-account-token: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n",
			note: "add the input ssh-key",
		},
		"done already":             {text: before + one + token, want: before + one + token, note: "has the one step already"},
		"more than kamal":          {text: before + "      - run: |\n          kamal deploy\n          curl x\n", err: "runs more than that"},
		"kamal among other things": {text: before + "      - run: rake && kamal deploy\n", err: "runs more than that"},
		"two steps, each for its own case": {
			text: before + load + agent + "      - if: github.ref == 'refs/heads/main'\n        run: kamal deploy -d a\n      - run: kamal redeploy -d b\n        if: github.ref != 'refs/heads/main'\n",
			want: before + "\n      # go\n      - if: github.ref == 'refs/heads/main'\n        uses: kamal-op/kamal-op@v1\n        with:\n" + token + "          destination: a\n" + one +
				"          command: redeploy\n" + token + "          destination: b\n        if: github.ref != 'refs/heads/main'\n",
		},
		"no YAML":                 {text: "jobs: [\n - run: kamal deploy\n", err: "is not YAML"},
		"the input of an action":  {text: before + "      # now\n      - uses: nick-fields/retry@v3\n        with:\n          command: kamal deploy\n", err: "the deploy stands in no step's run"},
		"a container of Kamal's":  {text: before + "      - run: docker run --rm ghcr.io/basecamp/kamal:v2.12.0 deploy -d x\n", err: "the deploy stands in no step's run"},
		"a step with an anchor":   {text: before + "      - &deploy\n        run: kamal deploy\n", err: "d.yml:13: the step that runs kamal is an anchor or an alias"},
		"a name that says deploy": {text: before + "      - name: kamal deploy\n        run: ./deploy\n", err: "has no step that runs kamal deploy"},
		"no Kamal":                {text: before, err: "has no step that runs kamal deploy"},
	}
	for name, test := range tests {
		for _, eol := range []string{"\n", "\r\n"} {
			t.Run(name, func(t *testing.T) {
				dir := project(t, map[string]string{".github/workflows/d.yml": strings.ReplaceAll(test.text, "\n", eol)})
				plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Workflow: ".github/workflows/d.yml", SSHKey: test.key})
				if test.err != "" {
					if err == nil || !strings.Contains(err.Error(), test.err) {
						t.Errorf("%v does not say %q", err, test.err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got := strings.ReplaceAll(test.text, "\n", eol)
				if len(plan.Changes) > 0 {
					got = plan.Changes[0].New
				}
				if diff := cmp.Diff(strings.ReplaceAll(test.want, "\n", eol), got); diff != "" {
					t.Error(diff)
				}
				if !strings.Contains(strings.Join(plan.Notes, "\n"), test.note) {
					t.Errorf("notes: %q", plan.Notes)
				}
			})
		}
	}
}

// What init writes is right: nothing is wrong with the project then, and a second
// time changes nothing. What is there stays.
func TestInit(t *testing.T) {
	names := testkit.Projects(t)
	begun := 0
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := testkit.WriteProject(t, archive, testkit.Form{})
		o := check.Options{Dir: dir}
		was, err := check.Check(context.Background(), o)
		if err != nil {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, ".kamal")); err != nil {
			t.Fatal(err)
		}
		plan, err := Init(context.Background(), o, InitOptions{Vault: "My App", Account: "example"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := plan.Write(dir); err != nil {
			t.Fatal(err)
		}
		report, err := check.Check(context.Background(), o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range report.Findings {
			if f.Rule != check.RuleLost && f.Rule != check.RuleClear && f.Rule != check.RuleIgnored && f.Rule != check.RuleSyntax {
				t.Errorf("%s: %v", name, f.Problem)
			}
		}
		if len(was.Matrices) > 0 && len(plan.Todo) < 2 {
			t.Errorf("%s: left to do: %v", name, plan.Todo)
		}
		again, err := Init(context.Background(), o, InitOptions{Vault: "My App", Account: "example"})
		if err != nil || len(again.Changes) > 0 {
			t.Errorf("%s: a second time changes %v, %v", name, again.Changes, err)
		}
		begun++
	}
	if begun < 40 {
		t.Errorf("%d projects", begun)
	}
}

func TestInit_whatIsThereStays(t *testing.T) {
	config := "service: my-shop\nimage: a\nservers: [a]\nenv: {secret: [A, B]}\n"
	files := map[string]string{
		"config/deploy.yml": config, ".kamal/secrets": "A=$A\n", ".gitignore": ".kamal/\n",
		".github/workflows/deploy.yml": "on: push\njobs: {}\n",
	}
	dir := project(t, files)
	got := func(in InitOptions) (map[string]string, Plan) {
		plan, err := Init(context.Background(), check.Options{Dir: dir}, in)
		if err != nil {
			t.Fatal(err)
		}
		changed := map[string]string{}
		for _, c := range plan.Changes {
			changed[c.File] = c.New
		}
		return changed, plan
	}
	changed, plan := got(InitOptions{})
	if diff := cmp.Diff(map[string]string{".kamal/secrets": "A=$A\nB=$B\n"}, changed); diff != "" {
		t.Error(diff)
	}
	notes := strings.Join(plan.Notes, "\n")
	for _, want := range []string{".github/workflows/deploy.yml is there already and stays", ".gitignore:1: .kamal/ hides .kamal/secrets from git"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in %s", want, notes)
		}
	}
	changed, _ = got(InitOptions{Force: true, Review: "service: x\n", Branch: "trunk"})
	for file, part := range map[string]string{
		".github/workflows/deploy.yml": "            A=op://MyShop/Production/A\n            B=op://MyShop/Production/B\n",
		"config/deploy.review.yml":     "service: x\n",
		".kamal/secrets.review":        "--from Previews/Review A B)\n",
	} {
		if !strings.Contains(changed[file], part) {
			t.Errorf("%s: %q", file, changed[file])
		}
	}
	if !strings.Contains(changed[".github/workflows/deploy.yml"], "branches: [trunk]") {
		t.Error(changed[".github/workflows/deploy.yml"])
	}
}
