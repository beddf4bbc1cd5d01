package doctor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// checksMade are the checks of which the code makes findings, as area and name.
func checksMade() (names []string) {
	areas := map[string]string{}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		panic(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			panic(err)
		}
		files = append(files, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "area") {
				areas[spec.Names[0].Name], _ = literal(spec.Values[0])
			}
			return true
		})
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit: // Finding{Area: areaHosts, Check: "disk"}
				if of, ok := n.Type.(*ast.Ident); ok && of.Name == "Finding" {
					area, check := "", ""
					for _, e := range n.Elts {
						switch pair := e.(*ast.KeyValueExpr); pair.Key.(*ast.Ident).Name {
						case "Area":
							if of, ok := pair.Value.(*ast.Ident); ok {
								area = areas[of.Name]
							}
						case "Check":
							check, _ = literal(pair.Value)
						}
					}
					names = append(names, area+"/"+check)
				}
			case *ast.CallExpr: // f("disk", Well, …), of a host
				if of, ok := n.Fun.(*ast.Ident); ok && of.Name == "f" && len(n.Args) == 3 {
					check, _ := literal(n.Args[0])
					names = append(names, areas["areaHosts"]+"/"+check)
				}
			}
			return true
		})
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") })
	slices.Sort(names)
	return slices.Compact(names)
}

func literal(n ast.Expr) (string, bool) {
	text, ok := n.(*ast.BasicLit)
	if !ok || text.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(text.Value)
	return value, err == nil
}

// All kinds of findings are seen that the code makes.
func TestChecksMade(t *testing.T) {
	made := checksMade()
	for _, name := range []string{"hosts/disk", "hosts/login", "registry/login", "1Password/credentials", "Kamal/preload", "GitHub/forks", "project file/trust", "this machine/buildx"} {
		if !slices.Contains(made, name) {
			t.Errorf("%s is not among %q", name, made)
		}
	}
	if len(made) < 20 {
		t.Errorf("only %d: %q", len(made), made)
	}
}
