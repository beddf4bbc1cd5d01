package check

import (
	"fmt"
	"testing"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// Four hundred files that an event starts and that call each other in a ring are followed
// no further than the bound, and each has its own jobs.
func TestWorkflowReader_Ring(t *testing.T) {
	const files = 400
	r := workflowReader{docs: map[string][]ast.Node{}, read: map[string]bool{}, gives: givesNothing}
	name := func(i int) string { return fmt.Sprintf(".github/workflows/w%d.yml", i%files) }
	for i := range files {
		file, err := yamlfile.Parse(fmt.Sprintf("on: [push, workflow_call]\njobs:\n  a: {uses: ./%s}\n  b: {uses: ./%s}\n  d:\n    steps:\n      - uses: kamal-op/kamal-op@v1\n", name(i+1), name(i*7+1)), true)
		if err != nil {
			t.Fatal(err)
		}
		r.docs[name(i)] = []ast.Node{file.Docs[0].Body}
	}
	for i := range files {
		r.file(name(i), nil, nil)
	}
	own := map[string]bool{}
	for _, j := range r.jobs {
		if j.Name == "d" {
			own[j.Place.File] = true
		}
	}
	if r.first == nil || !r.first.Unfollowed || r.first.Place.Line == 0 {
		t.Errorf("the job whose call is not followed: %+v", r.first)
	}
	if len(own) != files || r.all > MostCallsInAll+files {
		t.Errorf("%d files have their jobs, %d calls were followed", len(own), r.all)
	}
}
