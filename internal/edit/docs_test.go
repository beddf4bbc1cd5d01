package edit

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

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/testkit"
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
	dir := testkit.Walkthrough(t)
	plan, err := Add(context.Background(), check.Options{Dir: dir}, Addition{Name: "STRIPE_KEY"})
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
	report, err := check.Check(context.Background(), check.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := check.WriteJSON(&out, report); err != nil {
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
