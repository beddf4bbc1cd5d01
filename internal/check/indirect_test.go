package check

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// A workflow that deploys by a script, a target, an action or a workflow of the
// repository gives its variables too, whether it names kamal or not.
func TestCheck_FindsWorkflowsThatDeployIndirectly(t *testing.T) {
	job := func(steps string) string {
		return "on: push\njobs:\n  a:\n    runs-on: x\n    env:\n      TOKEN: ${{ secrets.TOKEN }}\n" + steps
	}
	run := func(command string) string { return job("    steps:\n      - run: " + command + "\n") }
	uses := func(action string) string { return job("    steps:\n      - uses: " + action + "\n") }
	const action, deploys = "runs:\n  using: composite\n  steps:\n    - run: kamal deploy\n      shell: bash\n", "#!/bin/sh\nexec kamal deploy\n"
	for name, test := range map[string]struct {
		workflow string
		files    map[string]string
		given    bool
	}{
		"a script":                       {workflow: run("bin/deploy"), files: map[string]string{"bin/deploy": deploys}, given: true},
		"a script, by ./":                {workflow: run("./script/go-live --now"), files: map[string]string{"script/go-live": deploys}, given: true},
		"a script of bash":               {workflow: run("bash scripts/live.sh"), files: map[string]string{"scripts/live.sh": deploys}, given: true},
		"a script among others":          {workflow: job("    steps:\n      - run: |\n          set -e\n          bin/deploy && echo done\n"), files: map[string]string{"bin/deploy": deploys}, given: true},
		"a target of make":               {workflow: run("make live"), files: map[string]string{"Makefile": "test:\n\trake\nlive: test\n\tkamal deploy\n"}, given: true},
		"another target of make":         {workflow: run("make test"), files: map[string]string{"Makefile": "test:\n\trake\nlive: test\n\tkamal deploy\n"}},
		"a recipe of just":               {workflow: run("just live"), files: map[string]string{"justfile": "live where='x':\n    kamal deploy -d {{where}}\n"}, given: true},
		"a script of npm":                {workflow: run("npm run live"), files: map[string]string{"package.json": "{\"scripts\": {\"test\": \"x\", \"live\": \"kamal deploy\"}}"}, given: true},
		"another script of npm":          {workflow: run("npm run test"), files: map[string]string{"package.json": "{\"scripts\": {\"test\": \"x\", \"live\": \"kamal deploy\"}}"}},
		"an action of the repository":    {workflow: uses("./.github/actions/ship"), files: map[string]string{".github/actions/ship/action.yml": action}, given: true},
		"an action elsewhere":            {workflow: uses("./ci/ship"), files: map[string]string{"ci/ship/action.yml": action}, given: true},
		"an action that does not deploy": {workflow: uses("./ci/test"), files: map[string]string{"ci/test/action.yml": "runs: {using: composite, steps: [{run: rake, shell: bash}]}\n"}},
		"a workflow of the repository":   {workflow: "on: push\njobs:\n  a:\n    uses: ./.github/workflows/ship.yml\n    secrets:\n      TOKEN: ${{ secrets.TOKEN }}\n", files: map[string]string{".github/workflows/ship.yml": "on: workflow_call\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: kamal deploy\n"}, given: true},
		"one of another that calls one":  {workflow: uses("./.github/actions/all"), files: map[string]string{".github/actions/all/action.yml": "runs:\n  using: composite\n  steps:\n    - uses: ./.github/actions/ship\n", ".github/actions/ship/action.yml": action}, given: true},
		"a script that does not deploy":  {workflow: run("bin/test"), files: map[string]string{"bin/test": "#!/bin/sh\nrake\n", "bin/deploy": deploys}},
		"a name that goes on":            {workflow: run("bin/deploy-docs"), files: map[string]string{"bin/deploy": deploys, "bin/deploy-docs": "x\n"}},
		"a comment":                      {workflow: job("    steps:\n      # not bin/deploy\n      - run: rake\n"), files: map[string]string{"bin/deploy": deploys}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{"config/deploy.yml": shop, ".kamal/secrets": "TOKEN=$TOKEN\n", ".github/workflows/ci.yml": test.workflow}
			for name, text := range test.files {
				files[name] = text
			}
			for name, text := range files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			report, err := Check(context.Background(), Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			given := true
			for _, f := range report.Findings {
				given = given && f.Rule != RuleNoSource
			}
			if given != test.given {
				t.Errorf("the workflow gives TOKEN: %v, want %v", given, test.given)
			}
		})
	}
}
