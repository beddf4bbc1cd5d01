package cli

import (
	"testing"

	"github.com/alecthomas/kong"
)

// A run does not wait for what kong makes of the commands that are not meant.
func TestOwnGrammar_HasTheOneCommand(t *testing.T) {
	whole, err := kong.New(&grammar{})
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.Model.Children) < 20 {
		t.Fatalf("there are only %d commands", len(whole.Model.Children))
	}
	for _, command := range whole.Model.Children {
		own, found := ownGrammar([]string{command.Name, "--flag", "word"})
		if !found {
			t.Errorf("%s has no grammar of its own", command.Name)
			continue
		}
		parser, err := kong.New(own.Interface())
		if err != nil {
			t.Fatal(err)
		}
		if n := parser.Model.Children; len(n) != 1 || n[0].Name != command.Name || len(n[0].Flags) != len(command.Flags) {
			t.Errorf("the grammar of %s has %d commands", command.Name, len(n))
		}
		if len(parser.Model.Flags) != len(whole.Model.Flags) {
			t.Errorf("the grammar of %s has %d flags of every command, and not %d", command.Name, len(parser.Model.Flags), len(whole.Model.Flags))
		}
	}
}

// Help and what is wrong tell of all commands.
func TestOwnGrammar_IsNoneForHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"depoy"}, {"--keep-fd", "3", "deploy"}, {"deploy", "--help"}, {"deploy", "-h"}} {
		if _, found := ownGrammar(args); found {
			t.Errorf("%q has a grammar of its own", args)
		}
	}
}
