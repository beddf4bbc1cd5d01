package comment_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/comment"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// All that is not ours stands as code in the comment, whatever it holds.
func TestAnswer_Body(t *testing.T) {
	a := comment.Answer{
		Title: "plan of `production`", Text: "@everyone\n```\n<img>\n", SHA: "0123", RunURL: "https://github.example/run",
		Problems: []*problem.Problem{{Message: "it is [wrong](x)", Details: []string{"first", "last"}, Hint: "ask @acme"}},
		At:       time.Date(2026, 12, 24, 19, 0, 0, 0, time.FixedZone("", 3600)), Took: 90 * time.Second,
	}
	const want = "**plan of `production`**\n\n````text\n@everyone\n```\n<img>\n````\n\n" +
		"✗ `it is [wrong](x)`\n\n```text\nfirst\nlast\n```\n\nWhat helps: `ask @acme`\n\n" +
		"- commit `0123`\n- 2026-12-24 18:00 UTC, after 1m30s\n- [log](https://github.example/run)\n"
	if got := a.Body(); got != want {
		t.Errorf("%s", got)
	}
}

// An address that could end its link, or is none of the web, is left out.
func TestAnswer_LinksNothingElse(t *testing.T) {
	for _, url := range []string{"", "javascript:alert(1)", "http://ci.example/run", "https://ci.example/) [x](https://evil.example", "https://ci.example/a b", "https://ci.example/<b>", "https://ci.example/\n# x"} {
		if got := (comment.Answer{Title: "t", RunURL: url}).Body(); strings.Contains(got, "[log]") || url != "" && strings.Contains(got, url) {
			t.Errorf("%q: %s", url, got)
		}
	}
}

// GitHub takes no text of any length.
func TestAnswer_IsBounded(t *testing.T) {
	var text strings.Builder
	for i := range 403 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	got := comment.Answer{Title: "t", Text: text.String()}.Body()
	if !strings.Contains(got, "\nline 399\n… and 3 lines more: the run's log has them\n") || strings.Contains(got, "line 400") {
		t.Errorf("%s", got[len(got)-200:])
	}
	if got := (comment.Answer{Title: "t", Text: strings.Repeat("x\n", 400)}).Body(); strings.Contains(got, "lines more") {
		t.Error("400 lines are cut")
	}
	var details []string
	for i := range 21 {
		details = append(details, fmt.Sprintf("detail %d.", i))
	}
	got = comment.ProblemText(&problem.Problem{Message: "m", Details: details})
	if strings.Contains(got, "detail 0.") || !strings.Contains(got, "detail 1.") || !strings.Contains(got, "detail 20.") {
		t.Errorf("%s", got)
	}
}
