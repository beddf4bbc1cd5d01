package edit

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// What add does, remove takes back to the byte, over all golden projects, with
// either end of line, with and without one at the end, wherever in deploy.yml. In
// between every place names the secret, and nothing else has become wrong.
func TestAddRemove_givesBackTheBytes(t *testing.T) {
	names := testkit.Projects(t)
	additions := map[string]Addition{
		"plain":     {Name: "NEW_SECRET"},
		"item":      {Name: "NEW_SECRET", Item: "op://MyApp/Production"},
		"new item":  {Name: "NEW_SECRET", Item: "op://Other Vault/My Item"},
		"field":     {Name: "NEW_SECRET", Item: "op://MyApp/Production/db/password"},
		"alias":     {Name: "NEW_SECRET", Item: "op://MyApp/Production", Aliases: []string{"ONE", "TWO"}},
		"builder":   {Name: "NEW_SECRET", Item: "op://MyApp/Production", Builder: true},
		"role":      {Name: "NEW_SECRET", Item: "op://MyApp/Production", Role: "web"},
		"accessory": {Name: "NEW_SECRET", Item: "op://MyApp/Production", Accessory: "db"},
		"tag":       {Name: "NEW_SECRET", Item: "op://MyApp/Production", Tag: "eu"},
	}
	var mutex sync.Mutex
	done := map[string]int{}
	t.Run("projects", func(t *testing.T) {
		for i, name := range names {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
				t.Parallel() // they wait for the disk
				for title, a := range additions {
					endings := map[string][]string{"plain": {"", "crlf", "bare", "crlf bare"}, "item": {"", "crlf bare"}}[title]
					special := title == "role" || title == "accessory" || title == "tag" // where they are, which is in few
					if endings == nil && (special || i%3 == 0) {
						endings = []string{""}
					}
					for _, ending := range endings {
						if roundTrip(t, archive, title, ending, a) {
							mutex.Lock()
							done[title]++
							mutex.Unlock()
						}
					}
				}
			})
		}
	})
	t.Logf("round trips: %v", done)
	for title := range additions {
		if title == "plain" && done[title] < 100 || title == "item" && done[title] < 60 || done[title] == 0 {
			t.Errorf("%s: only %d round trips", title, done[title])
		}
	}
}

// roundTrip adds to a project and removes again; done is false where adding is
// refused.
func roundTrip(t *testing.T, archive *txtar.Archive, title, ending string, a Addition) (done bool) {
	t.Helper()
	what := title + " " + ending
	dir := testkit.WriteProject(t, archive, testkit.Form{CRLF: strings.Contains(ending, "crlf"), Bare: strings.Contains(ending, "bare")})
	before := testkit.ReadProject(t, dir)
	o := check.Options{Dir: dir}
	was, _ := check.Check(context.Background(), o)
	plan, err := Add(context.Background(), o, a)
	if err != nil {
		return false // nothing was planned
	}
	if len(plan.Changes) == 0 {
		t.Errorf("%s: nothing to change", what)
	}
	if err := plan.Write(dir); err != nil {
		t.Fatal(err)
	}
	report, err := check.Check(context.Background(), o)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	wrong := func(findings []check.Finding) []check.Finding {
		return slices.DeleteFunc(slices.Clone(findings), func(f check.Finding) bool { return f.Level == check.Note })
	}
	// What stands in a file that is not read is told at once, until the destination has
	// a file of its own.
	count := func(findings []check.Finding) (n int) {
		for _, f := range wrong(findings) {
			n++
			if names, _, at := strings.Cut(f.Problem.Message, " are defined in "); at && f.Secret == "" {
				n += strings.Count(names, ", ")
			}
		}
		return n
	}
	if count(report.Findings) > count(was.Findings) {
		t.Errorf("%s: %v", what, report.Findings[0].Problem)
	}
	for _, f := range wrong(report.Findings) {
		if strings.Contains(f.Problem.Message, a.Name) {
			t.Errorf("%s: %v", what, f.Problem)
		}
	}
	again, err := Add(context.Background(), o, a)
	if err != nil || len(again.Changes) > 0 {
		t.Errorf("%s: a second time changes %v, %v", what, again.Changes, err)
	}
	if plan, err = Remove(o, a.Name); err != nil {
		t.Errorf("%s: removing: %v", what, err)
		return false
	}
	if err := plan.Write(dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, testkit.ReadProject(t, dir)); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
	return true
}
