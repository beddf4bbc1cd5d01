package drift

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// The shapes of JSON in docs/agents.md are those that the commands answer in:
// the same keys with the same types.
func TestAgentsPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "agents.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string) []byte {
		_, text, ok := strings.Cut(string(page), "\n```json "+name+"\n")
		if !ok {
			t.Fatalf("docs/agents.md has no JSON called %s", name)
		}
		text, _, _ = strings.Cut(text, "\n```")
		return []byte(text)
	}
	dir := walkthrough(t)
	plan, err := Add(context.Background(), Options{Dir: dir}, Addition{Name: "STRIPE_KEY"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WritePlanJSON(&out, plan, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shape(t, block("plan")), shape(t, out.Bytes())); diff != "" {
		t.Errorf("the plan (-page +program):\n%s", diff)
	}
	for _, c := range plan.Changes {
		if c.File == "config/deploy.yml" {
			if err := os.WriteFile(filepath.Join(dir, c.File), []byte(c.New), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	report, err := Check(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := WriteJSON(&out, report); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shape(t, block("check")), shape(t, out.Bytes())); diff != "" {
		t.Errorf("the report (-page +program):\n%s", diff)
	}
	source, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range source {
		text, _ := os.ReadFile(name)
		code.Write(text)
	}
	for _, m := range regexp.MustCompile(`Do: "([a-z-]+)"`).FindAllStringSubmatch(code.String(), -1) {
		if !strings.Contains(string(page), "`"+m[1]+"`") {
			t.Errorf("docs/agents.md does not name %s", m[1])
		}
	}
}

// shape is the keys of JSON with the types of their values, a line each.
func shape(t *testing.T, text []byte) []string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var lines []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(path+"."+key, inner)
			}
		case []any:
			lines = append(lines, path+" list")
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		default:
			lines = append(lines, fmt.Sprintf("%s %T", path, v))
		}
	}
	walk("", value)
	slices.Sort(lines)
	return slices.Compact(lines)
}

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
	names, _ := filepath.Glob(filepath.Join("testdata", "projects", "*.txtar"))
	found := 0
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		report, err := Check(context.Background(), Options{Dir: writeProject(t, archive, false, false)})
		if err != nil {
			continue
		}
		var out bytes.Buffer
		if err := WriteText(&out, report, false); err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, f := range report.Findings {
			if at := f.Problem.Place; at.Line > 0 {
				want = append(want, fmt.Sprintf("%s %s %d %s%s", f.Level, at.File, at.Line, f.Problem.Message, inDestinations(report, f)))
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
