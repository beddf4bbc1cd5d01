package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The workflows that the documentation shows use inputs that there are, and the
// page shows what the file has.
func TestDocumentedWorkflows(t *testing.T) {
	read := func(name ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, name...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "workflows", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows, %v", err)
	}
	for _, name := range []string{"deploy.yml", "review.yml", "sweep.yml"} { // what projects call
		files = append(files, filepath.Join("..", "..", ".github", "workflows", name))
	}
	action := read("action.yml")
	input := regexp.MustCompile(`(?m)^          ([a-z-]+):`)
	seen := 0
	for _, file := range files {
		for _, step := range strings.Split(read(strings.TrimPrefix(filepath.ToSlash(file), "../../")), "- uses: ")[1:] {
			if !strings.HasPrefix(step, "kamal-op/kamal-op@") && !strings.HasPrefix(step, "kamal-op/kamal-op/native@") {
				continue
			}
			step, _, _ = strings.Cut(step, "\n  review:")
			for _, m := range input.FindAllStringSubmatch(step, -1) {
				seen++
				if !strings.Contains(action, "\n  "+m[1]+":\n") {
					t.Errorf("%s: %s is no input of the action", filepath.Base(file), m[1])
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d inputs were seen", seen)
	}
	for _, page := range []string{"review-apps", "rehearse"} {
		if !strings.Contains(read("docs", page+".md"), "```yaml\n"+read("docs", "workflows", page+".yml")+"```\n") {
			t.Errorf("docs/%[1]s.md shows another workflow than docs/workflows/%[1]s.yml", page)
		}
	}
}
