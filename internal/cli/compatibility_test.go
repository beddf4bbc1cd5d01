package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
)

var updateCompatibility = flag.Bool("update", false, "write testdata/compatibility.golden anew")

// promised is what docs/compatibility.md promises for v1, one thing a line: commands,
// flags, inputs and outputs of the forms of the action, and exit statuses.
func promised(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, o := range allOptions(t) {
		for _, command := range o.commands {
			all = append(all, strings.TrimSpace("flag "+command)+" --"+o.name)
		}
	}
	name := regexp.MustCompile(`(?m)^  ([a-z-]+):$`)
	for _, form := range []string{"action.yml", "native/action.yml", "setup/action.yml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", form))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "\ninputs:\n")
		inputs, rest, _ := strings.Cut(rest, "\noutputs:\n")
		outputs, _, _ := strings.Cut(rest, "\nruns:\n")
		for _, m := range name.FindAllStringSubmatch("\n"+inputs, -1) {
			all = append(all, "input "+form+" "+m[1])
		}
		for _, m := range name.FindAllStringSubmatch("\n"+outputs, -1) {
			all = append(all, "output "+form+" "+m[1])
		}
	}
	for what, status := range map[string]int{
		"done": problem.Done, "usage": problem.Usage, "found before anything changed": problem.Found, "1Password refused": problem.Refused,
		"time ran out": problem.TimedOut, "done in part": problem.Partial, "run: a problem of ours": problem.RunOwn,
		"run: cannot be executed": problem.RunNotExec, "run: not found": problem.RunNotFound,
		"SIGINT": problem.Interrupted, "SIGTERM": problem.Terminated,
	} {
		all = append(all, fmt.Sprintf("status %d %s", status, what))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// What was promised is still there. What is new is promised from the release on that
// writes the file anew: docs/releasing.md.
func TestCompatibility(t *testing.T) {
	golden := filepath.Join("testdata", "compatibility.golden")
	now := promised(t)
	if *updateCompatibility {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(strings.Join(now, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		if _, found := slices.BinarySearch(now, line); !found {
			t.Errorf("%s: it was there, and projects use it. Before v1 `go test ./internal/cli -run Compatibility -update` gives it up", line)
		}
	}
	if len(lines) < 200 {
		t.Errorf("only %d things are promised", len(lines))
	}
}
