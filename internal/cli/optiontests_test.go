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
	"keep-fd":             "internal/program/faults_test.go",
	"forward-agent":       "e2e/fidelity_test.go",
	"deploy-by-comment":   "internal/program/testdata/script/comment.txtar", // in the project file
	"no-fresh-env":        "e2e/fresh_test.go",
	"reuse-image":         "e2e/reuse_test.go",
	"fresh-env":           "e2e/fresh_test.go",
	"accessory of rotate": "e2e/rotate_test.go",
	"shared-accessories":  "e2e/review_test.go",
	"review-drop":         "e2e/reviewtls_test.go",
	"rollback-on-failure": "e2e/rollback_test.go",
	"environment":         "internal/onepassword/resolver_test.go", // of a service account: there is none here

	"project of rehearse":     "e2e/rehearseoptions_test.go",
	"destination of rehearse": "e2e/rehearseoptions_test.go",
	"config-file of rehearse": "e2e/rehearseoptions_test.go",
	"with-hooks of rehearse":  "e2e/rehearseoptions_test.go",
	"values of rehearse":      "e2e/rehearseoptions_test.go",
	"env of rehearse":         "e2e/rehearseoptions_test.go",
	"kamal of rehearse":       "e2e/rehearseoptions_test.go",
}

// notWell are the options with which a command that does what it shall ends otherwise
// than well, each with the reason.
var notWell = map[string]string{
	"dry-run of check":   "what is only shown is still wrong",
	"erb of check":       "what is wrong is not mended by knowing it",
	"hosts of verify":    "the stand-in for Kamal does not say what runs",
	"roles of verify":    "the stand-in for Kamal does not say what runs",
	"op-scope of verify": "the stand-in for Kamal does not say what runs",
}

// A trial is a line of a script that gives an option, and whether it is more than a
// refusal of the option: the command ends well, and what it then did is looked at.
type trial struct {
	line string
	well bool
	seen bool
}

// looks begins a line that looks at what the command before it did.
var looks = regexp.MustCompile(`^!? *(std(out|err)|grep|cmp|exists|exec|unleaked|deployments|commented|opened|states|reacted) `)

// trials are the lines of all scripts that run kamal-op, or set what it is given.
func trials(t *testing.T) []trial {
	t.Helper()
	scripts, err := filepath.Glob("../program/testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all []trial
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		last := -1 // the command that is looked at
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			runs := strings.Contains(line, "kamal-op ")
			switch {
			case strings.HasPrefix(line, "-- "):
				last = -1
			case runs || strings.HasPrefix(line, "env "):
				well := strings.HasPrefix(line, "exits 0 ") || strings.HasPrefix(line, "exec ") || !runs
				all = append(all, trial{line: line, well: well, seen: !runs})
				if runs {
					last = len(all) - 1
				}
			case last >= 0 && looks.MatchString(line):
				all[last].seen = true
			}
		}
	}
	return all
}

// Each option is given to the real main by a script or a test of its own, with a value
// that it takes, and the script looks at what came of it: that a wrong value is refused
// says nothing of what a right one does.
func TestOptions_EachIsTriedThroughTheRealMain(t *testing.T) {
	all := trials(t)
	of := func(o option, among map[string]string) (string, bool) {
		if text, is := among[o.name]; is {
			return text, true
		}
		text, is := among[o.name+" of "+o.commands[0]]
		return text, is
	}
	for _, o := range allOptions(t) {
		if file, other := of(o, elsewhere); other {
			if text, err := os.ReadFile("../../" + file); err != nil || !strings.Contains(string(text), "--"+o.name) && !strings.Contains(string(text), `"`+o.name+`"`) {
				t.Errorf("--%s is not tried in %s: %v", o.name, file, err)
			}
			continue
		}
		flag := regexp.MustCompile(`\s--(no-)?` + o.name + `([\s=']|$)`)
		setting := regexp.MustCompile(`^env '?(INPUT_` + strings.ToUpper(o.name) + `|KAMAL_OP_` + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_")) + `)=.`)
		_, otherwise := of(o, notWell)
		tried := slices.ContainsFunc(all, func(l trial) bool {
			// An option is an input of the action and a variable, too.
			if setting.MatchString(l.line) {
				return true
			}
			refused := strings.HasPrefix(l.line, "exits 2 ")
			return l.seen && (l.well || otherwise && !refused) && flag.MatchString(l.line) && slices.ContainsFunc(o.commands, func(command string) bool {
				return strings.Contains(l.line, strings.TrimSpace("kamal-op "+command))
			})
		})
		if !tried {
			t.Errorf("no script gives --%s to %s and looks at what it did", o.name, strings.Join(o.commands, ", "))
		}
	}
}
