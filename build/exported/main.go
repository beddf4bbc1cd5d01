// Exported tells which exported names under internal/ have no user outside of their
// package: they should not be exported, or not be there. Tests inside the package are
// no users; those in PACKAGE_test are. A constant of an exported type, or of a block in
// which another has a user, is one of a family, and needs none.
//
//	go run ./build/exported
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "exported:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	loaded, err := packages.Load(&packages.Config{
		Mode:  packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedModule,
		Tests: true,
	}, "./...")
	if err != nil {
		return err
	}
	if packages.PrintErrors(loaded) > 0 {
		return errors.New("the code does not compile")
	}
	used := map[string]bool{} // by place: a package is there twice, with its tests and without
	for _, p := range loaded {
		for _, object := range p.TypesInfo.Uses {
			if object.Pkg() != nil && object.Pkg().Path() != p.PkgPath {
				used[place(p, object)] = true
			}
		}
	}
	var unused []string
	for _, p := range loaded {
		if !strings.Contains(p.PkgPath, "/internal/") || strings.HasSuffix(p.PkgPath, "_test") || strings.Contains(p.ID, " [") {
			continue
		}
		shown := mentioned(p.Types).all
		for _, family := range families(p) {
			if slices.ContainsFunc(family, func(o types.Object) bool { return used[place(p, o)] }) {
				for _, object := range family {
					shown[object] = true
				}
			}
		}
		for _, object := range exported(p.Types) {
			if !used[place(p, object)] && !shown[object] && !isValue(object) {
				unused = append(unused, place(p, object)+": "+object.Name())
			}
		}
	}
	slices.Sort(unused)
	for _, line := range unused {
		fmt.Fprintln(out, line)
	}
	if len(unused) > 0 {
		return fmt.Errorf("%d exported names have no user outside of their package", len(unused))
	}
	return nil
}

func place(p *packages.Package, object types.Object) string {
	return p.Fset.Position(object.Pos()).String()
}

// exported are the exported names of a package.
func exported(p *types.Package) []types.Object {
	var all []types.Object
	for _, name := range p.Scope().Names() {
		if object := p.Scope().Lookup(name); object.Exported() {
			all = append(all, object)
		}
	}
	return all
}

// families are the blocks of constants of a package.
func families(p *packages.Package) (all [][]types.Object) {
	for _, file := range p.Syntax {
		for _, decl := range file.Decls {
			block, ok := decl.(*ast.GenDecl)
			if !ok || block.Tok != token.CONST {
				continue
			}
			var family []types.Object
			for _, spec := range block.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					family = append(family, p.TypesInfo.Defs[name])
				}
			}
			all = append(all, family)
		}
	}
	return all
}

// isValue says whether a name is a constant of an exported type.
func isValue(object types.Object) bool {
	named, ok := object.Type().(*types.Named)
	_, constant := object.(*types.Const)
	return ok && constant && named.Obj().Exported() && named.Obj().Pkg() == object.Pkg()
}

// mentioned are the types that the exported names of a package have in their own
// types: who uses these has them without naming them.
func mentioned(p *types.Package) mentions {
	m := mentions{of: p, all: map[types.Object]bool{}}
	for _, object := range exported(p) {
		if name, ok := object.(*types.TypeName); ok {
			m.inside(name.Type()) // a type's own name is not a mention of it
			continue
		}
		m.walk(object.Type())
	}
	return m
}

// mentions collects the types of one package.
type mentions struct {
	of  *types.Package
	all map[types.Object]bool
}

// inside walks what users of a type see of it: its fields and methods.
func (m mentions) inside(t types.Type) {
	m.walk(t.Underlying())
	if named, ok := t.(*types.Named); ok {
		for method := range named.Methods() {
			if method.Exported() {
				m.walk(method.Type())
			}
		}
	}
}

func (m mentions) walk(t types.Type) {
	switch t := t.(type) {
	case *types.Named:
		for arg := range t.TypeArgs().Types() {
			m.walk(arg)
		}
		if object := t.Obj(); object.Pkg() == m.of && !m.all[object] {
			m.all[object] = true
			m.inside(t)
		}
	case *types.Map:
		m.walk(t.Key())
		m.walk(t.Elem())
	case interface{ Elem() types.Type }: // a pointer, slice, array or channel
		m.walk(t.Elem())
	case *types.Signature:
		for v := range t.Params().Variables() {
			m.walk(v.Type())
		}
		for v := range t.Results().Variables() {
			m.walk(v.Type())
		}
	case *types.Struct:
		for field := range t.Fields() {
			if field.Exported() {
				m.walk(field.Type())
			}
		}
	case *types.Interface:
		for method := range t.Methods() {
			m.walk(method.Type())
		}
	}
}
