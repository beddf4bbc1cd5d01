package edit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// head is a workflow up to its last job's steps.
const head = "name: x\non:\n  workflow_dispatch:\n    inputs:\n      destination:\n        type: string\n      more:\n        type: string\nenv:\n  FROM_WORKFLOW: w\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    env:\n      FROM_JOB: j\n      BOTH: job\n    steps:\n      - uses: actions/checkout@v4\n"

// A step is read as the runner's shell reads it: what its words come to is in the
// inputs, and what only a shell can do is refused, with the reason. Nothing is
// carried over as it stands.
func TestMigrate_readsTheScriptAsAShellDoes(t *testing.T) {
	step := func(run string, keys ...string) string {
		text := "      - run: |\n"
		for line := range strings.Lines(run + "\n") {
			text += "          " + line
		}
		return text + strings.Join(keys, "")
	}
	tests := map[string]struct {
		step string
		want []string // lines under with and env
		err  string
		note string
	}{
		"an expression":                   {step: step("kamal deploy -d ${{ inputs.destination }} --skip-push"), want: []string{"destination: ${{ inputs.destination }}", "args: --skip-push"}},
		"an expression with }} in a text": {step: step("kamal deploy -d ${{ format('{0}}}', 'a b') }}"), want: []string{"destination: ${{ format('{0}}}', 'a b') }}"}},
		"an expression within a word":     {step: step("kamal deploy --version=v${{ github.sha }}-1"), want: []string{"args: --version=v${{ github.sha }}-1"}},
		"an expression in quotes":         {step: step(`kamal deploy --version "${{ inputs.more }}"`), want: []string{`args: '--version "${{ inputs.more }}"'`}},
		"words of an expression":          {step: step("kamal deploy ${{ inputs.more }}"), want: []string{"args: ${{ inputs.more }}"}},
		"quotes":                          {step: step(`kamal deploy -d "staging" --version='v 1'`), want: []string{"destination: staging", `args: '''--version=v 1'''`}},
		"the other forms of options":      {step: step("kamal deploy --destination=eu -c config/other.yml -P"), want: []string{"destination: eu", "config-file: config/other.yml", "args: -P"}},
		"options behind --":               {step: step("kamal deploy -P -d eu -- -d x"), want: []string{"destination: eu", "args: -P -- -d x"}},
		"flags in one word":               {step: step("kamal deploy -Pd eu"), err: "several flags in one word, -Pd"},
		"an option with its value":        {step: step("kamal deploy -deu"), want: []string{"destination: eu"}},
		"a number":                        {step: step("kamal deploy -d 1"), want: []string{"destination: '1'"}},
		"a variable of the step":          {step: step("kamal deploy --version=$RELEASE -d \"$RELEASE\"", "        env:\n          RELEASE: ${{ github.sha }}\n"), want: []string{"destination: ${{ github.sha }}", "args: --version=${{ github.sha }}", "RELEASE: ${{ github.sha }}"}},
		"a variable of the job":           {step: step("kamal deploy -d ${FROM_JOB}"), want: []string{"destination: j"}},
		"a variable of the workflow":      {step: step("kamal deploy -d $FROM_WORKFLOW"), want: []string{"destination: w"}},
		"the nearest one":                 {step: step("kamal deploy -d $BOTH", "        env:\n          BOTH: step\n"), want: []string{"destination: step", "BOTH: step"}},
		"a variable of GitHub's":          {step: step("kamal deploy --version=$GITHUB_SHA"), want: []string{"args: --version=${{ github.sha }}"}},
		"a variable of several words":     {step: step("kamal deploy $ARGS", "        env:\n          ARGS: --skip-push -v\n"), want: []string{"args: --skip-push -v", "ARGS: --skip-push -v"}},
		"a variable that an earlier step sets": {
			step: "      - run: echo \"TAG=v1\" >> \"$GITHUB_ENV\"\n" + step("kamal deploy --version=$TAG"), want: []string{"args: --version=${{ env.TAG }}"},
		},
		"a variable of the script":     {step: step("TARGET=eu\nkamal deploy -d $TARGET"), want: []string{"destination: eu"}},
		"a variable for Kamal":         {step: step("RUBYOPT=-W0 kamal deploy"), want: []string{"RUBYOPT: -W0"}},
		"a variable that is exported":  {step: step("export VERSION=${{ github.sha }} && kamal deploy"), want: []string{"VERSION: ${{ github.sha }}"}},
		"a variable by env":            {step: step("env A=1 kamal deploy"), want: []string{"A: '1'"}},
		"a variable that is there too": {step: step("BOTH=x\nkamal deploy"), want: []string{"BOTH: x"}},
		"a time":                       {step: step("timeout 20m kamal deploy"), want: []string{"timeout: 20m"}},
		"a time in seconds":            {step: step("timeout --signal=INT -k 5 90 bundle exec kamal deploy"), want: []string{"timeout: 90s"}, note: "gems are not in kamal-op's image"},
		"a time from an expression":    {step: step("timeout ${{ inputs.more }}m kamal deploy"), want: []string{"timeout: ${{ inputs.more }}m"}},
		"lines that go on":             {step: step("kamal deploy \\\n  -d eu \\\n  --skip-push"), want: []string{"destination: eu", "args: --skip-push"}},
		"a directory":                  {step: step("cd backend && kamal deploy", "        working-directory: ./app\n"), want: []string{"working-directory: app/backend"}},
		"settings of the shell":        {step: step("set -euo pipefail\nkamal deploy 2>&1"), want: nil},
		"what it installs":             {step: step("gem install kamal -v 2.5.3\nkamal deploy"), note: "Kamal 2.5.3 was installed here"},
		"what it prints":               {step: step("echo \"now\"\nkamal deploy"), note: "prints by itself (echo) is left out"},
		"time and exec":                {step: step("time exec bin/kamal deploy"), want: nil},
		"references that op run resolves": {
			step: step("op run --no-masking -- bin/kamal deploy", "        env:\n          OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP }}\n          DB: op://App/Prod/DB\n          APP: x\n"),
			want: []string{"secrets: |", "DB=op://App/Prod/DB", "APP: x"},
		},
		"references that nothing resolved": {
			step: step("kamal deploy", "        env:\n          DB: op://App/Prod/DB\n          APP: x\n"),
			want: []string{"secrets: |", "DB=op://App/Prod/DB", "APP: x"}, note: "DB is a secret reference in the environment: it is declared",
		},
		"another user's rights":   {step: step("sudo -E A=1 kamal deploy"), want: []string{"A: '1'"}},
		"a preserved variable":    {step: step("sudo --preserve-env=A,B kamal deploy"), want: nil},
		"less of the processor":   {step: step("nice -n 10 ionice -c2 -n7 kamal deploy"), want: nil},
		"a tool's version":        {step: step("mise exec ruby@3.4 -- bundle exec kamal deploy"), note: "gems are not in kamal-op's image"},
		"rbenv":                   {step: step("rbenv exec kamal deploy"), want: nil},
		"a version of RubyGems'":  {step: step("kamal _2.5.3_ deploy"), note: "Kamal 2.5.3 was installed here"},
		"a command in a variable": {step: step("kamal $COMMAND", "        env:\n          COMMAND: redeploy\n"), want: []string{"COMMAND: redeploy"}},

		"a command that is given":       {step: step("kamal ${{ inputs.more }} -d eu"), err: "${{ inputs.more }} decides which command of kamal it runs"},
		"a command of the matrix":       {step: step("bundle exec kamal $C", "        env:\n          C: ${{ matrix.command }}\n"), err: "${{ matrix.command }} decides which command"},
		"another user":                  {step: step("sudo -u deploy kamal deploy"), err: "runs more than that: sudo -u"},
		"another program's environment": {step: step("doppler run -- kamal deploy"), err: "lets doppler give kamal its environment"},
		"a step in braces":              {step: "      - {run: kamal deploy}\n", err: "the step that runs kamal is written in braces"},
		"another Kamal":                 {step: step("backend/bin/kamal deploy"), want: []string{"kamal: backend/bin/kamal"}},
		"a shell that is one":           {step: step("kamal deploy", "        shell: bash -eo pipefail {0}\n"), want: nil},

		"what another command prints":   {step: step("kamal deploy --version=$(git rev-parse HEAD)"), err: "$(…)"},
		"a file that op run resolves":   {step: step("op run --env-file=.env -- kamal deploy"), err: "lets op run read a file"},
		"the old form of that":          {step: step("kamal deploy --version=`git rev-parse HEAD`"), err: "$(…)"},
		"a variable that nothing sets":  {step: step("kamal deploy -d $NOWHERE"), err: "$NOWHERE, which nothing in the workflow sets"},
		"a default":                     {step: step("kamal deploy -d ${NOWHERE:-eu}"), err: "does more with ${NOWHERE…}"},
		"a sum":                         {step: step("kamal deploy --version=$((1+1))"), err: "computes a number"},
		"a pattern":                     {step: step("kamal deploy -c config/*.yml"), err: "a shell would make other words"},
		"a choice in braces":            {step: step("kamal deploy -c config/{a,b}.yml"), err: "a shell would make other words"},
		"a home":                        {step: step("kamal deploy -c ~/deploy.yml"), err: "home directory"},
		"a pipe":                        {step: step("kamal deploy | tee log"), err: "has a pipe"},
		"a file":                        {step: step("kamal deploy > log"), err: "redirects"},
		"otherwise":                     {step: step("kamal deploy || kamal lock release"), err: "goes on with ||"},
		"in the background":             {step: step("kamal deploy &\nwait"), err: "in the background"},
		"a condition":                   {step: step("if [ \"$GITHUB_REF_NAME\" = main ]; then\n  kamal deploy -d a\nelse\n  kamal deploy -d b\nfi"), err: "a condition in its script"},
		"a loop":                        {step: step("for d in a b; do kamal deploy -d $d; done"), err: "a loop"},
		"a here document":               {step: step("cat > .env <<EOF\nA=1\nEOF\nkamal deploy"), err: "redirects"},
		"a group":                       {step: step("(cd app && kamal deploy)"), err: "groups commands"},
		"two deploys":                   {step: step("kamal deploy -d a\nkamal deploy -d b"), err: "more than once"},
		"something else":                {step: step("kamal deploy && curl -d done https://example.com"), err: "runs more than that: curl"},
		"in another shell":              {step: step("bash -c \"kamal deploy\""), err: "runs more than that: bash"},
		"no shell":                      {step: step("kamal deploy", "        shell: pwsh\n"), err: "has pwsh as its shell"},
		"no end":                        {step: step("kamal deploy -d \"eu"), err: "none that a shell could read"},
		"braces around the environment": {step: step("A=1 kamal deploy", "        env: {B: b}\n"), err: "written in braces"},
	}
	results := t.TempDir()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := ".github/workflows/d.yml"
			dir := project(t, map[string]string{file: head + test.step})
			plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Workflow: file, SSHKey: "op://V/Server"})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || plan.Changes != nil {
					t.Errorf("%v does not say %q", err, test.err)
				}
				return
			}
			if err != nil || len(plan.Changes) != 1 {
				t.Fatalf("%v, %d changes", err, len(plan.Changes))
			}
			got := plan.Changes[0].New
			if err := os.WriteFile(filepath.Join(results, strings.ReplaceAll(name, " ", "-")+".yml"), []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(got, "          ssh-key: op://V/Server\n")
			var lines []string
			for line := range strings.Lines(rest) {
				if line = strings.TrimSpace(line); line != "env:" {
					lines = append(lines, line)
				}
			}
			if diff := cmp.Diff(test.want, lines); diff != "" {
				t.Errorf("%s\n%s", diff, got)
			}
			if !strings.Contains(strings.Join(plan.Notes, "\n"), test.note) {
				t.Errorf("notes: %q", plan.Notes)
			}
		})
	}
	lint(t, results)
}

// lint has actionlint look at every workflow of a directory.
func lint(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := testkit.Actionlint(filepath.Join("..", ".."), files...); err != nil {
		t.Error(err)
	}
}

// What a run: step inherits, and what stands beside it: a step of an action
// inherits neither directory nor shell, so both are said; nothing else is touched.
func TestMigrate_keepsWhatStandsAround(t *testing.T) {
	const with = "        with:\n          service-account-token: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n          ssh-key: op://V/Server\n"
	jobs := "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n"
	tests := map[string]struct{ text, want, err string }{
		"the directory of the job": {
			text: jobs + "    defaults:\n      run:\n        working-directory: backend\n    steps:\n      - run: kamal deploy\n",
			want: jobs + "    defaults:\n      run:\n        working-directory: backend\n    steps:\n      - uses: kamal-op/kamal-op@v1\n" + with + "          working-directory: backend\n",
		},
		"the directory of the workflow": {
			text: "defaults:\n  run:\n    working-directory: ./a\n" + jobs + "    steps:\n      - run: kamal deploy\n",
			want: "defaults:\n  run:\n    working-directory: ./a\n" + jobs + "    steps:\n      - uses: kamal-op/kamal-op@v1\n" + with + "          working-directory: a\n",
		},
		"its own directory, which comes first": {
			text: "defaults: {run: {working-directory: a}}\n" + jobs + "    steps:\n      - working-directory: b\n        run: kamal deploy\n",
			want: "defaults: {run: {working-directory: a}}\n" + jobs + "    steps:\n      - uses: kamal-op/kamal-op@v1\n" + with + "          working-directory: b\n",
		},
		"an environment that is an alias": {
			text: strings.Replace(jobs, "jobs:", "env: &e\n  D: eu\njobs:", 1) + "    steps:\n      - run: kamal deploy -d $D\n        env: *e\n",
			want: strings.Replace(jobs, "jobs:", "env: &e\n  D: eu\njobs:", 1) + "    steps:\n      - uses: kamal-op/kamal-op@v1\n" + with + "          destination: eu\n        env: *e\n",
		},
		"a script that is an alias": {
			text: jobs + "    steps:\n      - run: &r kamal deploy\n      - run: *r\n",
			want: jobs + "    steps:\n      - uses: kamal-op/kamal-op@v1\n" + with + "      - uses: kamal-op/kamal-op@v1\n" + with,
		},
		"a token in an environment that another job shares": {
			text: jobs + "    env: &e\n      OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n    steps:\n      - run: kamal deploy\n  other:\n    runs-on: ubuntu-latest\n    env: *e\n    steps:\n      - run: op read x\n",
			want: jobs + "    env: &e\n      OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n    steps:\n      - uses: kamal-op/kamal-op@v1\n" + with + "  other:\n    runs-on: ubuntu-latest\n    env: *e\n    steps:\n      - run: op read x\n",
		},
		"an alias of which a part would go": {
			text: strings.Replace(jobs, "jobs:", "env: &e\n  D: eu\njobs:", 1) + "    steps:\n      - run: A=b kamal deploy\n        env: *e\n",
			err:  "which others share",
		},
		"steps that are an alias": {
			text: jobs + "    steps: &s\n      - run: kamal deploy\n  other:\n    runs-on: ubuntu-latest\n    steps: *s\n",
			err:  "are an alias of another job's",
		},
		"a job that is an alias": {
			text: "on: push\njobs:\n  a: &a\n    runs-on: ubuntu-latest\n    steps:\n      - run: kamal deploy\n  b: *a\n",
			err:  "are an alias of another job's",
		},
		"an alias of nothing": {
			text: jobs + "    steps:\n      - run: kamal deploy\n        env: *e\n",
			err:  "d.yml:7: *e has no anchor above it",
		},
		"a variable of the runner": {
			text: jobs + "    steps:\n      - run: kamal deploy -c $GITHUB_WORKSPACE/x.yml\n",
			err:  "of the runner, which is another",
		},
		"the shell of the workflow": {
			text: "defaults:\n  run:\n    shell: python\n" + jobs + "    steps:\n      - run: kamal deploy\n",
			err:  "has python as its shell",
		},
		"a runner that runs no containers": {
			text: strings.Replace(jobs, "ubuntu-latest", "macos-14", 1) + "    steps:\n      - run: kamal deploy\n",
			err:  "the action is a container",
		},
		"comments, blank lines and keys": {
			text: jobs + "    steps:\n      # one\n      - name: Deploy # two\n\n        # three\n        run: kamal deploy # four\n        # five\n        shell: bash # six\n\n        if: always() # seven\n        continue-on-error: true\n        timeout-minutes: 5\n      # eight\n\n      - run: echo\n",
			want: jobs + "    steps:\n      # one\n      - name: Deploy # two\n\n        # three\n        uses: kamal-op/kamal-op@v1 # four\n" + with + "        # five\n        # six\n\n        if: always() # seven\n        continue-on-error: true\n        timeout-minutes: 5\n      # eight\n\n      - run: echo\n",
		},
		"comments of the script": {
			text: jobs + "    steps:\n      - run: |\n          # why\n          kamal deploy # what\n\n      - run: echo\n",
			want: jobs + "    steps:\n      - uses: kamal-op/kamal-op@v1\n        # why\n        # what\n" + with + "\n      - run: echo\n",
		},
		"a matrix": {
			text: jobs + "    strategy:\n      matrix:\n        to: [a, b]\n    steps:\n      - run: kamal deploy -d ${{ matrix.to }}\n        env:\n          # its own\n          A: b\n\n          C: d # too\n",
			want: jobs + "    strategy:\n      matrix:\n        to: [a, b]\n    steps:\n      - uses: kamal-op/kamal-op@v1\n" + with + "          destination: ${{ matrix.to }}\n        env:\n          # its own\n          A: b\n\n          C: d # too\n",
		},
		"two jobs": {
			text: jobs + "    steps:\n      - run: kamal deploy -d a\n  other:\n    runs-on: ubuntu-latest\n    steps:\n      - run: kamal setup -d b\n",
			want: jobs + "    steps:\n      - uses: kamal-op/kamal-op@v1\n" + with + "          destination: a\n  other:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: kamal-op/kamal-op@v1\n" +
				strings.Replace(with, "with:\n", "with:\n          command: setup\n", 1) + "          destination: b\n",
		},
	}
	results := t.TempDir()
	for name, test := range tests {
		for _, eol := range []string{"\n", "\r\n"} {
			t.Run(name, func(t *testing.T) {
				file := ".github/workflows/d.yml"
				dir := project(t, map[string]string{file: strings.ReplaceAll(test.text, "\n", eol)})
				plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{SSHKey: "op://V/Server"})
				if test.err != "" {
					if err == nil || !strings.Contains(err.Error(), test.err) {
						t.Errorf("%v does not say %q", err, test.err)
					}
					return
				}
				if err != nil || len(plan.Changes) != 1 {
					t.Fatalf("%v, %d changes", err, len(plan.Changes))
				}
				if diff := cmp.Diff(strings.ReplaceAll(test.want, "\n", eol), plan.Changes[0].New); diff != "" {
					t.Error(diff)
				}
				if err := os.WriteFile(filepath.Join(results, strings.ReplaceAll(name, " ", "-")+".yml"), []byte(plan.Changes[0].New), 0o600); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	lint(t, results)
}

// What is no step of a workflow's in lines of its own is refused, with its place.
func TestMigrate_saysWhereTheDeployStands(t *testing.T) {
	const (
		action = "runs:\n  using: composite\n  steps:\n    - run: kamal deploy\n      shell: bash\n"
		call   = "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: ./.github/actions/deploy\n"
	)
	for name, test := range map[string]struct {
		files    map[string]string
		workflow string
		want     string
	}{
		"an action of the repository": {map[string]string{".github/actions/deploy/action.yml": action, ".github/workflows/d.yml": call}, "", ".github/workflows/d.yml deploys by way of .github/actions/deploy/action.yml"},
		"that action itself":          {map[string]string{".github/actions/deploy/action.yml": action}, ".github/actions/deploy/action.yml", "is an action and no workflow"},
		"a script":                    {map[string]string{"bin/ship": "kamal deploy\n", ".github/workflows/d.yml": strings.Replace(call, "uses: ./.github/actions/deploy", "run: bin/ship", 1)}, "", "by way of bin/ship"},
		"another repository's":        {map[string]string{".github/workflows/d.yml": "on: push\njobs:\n  d:\n    uses: org/shared/.github/workflows/deploy.yml@v1\n"}, "", "d.yml calls a workflow of another repository"},
		"steps in brackets":           {map[string]string{".github/workflows/d.yml": "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps: [{uses: actions/checkout@v4}, {run: kamal deploy}]\n"}, "", "d.yml:5: the steps that run kamal are written in brackets"},
		"a command that is given":     {map[string]string{".github/workflows/d.yml": strings.Replace(call, "uses: ./.github/actions/deploy", "run: kamal ${{ matrix.command }}", 1)}, "", "d.yml:6: the step that runs kamal cannot become a step"},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := Migrate(check.Options{Dir: project(t, test.files)}, MigrateOptions{Workflow: test.workflow, SSHKey: "op://V/Server"})
			if err == nil || !strings.Contains(err.Error(), test.want) || plan.Changes != nil {
				t.Errorf("%v does not say %q", err, test.want)
			}
		})
	}
}

// A reference in the environment that a secrets file has op read stays one.
func TestMigrate_leavesAReferenceThatIsRead(t *testing.T) {
	dir := project(t, map[string]string{
		".github/workflows/d.yml": head + "      - run: kamal deploy\n        env:\n          REF: op://App/Prod/DB\n          OTHER: op://App/Prod/OTHER\n",
		".kamal/secrets":          "DB=$(op read $REF)\nOTHER=$OTHER\n",
	})
	plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{SSHKey: "op://V/Server"})
	if err != nil || len(plan.Changes) != 1 {
		t.Fatalf("%v, %d changes", err, len(plan.Changes))
	}
	if got := plan.Changes[0].New; !strings.Contains(got, "OTHER=op://App/Prod/OTHER\n") || strings.Contains(got, "REF=") || !strings.Contains(got, "          REF: op://App/Prod/DB\n") {
		t.Error(got)
	}
}
