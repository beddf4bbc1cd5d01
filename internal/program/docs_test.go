package program

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the texts that people read, by their paths.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, from := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "docs", "ci"} {
		err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
				return err
			}
			text, err := os.ReadFile(path)
			all[filepath.ToSlash(path)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d pages were found", len(all))
	}
	return all
}

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ (.*)$`)
	namedPattern   = regexp.MustCompile(`<a id="([^"]+)">`)
	notInAnchor    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	blockPattern   = regexp.MustCompile("(?ms)^```([a-z]*)[^\n]*\n(.*?)^```")
)

// anchors are the places of a page that a link may name, as GitHub makes them.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	page = blockPattern.ReplaceAllString(page, "")
	for _, m := range headingPattern.FindAllStringSubmatch(page, -1) {
		all[anchorOf(m[1])] = true
	}
	for _, m := range namedPattern.FindAllStringSubmatch(page, -1) {
		all[m[1]] = true
	}
	return all
}

// anchorOf is a heading's.
func anchorOf(heading string) string {
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// Each link within the project leads to a file, and to a heading of it.
func TestDocs_LinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	seen := 0
	for name, text := range all {
		for _, m := range linkPattern.FindAllStringSubmatch(blockPattern.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			seen++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s leads to %s, which is not there", name, m[1])
				continue
			}
			if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s leads to %s, which has no such heading", name, m[1])
			}
		}
	}
	if seen < 60 {
		t.Errorf("only %d links were seen", seen)
	}
}

// The README is what one reads in two minutes: the rest stands in docs/.
func TestDocs_TheReadmeIsShort(t *testing.T) {
	if text := pages(t)["README.md"]; len(text) > 6000 {
		t.Errorf("it has %d bytes", len(text))
	}
}

// Each line of the README's table of what it adds to Kamal is run from end to end by a test.
func TestDocs_TheReadmesTableIsTested(t *testing.T) {
	tests := map[string]string{ // of what is linked first in a line
		"docs/hooks.md#a-migration-before-the-boot": "e2e/fresh_test.go TestFreshEnv",
		"docs/rotate.md":                     "e2e/rotate_test.go TestRotate",
		"docs/promote.md":                    "e2e/promote_test.go TestPromote",
		"docs/plan.md":                       "e2e/plan_test.go TestPlan",
		"docs/secrets.md#values-as-they-are": "e2e/exact_test.go TestExactValues",
		"docs/history.md":                    "e2e/history_test.go TestHistory",
		"docs/watch.md":                      "e2e/watch_test.go TestWatch",
		"docs/secrets.md#keyless-what-an-earlier-step-has-loaded": "e2e/loaded_test.go TestDeployOfWhatAnEarlierStepLoaded",
		"docs/freeze.md": "e2e/freeze_test.go TestFreeze",
	}
	_, table, _ := strings.Cut(pages(t)["README.md"], "\n## What it adds to Kamal\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| \[[^\]]+\]\(([^)]+)\) \|`).FindAllStringSubmatch(table, -1)
	for _, row := range rows {
		file, test, _ := strings.Cut(tests[row[1]], " ")
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "\nfunc "+test+"(t *testing.T) {\n") {
			t.Errorf("no test runs %s: %v", row[1], err)
		}
		delete(tests, row[1])
	}
	if len(rows) < 9 || len(tests) > 0 {
		t.Errorf("of %d lines these have gone: %v", len(rows), tests)
	}
}

// Every page of docs/ can be reached from the README.
func TestDocs_EveryPageIsReached(t *testing.T) {
	all := pages(t)
	reached := map[string]bool{}
	next := []string{"README.md"}
	for len(next) > 0 {
		name := next[0]
		next = next[1:]
		if reached[name] {
			continue
		}
		reached[name] = true
		for _, m := range linkPattern.FindAllStringSubmatch(all[name], -1) {
			path, _, _ := strings.Cut(m[1], "#")
			if target := filepath.ToSlash(filepath.Join(filepath.Dir(name), path)); path != "" && all[target] != "" {
				next = append(next, target)
			}
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "docs/") && !reached[name] {
			t.Errorf("no page leads to %s", name)
		}
	}
}

// inlinePattern is a call of kamal-op within a sentence.
var inlinePattern = regexp.MustCompile("`(kamal-op [^`\n]+)`")

// commandLines are the calls of kamal-op in a page: in its blocks of shell, and within
// its sentences.
func commandLines(page string) []string {
	var lines []string
	for _, m := range blockPattern.FindAllStringSubmatch(page, -1) {
		if m[1] != "sh" {
			continue
		}
		for line := range strings.Lines(strings.ReplaceAll(m[2], "\\\n", " ")) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "kamal-op ") {
				lines = append(lines, line)
			}
		}
	}
	for _, m := range inlinePattern.FindAllStringSubmatch(blockPattern.ReplaceAllString(page, ""), -1) {
		lines = append(lines, m[1])
	}
	return lines
}

// helpTexts are what the program says of its commands, each asked for once.
type helpTexts struct {
	program string
	known   map[string][]byte
}

// of is the help of a command, nil of one that there is not.
func (h helpTexts) of(t *testing.T, command []string) []byte {
	t.Helper()
	key := strings.Join(command, " ")
	if text, ok := h.known[key]; ok {
		return text
	}
	text, err := exec.CommandContext(t.Context(), h.program, append([]string{"help"}, command...)...).Output()
	if err != nil {
		text = nil
	}
	h.known[key] = text
	return text
}

// Every command line of the documentation names a command, and options that this
// command has.
func TestDocs_CommandLinesAreOnesThatThereAre(t *testing.T) {
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		t.Fatal(err)
	}
	helps := helpTexts{program: program, known: map[string][]byte{}}
	option := regexp.MustCompile(`^(--[a-z][a-z-]*|-[a-zA-Z])(?:=.*)?$`)
	seen := 0
	for name, page := range pages(t) {
		for _, line := range commandLines(page) {
			seen++
			for _, end := range []string{" # ", " | ", " > "} {
				line, _, _ = strings.Cut(line, end)
			}
			words := strings.Fields(line)[1:]
			var command, options []string
			for _, word := range words {
				if word == "--" {
					break
				}
				if m := option.FindStringSubmatch(word); m != nil {
					options = append(options, m[1])
				} else if len(options) == 0 && len(command) < 2 {
					command = append(command, word)
				}
			}
			if len(command) > 0 && (command[0] == "COMMAND" || strings.HasPrefix(command[0], "v1.")) {
				continue // any of them; a version that is printed
			}
			help := helps.of(t, command)
			if help == nil && len(command) > 1 { // the second is an argument
				help = helps.of(t, command[:1])
			}
			if help == nil {
				t.Errorf("%s: %s: there is no such command", name, line)
				continue
			}
			for _, o := range options {
				if !regexp.MustCompile(`(?m)(^|[ ,\[])` + regexp.QuoteMeta(o) + `([ =,\]\[]|$)`).Match(help) {
					t.Errorf("%s: %s: there is no %s", name, line, o)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d command lines were seen", seen)
	}
}
