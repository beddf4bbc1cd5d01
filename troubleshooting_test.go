package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// troubleshooting is docs/troubleshooting.md: the lines of each section that has a
// message of the program's.
func troubleshooting() (map[string][]string, error) {
	text, err := os.ReadFile(filepath.Join("docs", "troubleshooting.md"))
	if err != nil {
		return nil, err
	}
	sections := map[string][]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, rest, _ := strings.Cut(section, "\n")
		if _, block, ok := strings.Cut(rest, "\n```text\n"); ok {
			block, _, _ = strings.Cut(block, "\n```")
			sections[title] = strings.Split(block, "\n")
		}
	}
	return sections, nil
}

// documented checks that the last command printed the message that a section of
// docs/troubleshooting.md has, line by line and in this order.
func documented(sections map[string][]string) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: documented SECTION")
		}
		lines, ok := sections[args[0]]
		if !ok {
			ts.Fatalf("docs/troubleshooting.md has no section %q with a message", args[0])
		}
		said := strings.Split(ts.ReadFile("stdout")+ts.ReadFile("stderr"), "\n")
		for _, line := range lines {
			pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "$")
			i := slices.IndexFunc(said, pattern.MatchString)
			if i < 0 {
				ts.Fatalf("docs/troubleshooting.md, %s: the program does not say\n%s", args[0], line)
			}
			said = said[i+1:]
		}
	}
}

// Every message of the page is asked of the program, once.
func TestTroubleshooting(t *testing.T) {
	sections, err := troubleshooting()
	if err != nil || len(sections) < 8 {
		t.Fatalf("%d sections: %v", len(sections), err)
	}
	script, err := os.ReadFile(filepath.Join("testdata", "script", "troubleshooting.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for title := range sections {
		if strings.Count(string(script), "\ndocumented '"+title+"'\n") != 1 {
			t.Errorf("testdata/script/troubleshooting.txtar does not ask once for %q", title)
		}
	}
	page, _ := os.ReadFile(filepath.Join("docs", "troubleshooting.md"))
	if n := strings.Count(string(page), "\n## "); n != len(sections) {
		t.Errorf("%d sections, %d of them with a message", n, len(sections))
	}
}
