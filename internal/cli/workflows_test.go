package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
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
	for workflow, page := range map[string]string{"review-apps": "review-apps", "rehearse": "rehearse", "comment": "comment", "plan": "comment"} {
		if !strings.Contains(read("docs", page+".md"), "```yaml\n"+read("docs", "workflows", workflow+".yml")+"```\n") {
			t.Errorf("docs/%s.md shows another workflow than docs/workflows/%s.yml", page, workflow)
		}
	}
}

// GitHub keeps one waiting job of a group, the last: nobody's comment but a deploy's, by
// somebody of the repository, takes the place of a deploy that waits.
func TestDocumentedWorkflows_ACommentTakesNoDeploysPlace(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "workflows", "comment.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			If          string
			Concurrency struct {
				Group  string
				Cancel bool `yaml:"cancel-in-progress"`
			}
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil || len(workflow.Jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(workflow.Jobs), err)
	}
	job := workflow.Jobs["comment"]
	if !strings.Contains(job.If, `contains(fromJSON('["OWNER", "MEMBER", "COLLABORATOR"]'), github.event.comment.author_association) && (`) {
		t.Errorf("a stranger's comment begins a job: %s", job.If)
	}
	if want := "${{ startsWith(github.event.comment.body, '/deploy') && 'production' || format('plan-{0}', github.event.issue.number) }}"; job.Concurrency.Group != want || job.Concurrency.Cancel {
		t.Errorf("a plan waits in the group of deploys: %s", job.Concurrency.Group)
	}
}
