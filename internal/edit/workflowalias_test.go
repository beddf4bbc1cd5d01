package edit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
)

// bomb is thirty lines of aliases that stand for a billion values, and a job.
func bomb(job string) string {
	text := &strings.Builder{}
	text.WriteString("on: push\na0: &a0 {x: y}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(text, "a%d: &a%[1]d {x: *a%d, y: *a%[2]d}\n", i, i-1)
	}
	return text.String() + "jobs:\n  d:\n    runs-on: x\n" + job
}

const (
	sharedJob  = "on: push\njobs:\n  a:\n    runs-on: x\n    steps: &s\n      - run: kamal deploy\n"
	sharedLoad = "on: push\njobs:\n  d:\n    runs-on: x\n    steps:\n      - uses: 1password/load-secrets-action@v3\n        with: {export-env: false}\n        env: &e\n          KEY: op://V/Server/key\n"
)

// What others share is not changed for one of them, nor twice; what has no end is
// refused before it is read on. Each with its line and the reason.
func TestMigrate_refusesWhatOthersShare(t *testing.T) {
	for name, test := range map[string]struct{ text, err string }{
		"steps, in braces":             {sharedJob + "  b: {runs-on: x, steps: *s}\n", "d.yml:7: the steps of the job b are an alias"},
		"steps, on a line below":       {sharedJob + "  b:\n    runs-on: x\n    steps:\n      *s\n", "d.yml:7: the steps of the job b are an alias"},
		"steps, whose command is open": {strings.Replace(sharedJob, "deploy\n", "$WHAT\n", 1) + "  b: {runs-on: x, steps: *s}\n", "d.yml:6: the step that runs kamal stands in &s, which line 7 has too"},
		"jobs":                         {"on: push\nx: &j\n  a:\n    runs-on: x\n    steps:\n      - run: kamal deploy\njobs: *j\n", "d.yml:6: the step that runs kamal stands in &j, which line 7 has too"},
		"a step":                       {strings.Replace(sharedJob, "- run", "- &d\n        run", 1) + "  b:\n    steps:\n      - *d\n", "d.yml:10: the step that runs kamal is an anchor or an alias"},
		"a step, and one that is not":  {sharedJob + "      - &d\n        run: kamal redeploy\n", "d.yml:7: the step that runs kamal is an anchor or an alias"},
		"a step in brackets":           {"on: push\nx: &d {run: kamal deploy}\njobs:\n  a:\n    steps: [*d]\n  b:\n    steps:\n      - run: kamal deploy\n", "d.yml:5: the steps that run kamal are written in brackets"},
		"what a step has that goes":    {sharedLoad + "      - run: kamal deploy\n      - run: rake\n        env: *e\n", "d.yml:12: *e is of the anchor in line 8, which goes"},
		"that, and one more of its name": {
			strings.Replace(sharedLoad, "on: push\n", "on: push\nenv: &e {A: b}\n", 1) + "      - run: kamal deploy\n      - run: rake\n        env: *e\n",
			"d.yml:13: *e is of the anchor in line 9, which goes",
		},
		"a script of a step that is changed": {strings.Replace(sharedJob, "run: ", "run: &r ", 1) + "      - name: *r\n        run: echo\n", "d.yml:7: *r is of the anchor in line 6, which goes"},

		"its own steps, in a step":      {"on: push\njobs:\n  a:\n    steps: &s [{run: kamal deploy, with: *s}]\n", "d.yml:4: *s stands in its own anchor"},
		"its own steps, as a step":      {sharedJob + "      - *s\n", "d.yml:7: *s stands in its own anchor"},
		"its own job":                   {"on: push\njobs:\n  a: &a\n    needs: *a\n    steps:\n      - run: kamal deploy\n", "d.yml:4: *a stands in its own anchor"},
		"its own value, with a tag":     {sharedJob + "      - run: echo\n        env: &e !!map {A: *e}\n", "d.yml:8: *e stands in its own anchor"},
		"its own value, as a key":       {sharedJob + "      - run: echo\n        env: &e {*e : b}\n", "d.yml:8: *e stands in its own anchor"},
		"many values, in env":           {bomb("    steps:\n      - run: kamal deploy\n        env: *a29\n"), "the aliases stand for more than 10000 values"},
		"many values, in with":          {bomb("    steps: [{run: kamal deploy, with: *a29}]\n"), "the aliases stand for more than 10000 values"},
		"many values, where a text is":  {bomb("    steps:\n      - run: *a29\n      - run: kamal deploy\n"), "the aliases stand for more than 10000 values"},
		"many values, with a merge key": {strings.ReplaceAll(bomb("    steps:\n      - run: kamal deploy\n"), "{x: *", "{<<: *"), "the aliases stand for more than 10000 values"},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			t.Run(name, func(t *testing.T) {
				dir := project(t, map[string]string{".github/workflows/d.yml": strings.ReplaceAll(test.text, "\n", eol)})
				plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{SSHKey: "op://V/Server"})
				if err == nil || !strings.Contains(err.Error(), test.err) || len(plan.Changes) > 0 {
					t.Errorf("%v does not say %q", err, test.err)
				}
			})
		}
	}
}

// Who calls the workflow with what others share is told the line, and not changed.
func TestMigrate_refusesCallersThatShare(t *testing.T) {
	const called = "on:\n  workflow_call:\njobs:\n  d:\n    runs-on: x\n    steps:\n      - run: kamal deploy\n"
	const uses = "uses: ./.github/workflows/d.yml\n"
	for name, test := range map[string]struct{ file, text, err string }{
		"a job":      {"c.yml", "on: push\njobs:\n  a: &a\n    " + uses + "  b: *a\n", "c.yml:5: c.yml"},
		"secrets":    {"c.yml", "on: push\nx: &s\n  A: b\njobs:\n  a:\n    " + uses + "    secrets: *s\n", "c.yml:7: "},
		"all jobs":   {"c.yml", "on: push\nx: &j\n  a:\n    " + uses + "jobs: *j\n", "c.yml:3: "},
		"its inputs": {"d.yml", "on:\n  workflow_dispatch: &c\n    inputs:\n  workflow_call: *c\n" + called[strings.Index(called, "jobs:"):], "d.yml:4: "},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{".github/workflows/d.yml": called}
			files[".github/workflows/"+test.file] = test.text
			plan, err := Migrate(check.Options{Dir: project(t, files)}, MigrateOptions{SSHKey: "op://V/Server"})
			want := strings.TrimSuffix(test.err, "c.yml")
			if err == nil || !strings.Contains(err.Error(), ".github/workflows/"+want) || !strings.Contains(err.Error(), "an anchor or an alias, which others share") || len(plan.Changes) > 0 {
				t.Errorf("%v does not say %q", err, want)
			}
		})
	}
}

// What others share and is not changed stays as it is; what goes with all of its
// aliases goes.
func TestMigrate_leavesWhatOthersShare(t *testing.T) {
	const (
		jobs = "on: push\njobs:\n  d:\n    runs-on: ubuntu-latest\n    steps:\n"
		step = "      - uses: kamal-op/kamal-op@v1\n        with:\n          service-account-token: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n          ssh-key: op://V/Server\n"
	)
	many := &strings.Builder{}
	for range 900 {
		many.WriteString("      - run: rake\n        env: *e\n")
	}
	for name, test := range map[string]struct{ text, want string }{
		"an environment of other steps": {
			jobs + "      - run: rake a\n        env: &e\n          A: b\n      - run: rake b\n        env: *e\n      - run: kamal deploy\n      - run: rake c\n        env:\n          *e\n",
			jobs + "      - run: rake a\n        env: &e\n          A: b\n      - run: rake b\n        env: *e\n" + step + "      - run: rake c\n        env:\n          *e\n",
		},
		"an environment of the step too": {
			jobs + "      - run: rake a\n        env: &e {A: b}\n      - run: kamal deploy -d $A\n        env: *e\n",
			jobs + "      - run: rake a\n        env: &e {A: b}\n" + step + "          destination: b\n        env: *e\n",
		},
		"that, in very many steps": {
			jobs + "      - run: rake\n        env: &e\n          A: b\n" + many.String() + "      - run: kamal deploy\n",
			jobs + "      - run: rake\n        env: &e\n          A: b\n" + many.String() + step,
		},
		"steps of other jobs": {
			jobs + "      - run: kamal deploy\n  a:\n    steps: &s\n      - &x\n        run: rake\n      - *x\n  b: {steps: *s}\n",
			jobs + step + "  a:\n    steps: &s\n      - &x\n        run: rake\n      - *x\n  b: {steps: *s}\n",
		},
		"steps that nobody shares": {
			strings.Replace(jobs, "steps:", "steps: &s", 1) + "      - run: kamal deploy\n",
			strings.Replace(jobs, "steps:", "steps: &s", 1) + step,
		},
		"what steps share that go": {
			jobs + "      - uses: ruby/setup-ruby@v1\n        with: &w\n          ruby-version: 3.4\n      - uses: ruby/setup-ruby@v1\n        with: *w\n      - run: kamal deploy\n",
			jobs + step,
		},
		"a comment below an alias": {
			jobs + "      - name: &n |\n          kamal deploy\n        if: true\n        run: echo\n      - run: *n\n          # there\n        # here\n        if: true\n",
			jobs + "      - name: &n |\n          kamal deploy\n        if: true\n        run: echo\n" + step + "          # there\n        # here\n        if: true\n",
		},
		"two anchors of a name": {
			"on: push\na: &a x\nb: &a y\nc: *a\n" + jobs[len("on: push\n"):] + "      - run: kamal deploy -d $D\n        env:\n          D: *a\n",
			"on: push\na: &a x\nb: &a y\nc: *a\n" + jobs[len("on: push\n"):] + step + "          destination: y\n        env:\n          D: *a\n",
		},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			t.Run(name, func(t *testing.T) {
				dir := project(t, map[string]string{".github/workflows/d.yml": strings.ReplaceAll(test.text, "\n", eol)})
				plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{SSHKey: "op://V/Server"})
				if err != nil || len(plan.Changes) != 1 {
					t.Fatalf("%v, %d changes", err, len(plan.Changes))
				}
				if diff := cmp.Diff(strings.ReplaceAll(test.want, "\n", eol), plan.Changes[0].New); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}
