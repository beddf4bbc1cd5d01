package program

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An error that is passed over says why, on its line or above it: in Go a call whose
// results all go to _, in Ruby a rescue that gives nothing back. What is only closed
// needs no reason: of a connection, an answer and a file that was read nothing is lost,
// and a file that was written is closed with its error.
func TestErrors_ThatArePassedOverSayWhy(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// What is of tests and of this repository's own work runs at no user's.
		other := []string{".git", ".cache", "bench", "build", "e2e", "internal/testkit", "internal/github/githubtest", "internal/standin"}
		if entry.IsDir() && (slices.Contains(other, filepath.ToSlash(path)) || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		var silent []string
		switch {
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			silent, err = passedOver(path, &seen)
		case strings.HasSuffix(path, ".rb"):
			silent, err = rescued(path, &seen)
		}
		for _, place := range silent {
			t.Errorf("%s: an error is passed over without a reason", place)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 60 {
		t.Errorf("only %d were seen", seen)
	}
}

// passedOver are the places of a Go file where all that a call gives goes to _, and no
// comment says why.
func passedOver(path string, seen *int) (silent []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	commented := map[int]bool{}
	for _, group := range file.Comments {
		for line := files.Position(group.Pos()).Line; line <= files.Position(group.End()).Line; line++ {
			commented[line] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		set, is := n.(*ast.AssignStmt)
		if !is || slices.ContainsFunc(set.Lhs, func(to ast.Expr) bool { name, is := to.(*ast.Ident); return !is || name.Name != "_" }) {
			return true
		}
		call, is := set.Rhs[0].(*ast.CallExpr)
		if !is {
			return true
		}
		if called, is := call.Fun.(*ast.SelectorExpr); is && called.Sel.Name == "Close" {
			return true
		}
		*seen++
		if place := files.Position(set.Pos()); !commented[place.Line] && !commented[place.Line-1] {
			silent = append(silent, place.String())
		}
		return true
	})
	return silent, nil
}

// nothing is a line of Ruby that gives nothing back, and does not say why.
var nothing = regexp.MustCompile(`^\s*(nil|false|true|0|""|"\?"|\[\s*\]|\{\s*\}|end)\s*$`)

// rescued are the places of a Ruby file where a rescue gives nothing back, and no
// comment says why.
func rescued(path string, seen *int) (silent []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(strings.TrimSpace(line), "rescue") {
			continue
		}
		*seen++
		if nothing.MatchString(lines[i+1]) && !strings.Contains(line, " # ") {
			silent = append(silent, path+": "+strings.TrimSpace(line))
		}
	}
	return silent, nil
}
