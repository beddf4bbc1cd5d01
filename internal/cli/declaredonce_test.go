package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// namesakes are options that have one name and are two: of other commands, with
// another meaning or another form.
var namesakes = map[string]string{
	"accessory": "the one that add writes into, or those that are rebooted",
	"account":   "what a new fetch names, or all that init writes",
	"dry-run":   "of what changes files (-n), of a sweep, and of the event that asks for one",
	"format":    "check knows sarif, too",
	"item":      "a secret's, with its vault, or the name of all secrets'",
	"json":      "events, a document, or a plan's",
	"offline":   "what is not asked is another thing in each",
	"service":   "those that are deployed, or production's, of which previews are made",
	"ssh-key":   "migrate's is one",
}

// An option is declared once, in this room or in one that it embeds, whatever the
// number of commands that take it.
func TestOptions_EachIsDeclaredOnce(t *testing.T) {
	where := map[string][]string{}
	for _, dir := range []string{".", "../broker"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				field, ok := n.(*ast.Field)
				if !ok || field.Tag == nil {
					return true
				}
				text, err := strconv.Unquote(field.Tag.Value)
				if err != nil {
					t.Fatal(err)
				}
				tag := reflect.StructTag(text)
				_, argument := tag.Lookup("arg")
				_, command := tag.Lookup("cmd")
				if option := tag.Get("name"); option != "" && !argument && !command {
					where[option] = append(where[option], files.Position(field.Pos()).String())
				}
				return true
			})
		}
	}
	if len(where) < 60 {
		t.Fatalf("only %d options were seen", len(where))
	}
	for option, places := range where {
		if len(places) > 1 && namesakes[option] == "" {
			t.Errorf("--%s is declared in %s: once will do, see common.go", option, strings.Join(places, ", "))
		}
	}
}
