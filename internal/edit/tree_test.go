package edit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// Nothing is written through a link that leads out of the project, of the file or
// of a directory above it, by any command: each refuses it by name, and changes
// nothing, in the project nor outside.
func TestEdits_stayInTheProject(t *testing.T) {
	commands := map[string]func(check.Options) (Plan, error){
		"add": func(o check.Options) (Plan, error) {
			return Add(context.Background(), o, Addition{Name: "N", Item: "op://V/I"})
		},
		"remove": func(o check.Options) (Plan, error) { return Remove(o, "A") },
		"rename": func(o check.Options) (Plan, error) { return Rename(o, "A", "Z") },
		"init": func(o check.Options) (Plan, error) {
			return Init(context.Background(), o, InitOptions{Force: true, Vault: "V"})
		},
		"migrate": func(o check.Options) (Plan, error) {
			return Migrate(o, MigrateOptions{Workflow: workflowDir + "/deploy.yml"})
		},
		"fix": func(o check.Options) (Plan, error) {
			report, err := check.Check(context.Background(), o)
			if err != nil {
				return Plan{}, err
			}
			return Fix(o, report)
		},
	}
	files := map[string]string{
		"config/deploy.yml":            "service: a\nimage: a\nservers: [a]\nenv:\n  secret:\n    - A\n    - B\n",
		".kamal/secrets":               "S=$(kamal secrets fetch --adapter 1password --account a --from V/I A)\nA=$(kamal secrets extract A $S)\n",
		".github/workflows/deploy.yml": "on: push\njobs:\n  d:\n    runs-on: x\n    steps:\n      - run: kamal deploy\n",
	}
	links := map[string][]string{ // each, and the commands that meet it
		".kamal/secrets":               {"add", "remove", "rename", "init", "fix"},
		".kamal":                       {"add", "remove", "rename", "init", "fix"},
		"config/deploy.yml":            {"add", "remove", "rename"},
		"config":                       {"add", "remove", "rename"},
		".github/workflows/deploy.yml": {"migrate", "init"},
		".github/workflows":            {"migrate", "init"},
		".github":                      {"migrate", "init"},
	}
	for link, names := range links {
		for _, name := range names {
			t.Run(name+" "+link, func(t *testing.T) {
				dir, outside := project(t, files), t.TempDir()
				if err := os.Rename(filepath.Join(dir, link), filepath.Join(outside, "there")); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(filepath.Join(outside, "there"), filepath.Join(dir, link)); err != nil {
					t.Fatal(err)
				}
				before := testkit.ReadProject(t, outside)
				plan, err := commands[name](check.Options{Dir: dir})
				if err == nil {
					err = plan.Write(dir)
				}
				if err == nil || !strings.Contains(err.Error(), link+" is a symbolic link that leads out of the project, to ") {
					t.Errorf("%v", err)
				}
				if diff := cmp.Diff(before, testkit.ReadProject(t, outside)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// A link that is put in the way between the plan and its writing is not followed,
// and a link within the project is, under the real name in the diff.
func TestPlan_Write_followsNoLinkOut(t *testing.T) {
	dir, outside := testkit.Walkthrough(t), t.TempDir()
	o := check.Options{Dir: dir}
	plan, err := Add(context.Background(), o, Addition{Name: "NEW"})
	if err != nil {
		t.Fatal(err)
	}
	secrets := filepath.Join(dir, ".kamal")
	if err := os.Rename(secrets, filepath.Join(outside, "kamal")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "kamal"), secrets); err != nil {
		t.Fatal(err)
	}
	before := testkit.ReadProject(t, outside)
	if err := plan.Write(dir); err == nil || !strings.Contains(err.Error(), "leads out of the project") {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff(before, testkit.ReadProject(t, outside)); diff != "" {
		t.Error(diff)
	}

	if err := os.Remove(secrets); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(outside, "kamal"), filepath.Join(dir, "ours")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("ours", secrets); err != nil {
		t.Fatal(err)
	}
	if plan, err = Add(context.Background(), o, Addition{Name: "NEW"}); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range plan.Changes {
		found = found || strings.HasPrefix(c.Diff(), "--- ours/secrets\n+++ ours/secrets\n")
	}
	if !found {
		t.Error("the diff does not name the real path")
	}
	if err := plan.Write(dir); err != nil {
		t.Fatal(err)
	}
}

// In a repository of several projects the workflows are those at its root, and
// nothing else above the project is written to.
func TestTree_repository(t *testing.T) {
	dir := project(t, map[string]string{
		".git/HEAD": "ref: refs/heads/main\n", "shared/secrets": "A=$A\n",
		"apps/shop/config/deploy.yml": "service: shop\nimage: a\nservers: [a]\nenv: {secret: [A]}\n",
	})
	shop := filepath.Join(dir, "apps", "shop")
	if err := os.MkdirAll(filepath.Join(shop, ".kamal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../shared/secrets", filepath.Join(shop, ".kamal", "secrets")); err != nil {
		t.Fatal(err)
	}
	if _, err := Rename(check.Options{Dir: shop}, "A", "B"); err == nil || !strings.Contains(err.Error(), "leads out of the project") {
		t.Errorf("%v", err)
	}
	plan, err := Init(context.Background(), check.Options{Dir: shop}, InitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(shop); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, workflowDir, "deploy.yml"))
	if err != nil || !strings.Contains(string(text), "          working-directory: apps/shop\n") {
		t.Errorf("%v\n%s", err, text)
	}
	again, err := Init(context.Background(), check.Options{Dir: shop}, InitOptions{})
	if err != nil || len(again.Changes) > 0 {
		t.Errorf("a second time changes %v, %v", again.Changes, err)
	}
	lint(t, filepath.Join(dir, workflowDir))
}
