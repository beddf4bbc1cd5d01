package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// parsed is what the grammar makes of a command line, with this environment.
func parsed(t *testing.T, env map[string]string, f form, args ...string) grammar {
	t.Helper()
	var g grammar
	parser, err := kong.New(&g, kong.Resolvers(lookup{env: env, form: f}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLookup_FlagBeforeInputBeforeEnvironment(t *testing.T) {
	env := map[string]string{
		"INPUT_DESTINATION": "from-input", "KAMAL_OP_DESTINATION": "from-env",
		"KAMAL_OP_HOSTS": "a", "INPUT_ROLES": " ", "KAMAL_OP_ROLES": "web",
	}
	for _, test := range []struct {
		name                     string
		form                     form
		args                     []string
		destination, host, roles string
	}{
		{"flag", inputs, []string{"deploy", "--destination=flag"}, "flag", "a", "web"},
		{"input", inputs, []string{"deploy"}, "from-input", "a", "web"},
		{"no action", noForm, []string{"deploy"}, "from-env", "a", "web"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := parsed(t, env, test.form, test.args...).Deploy
			got := []string{d.Destination, d.Hosts, d.Roles}
			if diff := cmp.Diff([]string{test.destination, test.host, test.roles}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLookup_ListsAreOneALine(t *testing.T) {
	env := map[string]string{"INPUT_SECRETS": "# a comment\r\nA=op://v/i/a\r\n\r\n  B=op://v/i/b  \n", "KAMAL_OP_SECRET": "C=op://v/i/c"}
	got := parsed(t, env, inputs, "deploy").Deploy.Secret
	want := lines{{"A=op://v/i/a", "input secrets, line 2"}, {"B=op://v/i/b", "input secrets, line 4"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
		t.Error(diff)
	}
	got = parsed(t, env, noForm, "deploy").Deploy.Secret
	if diff := cmp.Diff(lines{{"C=op://v/i/c", "KAMAL_OP_SECRET, line 1"}}, got, cmp.AllowUnexported(line{})); diff != "" {
		t.Error(diff)
	}
	got = parsed(t, env, inputs, "deploy", "--secret=D=op://v/i/d", "--secret", "E=op://v/i/e").Deploy.Secret
	if diff := cmp.Diff([]string{"D=op://v/i/d", "E=op://v/i/e"}, got.texts()); diff != "" {
		t.Error(diff)
	}
}

// Every option must be reachable in all three forms, and every input of the
// action must be an option: neither list can grow without the other.
func TestActionInputsAreOptions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	_, inputs, _ := strings.Cut(string(text), "\ninputs:\n")
	inputs, _, _ = strings.Cut(inputs, "\noutputs:")
	inputs, _, _ = strings.Cut(inputs, "\nruns:")
	for _, l := range strings.Split(inputs, "\n") {
		if name, ok := strings.CutSuffix(l, ":"); ok && strings.HasPrefix(l, "  ") && !strings.HasPrefix(l, "   ") {
			declared[strings.TrimSpace(name)] = true
		}
	}
	if len(declared) < 10 {
		t.Fatalf("only %d inputs were read out of action.yml", len(declared))
	}
	var g grammar
	parser, err := kong.New(&g)
	if err != nil {
		t.Fatal(err)
	}
	options := map[string]bool{"command": true, "args": true, "service-account-token": true, "connect-token": true, "github-token": true}
	nodes := []*kong.Node{find(t, parser.Model.Node, "review", "event")}
	for _, command := range actionCommands {
		if command != "review" {
			nodes = append(nodes, find(t, parser.Model.Node, command))
		}
	}
	for _, node := range nodes {
		for _, flag := range node.Flags {
			if flag.Name == "help" {
				continue
			}
			options[flag.Name] = true
			if !declared[flag.Name] && !anyOf(declared, flag.Aliases) {
				t.Errorf("--%s is no input of the action", flag.Name)
			}
			for _, alias := range flag.Aliases {
				options[alias] = true
			}
		}
	}
	for name := range declared {
		if !options[name] {
			t.Errorf("the action's input %s is no option of any command of the action", name)
		}
	}
}

// find is a command of the grammar's.
func find(t *testing.T, node *kong.Node, path ...string) *kong.Node {
	t.Helper()
	for _, name := range path {
		at := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == name })
		if at < 0 {
			t.Fatalf("there is no command %s", name)
		}
		node = node.Children[at]
	}
	return node
}

func anyOf(set map[string]bool, names []string) bool {
	for _, n := range names {
		if set[n] {
			return true
		}
	}
	return false
}

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                         nil,
		"app logs -f":              {"app", "logs", "-f"},
		"app exec 'ls -la'\n--foo": {"app", "exec", "ls -la", "--foo"},
		"$HOME `id` $(id)":         {"$HOME", "`id`", "$(id)"},
	} {
		got, err := splitWords(text, inputs)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b []string) bool { return strings.Join(a, "\x00") == strings.Join(b, "\x00") })); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	for _, text := range []string{"'open", "a; b", "a | b", "a && b", "a > b"} {
		if words, err := splitWords(text, inputs); problem.Status(err) != problem.Usage {
			t.Errorf("%q gave %q and %v, not a problem of usage", text, words, err)
		}
	}
}

func TestExplain_InTheContainerOfAnAction(t *testing.T) {
	container := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/github/workspace"}
	refused := &problem.Problem{Message: "cannot be reached", Hint: "start it", Status: problem.Refused}
	for _, test := range []struct {
		env  map[string]string
		host string
		want string
	}{
		{container, "http://localhost:8080", "container itself"},
		{container, "http://127.0.0.1:8080", "container itself"},
		{container, "http://connect:8080", "start it"},
		{map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/home/runner/work"}, "http://localhost:8080", "start it"},
	} {
		a := &app{env: test.env, connectHost: test.host}
		err := a.explainConnect(refused)
		if got := problem.Of(err)[0]; !strings.Contains(got.Hint, test.want) || problem.Status(err) != problem.Refused {
			t.Errorf("%s: hint %q, status %d", test.host, got.Hint, problem.Status(err))
		}
	}
	missing := &problem.Problem{Message: "the file is not there", Cause: fs.ErrNotExist, Status: problem.Usage}
	if got := problem.Of((&app{env: container}).explainFile(missing, ""))[0]; !strings.Contains(got.Hint, "workspace") {
		t.Errorf("hint %q", got.Hint)
	}
	if err := (&app{env: map[string]string{}}).explainFile(missing, ""); !errors.Is(err, error(missing)) {
		t.Errorf("outside an action the problem became %v", err)
	}
}

// A signal that ended a command is its status, and nothing to tell; a problem beside it
// is told.
func TestFail_ASignalIsNoProblem(t *testing.T) {
	var out bytes.Buffer
	g := gate.New(gate.Options{Stderr: &out, Stdout: &out})
	a := &app{gate: g, system: ci.Detect(nil, g, g.Stderr(), ci.Options{})}
	if status := a.fail(fmt.Errorf("asking: %w", supervise.Signalled{Signal: syscall.SIGTERM}), "verify"); status != problem.Terminated || out.Len() > 0 {
		t.Errorf("status %d, %q", status, out.String())
	}
	if status := a.fail(errors.Join(supervise.Signalled{Signal: syscall.SIGTERM}, problem.New("a file is left", "")), "verify"); status != problem.Terminated || !strings.Contains(out.String(), "a file is left") {
		t.Errorf("status %d, %q", status, out.String())
	}
}
