package program

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pagesByCommand are the places whose problems lead to the page of the command that tells
// them: internal/cli/pages.go names it. What stands in none of them says itself where more
// is written.
var pagesByCommand = map[string][]string{
	"internal/check":           {"check"}, // whose rules lead somewhere each, beside that
	"internal/edit":            {"add", "remove", "rename", "init", "migrate"},
	"internal/kamal/edit":      {"add", "remove", "rename", "init"}, // the files that change Kamal's
	"internal/freeze":          {"freeze", "thaw"},
	"internal/promote":         {"promote"},
	"internal/rehearsal":       {"rehearse"},
	"internal/review":          {"review"},
	"internal/cli/comment.go":  {"comment"},
	"internal/cli/freeze.go":   {"freeze", "thaw"},
	"internal/cli/hostkeys.go": {"host-keys"},
	"internal/cli/rotate.go":   {"rotate"},
	"internal/cli/watch.go":    {"watch"},
}

// ownPages are statuses whose problems lead to a page of their own.
var ownPages = []string{"Usage", "Refused", "TimedOut", "Partial"}

// Every problem says where more is written of it, where it is made: by About, in the
// function that makes it, or by its status. What is told as a notice or a warning leads
// nowhere. Who reads this because it failed gives the problem an About; what nobody could
// look up is About(problem.Other).
func TestProblems_EachSaysWhereMoreIsWritten(t *testing.T) {
	used := map[string]bool{}
	seen := 0
	err := filepath.WalkDir("internal", func(path string, entry fs.DirEntry, err error) error {
		path = filepath.ToSlash(path)
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(path, "internal/problem/") || strings.HasPrefix(path, "internal/testkit/") || strings.HasPrefix(path, "internal/program/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		made, silent, err := problemsOf(path, text)
		if err != nil {
			return err
		}
		seen += made
		place := ""
		for of := range pagesByCommand {
			if strings.HasPrefix(path, of) && (strings.HasSuffix(of, ".go") || strings.HasPrefix(path[len(of):], "/") || of == "internal/kamal/edit") {
				place = of
			}
		}
		if place != "" {
			used[place] = used[place] || len(silent) > 0
			return nil
		}
		for _, at := range silent {
			t.Errorf("%s makes a problem that says nowhere to read on", at)
		}
		return nil
	})
	if err != nil || seen < 200 {
		t.Fatalf("%d problems were seen: %v", seen, err)
	}
	text, err := os.ReadFile("internal/cli/pages.go")
	if err != nil {
		t.Fatal(err)
	}
	for place, commands := range pagesByCommand {
		if !used[place] {
			t.Errorf("%s has no problem that leads to its command's page: take it out of pagesByCommand", place)
		}
		for _, command := range commands {
			if !strings.Contains(string(text), strconv.Quote(command)) {
				t.Errorf("%s leaves the page to the command %s, which internal/cli/pages.go does not know", place, command)
			}
		}
	}
}

// problemsOf counts the problems that a file makes, and gives the places of those that say
// nowhere to read on.
func problemsOf(path string, text []byte) (made int, silent []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return 0, nil, err
	}
	for _, d := range file.Decls {
		var found []ast.Node
		said := map[ast.Node]bool{} // with its page, where it is made
		later := false              // one that was made before is given a page
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if to, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Notice", "Warning", "notices"}, to.Sel.Name) {
					return false
				}
				if isOf(n.Fun, "problem", "New") || isOf(n.Fun, "problem", "Newf") {
					found = append(found, n)
				}
			case *ast.CompositeLit:
				if isOf(n.Type, "problem", "Problem") {
					found = append(found, n)
					said[n] = said[n] || saysPage(n)
				}
			case *ast.SelectorExpr:
				if n.Sel.Name == "About" || n.Sel.Name == "Help" {
					of := inner(n.X)
					said[of] = true
					_, named := of.(*ast.Ident)
					later = later || named
				}
			}
			return true
		})
		made += len(found)
		for _, n := range found {
			if !said[n] && !later {
				silent = append(silent, files.Position(n.Pos()).String())
			}
		}
	}
	return made, silent, nil
}

// inner is what stands in parentheses, or behind an &.
func inner(n ast.Expr) ast.Expr {
	for {
		switch of := n.(type) {
		case *ast.ParenExpr:
			n = of.X
		case *ast.UnaryExpr:
			n = of.X
		default:
			return n
		}
	}
}

// saysPage tells whether a problem is written with a page, or with a status that has one.
func saysPage(n *ast.CompositeLit) bool {
	return slices.ContainsFunc(n.Elts, func(e ast.Expr) bool {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		key, ok := pair.Key.(*ast.Ident)
		return ok && (key.Name == "Help" || key.Name == "Status" && slices.ContainsFunc(ownPages, func(name string) bool { return isOf(pair.Value, "problem", name) }))
	})
}

// isOf tells whether an expression is a name of a package.
func isOf(n ast.Expr, pkg, name string) bool {
	s, ok := n.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	of, ok := s.X.(*ast.Ident)
	return ok && of.Name == pkg
}

// The walk sees what it is to see.
func TestProblems_AreSeen(t *testing.T) {
	for text, want := range map[string]int{
		`func f() error { return problem.New("a", "b") }`:                                      1,
		`func f() error { return problem.Newf("a") }`:                                          1,
		`func f() error { return &problem.Problem{Message: "a", Status: problem.Found} }`:      1,
		`func f() error { return problem.New("a", "b").About(problem.Other) }`:                 0,
		`func f() error { return &problem.Problem{Message: "a", Help: problem.Other} }`:        0,
		`func f() error { return &problem.Problem{Message: "a", Status: problem.TimedOut} }`:   0,
		`func f() error { return problem.Usagef("a", "b") }`:                                   0,
		`func f() { s.Notice(problem.New("a", "b")) }`:                                         0,
		`func f() { p := problem.New("a", "b"); s.Error(p) }; func g() { p.About(h) }`:         1,
		`func f() { p := problem.New("a", "b"); p.Help = problem.Other; s.Error(p) }`:          0,
		`func f() error { return (&problem.Problem{Message: "a"}).About(problem.Other) }`:      0,
		`func f() { x(problem.New("a", "").About(h)); y(problem.New("b", "")) }`:               1,
		`func f() problem.List { return problem.List{problem.New("a", ""), problem.Newf("")}}`: 2,
	} {
		if _, silent, err := problemsOf("x.go", []byte("package x\n"+text)); err != nil || len(silent) != want {
			t.Errorf("%s: %q, %v", text, silent, err)
		}
	}
}
