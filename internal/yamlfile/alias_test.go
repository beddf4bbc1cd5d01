package yamlfile

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/go-cmp/cmp"
)

func TestUnaliased(t *testing.T) {
	for text, want := range map[string]string{
		"a: &x {b: 1}\nc: *x\n":           "a.b=1 c.b=1",
		"a: &x\n  b: &y\n    c: 1\nd: *y": "a.b.c=1 d.c=1",
		"a: &x {b: 1}\nc: [*x]\n":         "a.b=1",
		"a: *x\nb: &x {c: 1}\n":           "b.c=1", // nothing is marked yet
		"a: &x {b: *x, c: 1}\nd: *x\n":    "a.c=1 d.c=1",
		"&x\na: {b: 1}\n":                 "a.b=1",
	} {
		file, err := Parse(text, true)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, pair := range Pairs(Unaliased(file.Docs[0].Body)) {
			got = append(got, leaves(pair.Key.GetToken().Value, Pairs(pair.Value))...)
		}
		if d := cmp.Diff(want, strings.Join(got, " ")); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
	// Twenty doublings are a million values written out.
	var b strings.Builder
	b.WriteString("l0: &l0 {v: 1}\n")
	for n := 'a'; n < 'a'+20; n++ {
		before := string(n - 1)
		if n == 'a' {
			before = "l0"
		}
		b.WriteString(string(n) + ": &" + string(n) + " {x: *" + before + ", y: *" + before + "}\n")
	}
	file, err := Parse(b.String(), true)
	if err != nil {
		t.Fatal(err)
	}
	if pairs := Pairs(Unaliased(file.Docs[0].Body)); len(pairs) != 21 || len(Pairs(pairs[20].Value)) != 2 {
		t.Errorf("%d pairs", len(pairs))
	}
}

// leaves are the paths and scalars of a mapping.
func leaves(path string, pairs []*ast.MappingValueNode) (all []string) {
	for _, pair := range pairs {
		at := path + "." + pair.Key.GetToken().Value
		if inner := Pairs(pair.Value); inner != nil {
			all = append(all, leaves(at, inner)...)
		} else if _, alias := pair.Value.(*ast.AliasNode); !alias {
			all = append(all, at+"="+pair.Value.GetToken().Value)
		}
	}
	return all
}
