package edit

import (
	"context"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Kamal gives the lines of a secrets file to a shell: a name in deploy.yml that
// is none must not get into one, by none of the commands.
func TestNames_areNotWrittenUnlessTheyAreNames(t *testing.T) {
	const bad = "B;$(touch x)"
	config := "service: a\nimage: a\nservers: [a]\nenv: {secret: [A, \"" + bad + "\", C]}\n"
	for form, secrets := range map[string]string{
		"none": "", "read": "A=$(op read op://V/I/A)\n", "passed": "A=$A\n",
		"fetched": "S=$(kamal secrets fetch --adapter 1password --account a --from V/I A)\nA=$(kamal secrets extract A $S)\n",
	} {
		files := map[string]string{"config/deploy.yml": config}
		if secrets != "" {
			files[".kamal/secrets"] = secrets
		}
		o := check.Options{Dir: project(t, files)}
		plan, err := Init(context.Background(), o, InitOptions{Review: "service: x\n"})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan.Notes, "\n")
		if !strings.Contains(text, "config/deploy.yml:4:19") || !strings.Contains(text, "cannot be the name of a secret") {
			t.Errorf("%s: notes %q", form, text)
		}
		report, err := check.Check(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		fixed, err := Fix(o, report)
		if err != nil {
			t.Fatal(err)
		}
		written := 0
		for _, c := range append(plan.Changes, fixed.Changes...) {
			if strings.Contains(c.New, "touch") {
				t.Errorf("%s: %s has\n%s", form, c.File, c.New)
			}
			if strings.HasPrefix(c.File, ".kamal/") && strings.Contains(c.New, "\nC=") {
				written++
			}
		}
		if written < 2 {
			t.Errorf("%s: the names beside it are not written: %d", form, written)
		}
	}
}

// An account with a space in it is one word; one with quotes cannot be written.
func TestAccount_isOneWord(t *testing.T) {
	config := "service: a\nimage: a\nservers: [a]\nenv: {secret: [A]}\n"
	fetch := "S=$(kamal secrets fetch --adapter 1password --account \"My Team\" --from V/I A)\nA=$(kamal secrets extract A $S)\n"
	o := check.Options{Dir: project(t, map[string]string{"config/deploy.yml": config, ".kamal/secrets": fetch})}
	fresh := check.Options{Dir: project(t, map[string]string{"config/deploy.yml": config})}
	add := func(o check.Options, account string) (Plan, error) {
		return Add(context.Background(), o, Addition{Name: "N", Item: "op://V/Other", Account: account})
	}
	for name, do := range map[string]func() (Plan, error){
		"add, copied": func() (Plan, error) { return add(o, "") },
		"add, given":  func() (Plan, error) { return add(fresh, "My Team") },
		"init":        func() (Plan, error) { return Init(context.Background(), fresh, InitOptions{Account: "My Team"}) },
	} {
		plan, err := do()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, c := range plan.Changes {
			found = found || strings.Contains(c.New, "--account 'My Team' --from ") || // as the file has it:
				name == "add, copied" && strings.Contains(c.New, "--account \"My Team\" --from V/Other")
		}
		if !found {
			t.Errorf("%s: %v", name, plan.Changes)
		}
	}
	for name, err := range map[string]error{
		"add":  func() error { _, err := add(fresh, "a; touch x"); return err }(),
		"init": func() error { _, err := Init(context.Background(), fresh, InitOptions{Account: "a'b"}); return err }(),
	} {
		if err == nil || problem.Status(err) != problem.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
