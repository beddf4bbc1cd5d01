package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// workflows writes workflows and gives the jobs of them that call kamal-op.
func workflows(t *testing.T, files map[string]string) []WorkflowJob {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".github", "workflows"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, ".github", "workflows", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return WorkflowJobs(dir, givesNothing)
}

// Workflows that call each other in ever more ways come to an end: without a bound, forty
// of which each calls the next twice take longer than anybody lives.
func TestWorkflowJobs_EndsWithManyCalls(t *testing.T) {
	const deploy = "  deploy:\n    runs-on: x\n    steps:\n      - uses: kamal-op/kamal-op@v1\n"
	for name, calls := range map[string]func(i, n int) []int{
		"the next twice": func(i, _ int) []int { return []int{i + 1, i + 1} },
		"all others":     others,
	} {
		t.Run(name, func(t *testing.T) {
			const n = 40
			files := map[string]string{}
			for i := range n {
				var text strings.Builder
				fmt.Fprintf(&text, "on: %s\njobs:\n%s", map[bool]string{true: "push", false: "workflow_call"}[i == 0], deploy)
				for k, called := range calls(i, n) {
					fmt.Fprintf(&text, "  call%d:\n    uses: ./.github/workflows/%02d.yml\n", k, called)
				}
				files[fmt.Sprintf("%02d.yml", i)] = text.String()
			}
			jobs := workflows(t, files)
			if got := len(jobs); got < n || got > 4*MostCalls {
				t.Errorf("%d jobs", got)
			}
			// Two calls each make no more than 1023 over ten levels.
			if last := jobs[len(jobs)-1]; name != "the next twice" && (!last.Unfollowed || last.Place.File == "" || len(last.Commands) > 0) {
				t.Errorf("the last says nothing of the calls that are not followed: %+v", last)
			}
		})
	}
}

// others are all numbers below n but i.
func others(i, n int) (all []int) {
	for k := range n {
		if k != i {
			all = append(all, k)
		}
	}
	return all
}

// A workflow is followed through as many levels as GitHub takes.
func TestWorkflowJobs_ThroughAllLevels(t *testing.T) {
	files := map[string]string{"10.yml": "on: workflow_call\njobs:\n  last:\n    runs-on: x\n    steps:\n      - uses: kamal-op/kamal-op@v1\n"}
	for i := 1; i < 10; i++ {
		files[fmt.Sprintf("%02d.yml", i)] = fmt.Sprintf("on: %s\njobs:\n  j%d:\n    uses: ./.github/workflows/%02d.yml\n", map[bool]string{true: "pull_request_target", false: "workflow_call"}[i == 1], i, i+1)
	}
	jobs := workflows(t, files)
	if len(jobs) != 1 || jobs[0].Name != "j1 / j2 / j3 / j4 / j5 / j6 / j7 / j8 / j9 / last" || len(jobs[0].Events) != 1 || jobs[0].Events[0] != "pull_request_target" {
		t.Errorf("%+v", jobs)
	}
}
