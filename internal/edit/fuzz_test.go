package edit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// FuzzWorkflow: whatever a workflow holds, it is migrated into YAML that migrates
// no further and in which the other jobs read as before, or there is a problem that
// names the file, and then nothing is to be written.
func FuzzWorkflow(f *testing.F) {
	f.Add(before + load + agent + "      - run: kamal deploy\n")
	f.Add(strings.ReplaceAll(before+load+agent+"      - run: timeout 20m bin/kamal deploy -d eu && rake x\n", "\n", "\r\n"))
	f.Add("on: {workflow_call: {}}\njobs: {deploy: {runs-on: x, steps: [{run: kamal deploy}]}}\n")
	f.Add("on: push\ndefaults: {run: {working-directory: app}}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          # c\n          X=1 kamal deploy \"$Y\"\n        if: always()\n")
	f.Add("jobs:\n  a: &a\n    steps:\n    - run: kamal setup\n  b: *a\n")
	f.Add("jobs: [{steps: kamal deploy}]")
	f.Add("jobs:\n  a:\n    steps: &s [{run: kamal deploy, with: *s}]\n")
	f.Add(sharedJob + "      - *s\n")
	f.Add(sharedJob + "  b: {runs-on: x, steps: *s}\n")
	f.Add(sharedJob + "  b:\n    runs-on: x\n    steps:\n      *s\n")
	f.Add(sharedJob + "      - &d\n        run: kamal redeploy\n      - *d\n")
	f.Add(sharedLoad + "      - run: kamal deploy\n        env: *e\n")
	f.Add(bomb("    steps:\n      - run: kamal deploy\n        env: *a29\n"))
	f.Add(bomb("    steps: [{run: *a29, with: *a29}]\n"))
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		const name = ".github/workflows/deploy.yml"
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		migrate := func(text string) (string, error) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Workflow: name, SSHKey: "op://V/Server/key"})
			if err != nil {
				var p *problem.Problem
				if !errors.As(err, &p) || len(plan.Changes) > 0 {
					t.Fatalf("%v, with %d changes", err, len(plan.Changes))
				}
				return "", err
			}
			for _, c := range plan.Changes {
				if c.File == name {
					return c.New, nil
				}
			}
			return text, nil
		}
		migrated, err := migrate(text)
		if err != nil || migrated == text {
			return
		}
		var was, is struct{ Jobs map[string]any }
		if err := yaml.Unmarshal([]byte(migrated), &is); err != nil {
			t.Fatalf("no YAML any more: %v\n%s", err, migrated)
		}
		if yaml.Unmarshal([]byte(text), &was) == nil && len(was.Jobs) != len(is.Jobs) {
			t.Fatalf("%d jobs became %d\n%s", len(was.Jobs), len(is.Jobs), migrated)
		}
		if again, err := migrate(migrated); err == nil && again != migrated {
			t.Fatalf("migrated twice:\n%s\nbecame\n%s", migrated, again)
		}
	})
}
