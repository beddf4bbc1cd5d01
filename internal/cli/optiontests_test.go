package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// An option is one flag, whichever commands share it.
type option struct {
	name     string
	commands []string
}

// allOptions are all options of all commands that are shown.
func allOptions(t *testing.T) []option {
	t.Helper()
	var g grammar
	parser, err := kong.New(&g)
	if err != nil {
		t.Fatal(err)
	}
	var all []option
	known := map[[2]string]int{}
	var walk func(n *kong.Node, path []string)
	walk = func(n *kong.Node, path []string) {
		for _, f := range n.Flags {
			if f.Name == "help" {
				continue
			}
			key := [2]string{f.Name, f.Help} // of one declaration, that several commands share
			i, there := known[key]
			if !there {
				i = len(all)
				known[key] = i
				all = append(all, option{name: f.Name})
			}
			all[i].commands = append(all[i].commands, strings.Join(path, " "))
		}
		for _, c := range n.Children {
			if !c.Hidden {
				walk(c, append(slices.Clone(path), c.Name))
			}
		}
	}
	walk(parser.Model.Node, nil)
	return all
}

// elsewhere are the options that a script cannot try, each with the file of the test
// that does: with what only real parts show, or with a process of its own.
var elsewhere = map[string]string{
	"keep-fd":            "faults_test.go",
	"forward-agent":      "e2e/fidelity_test.go",
	"shared-accessories": "e2e/review_test.go",
}

// Each option is given to the real main by a script or a test of its own.
func TestOptions_EachIsTriedThroughTheRealMain(t *testing.T) {
	scripts, err := filepath.Glob("../../testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	for _, o := range allOptions(t) {
		file, other := elsewhere[o.name]
		if !other {
			file, other = elsewhere[o.name+" of "+o.commands[0]]
		}
		if other {
			if text, err := os.ReadFile("../../" + file); err != nil || !strings.Contains(string(text), o.name) {
				t.Errorf("--%s is not tried in %s: %v", o.name, file, err)
			}
			continue
		}
		flag := regexp.MustCompile(`\s--(no-)?` + o.name + `([\s=']|$)`)
		setting := regexp.MustCompile(`^env '?(INPUT_` + strings.ToUpper(o.name) + `|KAMAL_OP_` + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_")) + `)=.`)
		tried := slices.ContainsFunc(lines, func(line string) bool {
			// An option is an input of the action and a variable, too.
			if setting.MatchString(line) {
				return true
			}
			return flag.MatchString(line) && slices.ContainsFunc(o.commands, func(command string) bool {
				return strings.Contains(line, strings.TrimSpace("kamal-op "+command))
			})
		})
		if !tried {
			t.Errorf("no script gives --%s to %s", o.name, strings.Join(o.commands, ", "))
		}
	}
}
