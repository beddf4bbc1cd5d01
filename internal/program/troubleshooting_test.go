package program

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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
		// The problem leads here, and to nowhere else.
		leads := "docs/troubleshooting.md#" + anchorOf(args[0])
		if !slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, "  help: ") && strings.HasSuffix(line, leads) }) {
			ts.Fatalf("no problem leads to %s:\n%s", leads, strings.Join(said, "\n"))
		}
	}
}

// helps are the places of the documentation that problems lead to.
func helps(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("internal", "problem", "help.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, value := range spec.Values {
			place, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, place)
		}
		return false
	})
	return all
}

// Every problem leads to a page that is there and to a heading of it, and every section
// of docs/troubleshooting.md is one that a problem leads to.
func TestTroubleshooting_EveryProblemLeadsSomewhere(t *testing.T) {
	all := pages(t)
	places := helps(t)
	if len(places) < 25 {
		t.Fatalf("only %d places were found", len(places))
	}
	for _, place := range places {
		page, anchor, _ := strings.Cut(place, "#")
		if text, ok := all["docs/"+page]; !ok || anchor != "" && !anchors(text)[anchor] {
			t.Errorf("problems lead to docs/%s, which is not there", place)
		}
	}
	sections, err := troubleshooting()
	if err != nil {
		t.Fatal(err)
	}
	for title := range sections {
		if !slices.Contains(places, "troubleshooting.md#"+anchorOf(title)) {
			t.Errorf("no problem leads to the section %q of docs/troubleshooting.md", title)
		}
	}
}

// Every message of the page is asked of the program, once.
func TestTroubleshooting(t *testing.T) {
	sections, err := troubleshooting()
	if err != nil || len(sections) < 8 {
		t.Fatalf("%d sections: %v", len(sections), err)
	}
	script, err := os.ReadFile(filepath.Join("internal", "program", "testdata", "script", "troubleshooting.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for title := range sections {
		if strings.Count(string(script), "\ndocumented '"+title+"'\n") != 1 {
			t.Errorf("internal/program/testdata/script/troubleshooting.txtar does not ask once for %q", title)
		}
	}
	page, _ := os.ReadFile(filepath.Join("docs", "troubleshooting.md"))
	if n := strings.Count(string(page), "\n## "); n != len(sections) {
		t.Errorf("%d sections, %d of them with a message", n, len(sections))
	}
}
