package edit

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// What --fix writes is right: over all golden projects nothing new is wrong
// afterwards, what it says it can do is done, and a second time changes nothing.
func TestFix(t *testing.T) {
	names := testkit.Projects(t)
	fixed := map[string]int{}
	for _, name := range names {
		project := strings.TrimSuffix(filepath.Base(name), ".txtar")
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		o := check.Options{Dir: testkit.WriteProject(t, archive, testkit.Form{})}
		before, err := check.Check(context.Background(), o)
		if err != nil {
			continue
		}
		plan, err := Fix(o, before)
		if err != nil {
			t.Errorf("%s: %v", project, err)
			continue
		}
		if !before.Failed() && len(plan.Changes) > 0 {
			t.Errorf("%s is right, and %s is changed", project, plan.Changes[0].File)
		}
		if err := plan.Write(o.Dir); err != nil {
			t.Fatal(err)
		}
		after, err := check.Check(context.Background(), o)
		if err != nil {
			t.Errorf("%s: %v", project, err)
			continue
		}
		count := func(r check.Report) map[string]int {
			rules := map[string]int{}
			for _, f := range r.Findings {
				rules[f.Rule]++
			}
			return rules
		}
		was, is := count(before), count(after)
		for rule, n := range is {
			if n > was[rule] {
				t.Errorf("%s: %s is new", project, rule)
			}
		}
		for rule, n := range was {
			if is[rule] < n {
				fixed[rule] += n - is[rule]
			}
		}
		again, err := Fix(o, after)
		if err != nil || len(again.Changes) > 0 {
			t.Errorf("%s: a second time changes %d files, %v", project, len(again.Changes), err)
		}
	}
	t.Logf("fixed: %v", fixed)
	for _, rule := range []string{check.RuleUndefined, check.RuleAlias, check.RuleNotFetched, check.RuleAccount} {
		if fixed[rule] == 0 {
			t.Errorf("%s is never fixed", rule)
		}
	}
}

// A list that is shorter because the destination has no such secret stays: what
// its files do not define is never named, and a registry's password is no list.
func TestFix_namesNothingThatIsNotDefined(t *testing.T) {
	dir := project(t, map[string]string{
		"config/deploy.yml":         "service: a\nimage: a\nservers: [a]\nregistry: {username: u, password: [P]}\nenv:\n  secret:\n    - A\n    - ADS\n    - LOST\n",
		"config/deploy.staging.yml": "servers: [b]\nregistry: {password: [Q]}\nenv:\n  secret:\n    - A\n",
		".kamal/secrets":            "P=$P\nA=$A\nADS=$ADS\nLOST=$LOST\n", ".kamal/secrets.staging": "Q=$Q\nA=$S\nLOST=$L\n",
	})
	o := check.Options{Dir: dir}
	report, err := check.Check(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Fix(o, report)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range plan.Changes {
		if strings.Contains(c.New, "- ADS\n") && c.File != "config/deploy.yml" || strings.Contains(c.New, "- P\n") || strings.Contains(c.New, ", P]") || c.File != "config/deploy.staging.yml" {
			t.Errorf("%s becomes\n%s", c.File, c.New)
		}
	}
}
