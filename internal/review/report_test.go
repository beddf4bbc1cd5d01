package review_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/review"
)

// The summary of a review has what that of a deploy has, and what a sweep has decided.
func TestOutcome_Page(t *testing.T) {
	told := ci.Report{
		Took: 61 * time.Second, Hosts: []ci.HostReport{{Host: "192.0.2.1", Role: "web", After: "pr-12-a"}},
		Secrets:    []ci.SecretReport{{Name: "KEY", Vault: "Previews", Item: "Review", Field: "KEY", ItemVersion: 3}},
		Signatures: []string{"logins as root: 2"}, Lock: []string{"taken at 09:31:01"},
		Phases: []ci.Phase{{Name: "build and push", Begun: time.Unix(1, 0), Took: time.Second}},
	}
	a := app(t, 12)
	page := review.Outcome{Plan: review.Plan{Do: review.Deploy, Number: 12}, App: a, URL: "https://pr-12.review.example.com"}.Page(told)
	for _, part := range []string{
		"## ✓ review deploy of shop-pr-12 succeeded", "version `" + a.Version + "`", "destination `review`", "https://pr-12.review.example.com",
		"### Hosts", "### Phases", "build and push", "### Secrets", "| `KEY` | Previews | Review | KEY | 3 |", "### Signatures", "### Deploy lock",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("%q is not in\n%s", part, page)
		}
	}
	page = review.Outcome{
		Plan:     review.Plan{Do: review.Sweep},
		Verdicts: []review.Verdict{{Service: "shop-pr-1", Remove: true, Why: "closed"}, {Service: "shop-pr-2", Why: "open"}},
		NotOurs:  []string{"192.0.2.1: container ```x\n### y"},
	}.Page(ci.Report{Status: 6})
	want := "## ✗ review sweep was done in part\n\nexit status 6\n" +
		"\n| preview | | why |\n|---|---|---|\n| shop-pr-1 | removed | closed |\n| shop-pr-2 | kept | open |\n" +
		"\n### Not ours, and left alone\n\n````text\n192.0.2.1: container ```x ### y\n````\n"
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
	page = review.Outcome{Plan: review.Plan{Do: review.Nothing, Number: 3, Why: "from a fork"}}.Page(told)
	if want := "## Review app: skipped: from a fork (pull request 3)\n"; page != want {
		t.Errorf("%q", page)
	}
	if page := (review.Outcome{}).Page(ci.Report{Status: 2}); !strings.HasPrefix(page, "## ✗ review failed\n") {
		t.Errorf("%q", page)
	}
}
