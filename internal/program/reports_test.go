package program

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reported are the shapes of projects that a fault was met in, each with the script
// that keeps it from coming back.
func reported() map[string]string {
	return map[string]string{
		"rename: the environment gives the value":       "passthrough",
		"migrate: an expression of GitHub's":            "expression",
		"migrate: variables and quotes of the shell":    "shellwords",
		"check: a shorter list in a destination":        "shorterlist",
		"check: a destination is required":              "required",
		"check: another service beside deploy.yml":      "otherservice",
		"migrate: the directory stands under defaults":  "directory",
		"init: a workflow deploys already":              "seconddeploy",
		"migrate: programs that the runner has":         "programs",
		"migrate: known hosts written by a step":        "knownhosts",
		"migrate: a workflow that others call":          "called",
		"check: a shell's syntax in a secrets file":     "shellvalues",
		"add: the account is a variable":                "account",
		"check: a host and a port are no password":      "hostport",
		"rename: a name between lines of ERB":           "betweenerb",
		"migrate: a comment between the keys of a step": "comment",
	}
}

// TestProjects_EachShapeThatWasReportedHasAScript holds the scripts to the table: one
// that is renamed or lost is seen, and so is one that nobody says what it is for.
func TestProjects_EachShapeThatWasReportedHasAScript(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("internal", "program", "testdata", "projects", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var scripts []string
	for _, file := range files {
		scripts = append(scripts, strings.TrimSuffix(filepath.Base(file), ".txtar"))
	}
	for shape, script := range reported() {
		command, _, _ := strings.Cut(shape, ":")
		text, err := os.ReadFile(filepath.Join("internal", "program", "testdata", "projects", script+".txtar"))
		switch {
		case err != nil:
			t.Errorf("%s: no script: %v", shape, err)
		case !strings.Contains(string(text), "exits 0 kamal-op "+command) && !strings.Contains(string(text), "exits 3 kamal-op "+command), !strings.Contains(string(text), "\nbecome "):
			t.Errorf("%s: %s.txtar does not run %s and say what the project becomes", shape, script, command)
		}
		scripts = slices.DeleteFunc(scripts, func(s string) bool { return s == script })
	}
	if len(scripts) > 0 {
		t.Errorf("no shape in the table has the scripts %s", strings.Join(scripts, ", "))
	}
}
