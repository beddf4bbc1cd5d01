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
