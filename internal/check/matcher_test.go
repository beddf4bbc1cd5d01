package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/testkit"
)

// GitHub's problem matcher finds every finding of a report at its place, and
// nothing else.
func TestProblemMatcher(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "workflows", "problem-matcher.json"))
	if err != nil {
		t.Fatal(err)
	}
	var matchers struct {
		ProblemMatcher []struct {
			Owner, Severity string
			Pattern         []struct {
				Regexp                      string
				File, Line, Column, Message int
			}
		}
	}
	if err := json.Unmarshal(text, &matchers); err != nil {
		t.Fatal(err)
	}
	names := testkit.Projects(t)
	found := 0
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		report, err := Check(context.Background(), Options{Dir: testkit.WriteProject(t, archive, testkit.Form{})})
		if err != nil {
			continue
		}
		var out bytes.Buffer
		if err := WriteText(&out, report, false, 0); err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, f := range report.Findings {
			if at := f.Problem.Place; at.Line > 0 {
				want = append(want, fmt.Sprintf("%s %s %d %s%s", severity(f.Level), at.File, at.Line, f.Problem.Message, inDestinations(report, f)))
			}
		}
		for line := range strings.Lines(out.String()) {
			for _, m := range matchers.ProblemMatcher {
				p := m.Pattern[0]
				if part := regexp.MustCompile(p.Regexp).FindStringSubmatch(strings.TrimSuffix(line, "\n")); part != nil {
					got = append(got, m.Severity+" "+part[p.File]+" "+part[p.Line]+" "+part[p.Message])
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		found += len(got)
	}
	if found < 30 {
		t.Errorf("only %d findings", found)
	}
}

// severity is how a problem matcher calls a level.
func severity(l Level) string {
	if l == Note {
		return "notice"
	}
	return string(l)
}
