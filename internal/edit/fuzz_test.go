package edit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"golang.org/x/tools/txtar"

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
		migrated, err := migrateTwice(t, ".github/workflows/deploy.yml", text)
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
	})
}

// FuzzJobs: the same of the files of GitLab and CircleCI. A job that stays reads as
// before.
func FuzzJobs(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "jobs", "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data), strings.Contains(name, "circle"))
	}
	f.Add("deploy:\n  script: &s [kamal deploy]\ntest:\n  script: *s\n", false)
	f.Add("a:\n  extends: a\n  script:\n    - !reference [a, script]\n    - kamal deploy\n", false)
	f.Add(bomb("deploy:\n  script:\n    - kamal deploy\n    - *a29\n"), false)
	f.Add("jobs:\n  a:\n    docker: [{image: x}]\n    steps:\n    - run: |\n        cat <<X > y\n        kamal deploy\n        X\n        gem install kamal\n        kamal deploy -P -c x\n", true)
	f.Fuzz(func(t *testing.T, text string, circle bool) {
		name := gitlabFile
		if circle {
			name = circleFile
		}
		migrated, err := migrateTwice(t, name, text)
		if err != nil || migrated == text {
			return
		}
		var was, is map[string]any
		if err := yaml.Unmarshal([]byte(migrated), &is); err != nil {
			t.Fatalf("no YAML any more: %v\n%s", err, migrated)
		}
		if yaml.Unmarshal([]byte(text), &was) != nil {
			return
		}
		if circle {
			was, _ = was["jobs"].(map[string]any)
			is, _ = is["jobs"].(map[string]any)
		}
		for name, job := range was {
			if !strings.HasPrefix(name, ".") && !strings.Contains(fmt.Sprint(job), "kamal") && !reflect.DeepEqual(job, is[name]) {
				t.Fatalf("%s is another now:\n%s", name, migrated)
			}
		}
		if len(was) != len(is) {
			t.Fatalf("%d jobs became %d\n%s", len(was), len(is), migrated)
		}
	})
}

// migrateTwice migrates a text, and what comes of it: nothing may.
func migrateTwice(t *testing.T, name, text string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	migrate := func(text string) (string, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Workflow: name, SSHKey: "op://V/Server/key", Share: true})
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
		return migrated, err
	}
	if again, err := migrate(migrated); err == nil && again != migrated {
		t.Fatalf("migrated twice:\n%s\nbecame\n%s", migrated, again)
	}
	return migrated, nil
}
