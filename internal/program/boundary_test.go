//go:build linux

package program

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// texts are the texts that come in at the program's boundary, by the types that they
// come in as: each is a source of the matrix, or something that cannot harm, and why.
var texts = map[string]string{
	"onepassword.Vault.ID": "1Password's own", "onepassword.Vault.Name": "the name of a vault",
	"onepassword.Overview.ID": "1Password's own", "onepassword.Overview.Title": "the title of a vault's item",
	"onepassword.Overview.Category": "one of 1Password's words", "onepassword.Overview.Tags": "not told",
	"onepassword.Item.ID": "1Password's own", "onepassword.Item.Title": "the title of a vault's item", "onepassword.Item.Category": "one of 1Password's words",
	"onepassword.Item.Tags": "not told", "onepassword.Item.CreatedAt": "parsed as a time", "onepassword.Item.UpdatedAt": "parsed as a time",
	"onepassword.Section.ID": "1Password's own", "onepassword.Section.Label": "the label of a field",
	"onepassword.Field.ID": "1Password's own", "onepassword.Field.Label": "the label of a field", "onepassword.Field.Type": "one of 1Password's words",
	"onepassword.Field.Purpose": "one of 1Password's words", "onepassword.Field.Section": "1Password's own",
	"onepassword.File.ID": "1Password's own", "onepassword.File.Name": "the label of a field", "onepassword.File.Section": "1Password's own",

	"github.PullRequest.HeadSHA": "checked: hexadecimal", "github.PullRequest.HeadRef": "the name of a branch", "github.PullRequest.HeadRepo": "checked: OWNER/NAME",
	"github.PullRequest.BaseSHA": "checked: hexadecimal", "github.PullRequest.BaseRepo": "checked: OWNER/NAME", "github.PullRequest.Labels": "a label of a pull request",
	"github.PullRequest.BaseRef": "the name of a branch",

	"kamal.Running.Host": "the name of a container", "kamal.Running.Role": "the name of a container", "kamal.Running.Accessory": "the name of a container",
	"kamal.Running.Container": "the name of a container", "kamal.Running.ID": "checked: hexadecimal", "kamal.Running.Version": "checked: what can be a tag",
	"kamal.RunningSecret.Variable": "the name of a container", "kamal.RunningSecret.Secret": "the name of a container",
	"kamal.RunningSecret.State": "checked: one of four words",

	"broker.Event.Message": "what the preload says went wrong", "broker.Event.Hint": "what the preload says went wrong",
	"broker.Event.Of":      "what the preload says went wrong", // what Message begins with
	"broker.Event.Process": "checked: letters, digits, points and dashes",
}

// Every text of the types by which text comes in is in the matrix: a field that is
// added fails this until somebody has thought of it.
func TestMatrix_HasEveryTextThatComesIn(t *testing.T) {
	known := map[string]bool{}
	for _, s := range sources {
		known[s.name] = true
	}
	seen := map[string]bool{}
	for _, v := range []any{
		onepassword.Vault{},
		onepassword.Overview{},
		onepassword.Item{},
		onepassword.Section{},
		onepassword.Field{},
		onepassword.File{},
		github.PullRequest{},
		kamal.Running{},
		kamal.RunningSecret{},
		broker.Event{},
	} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			f := typ.Field(i)
			if kind := f.Type.Kind(); !f.IsExported() || kind != reflect.String && (kind != reflect.Slice || f.Type.Elem().Kind() != reflect.String) {
				continue
			}
			name := typ.String() + "." + f.Name
			seen[name] = true
			why, ok := texts[name]
			if !ok {
				t.Errorf("%s brings in a text that the matrix does not know", name)
			}
			if harmless := regexp.MustCompile(`^(1Password's own|one of |not told|parsed as|checked: )`); !harmless.MatchString(why) && !known[why] {
				t.Errorf("%s is to be the source %q, and there is none", name, why)
			}
		}
	}
	for name := range texts {
		if !seen[name] {
			t.Errorf("there is no %s any more", name)
		}
	}
}

// ways are the methods by which text leaves: the channel of the matrix that each is
// seen in, or why it is no way out.
var ways = map[string][]string{
	"ci.System": {
		"Name none", "Mask none", "Child log", "Group log", "EndGroup none", "KeepOpen none", "Info log",
		"Notice log", "Warning log", "Error log", "Status log", "Output GITHUB_OUTPUT", "State GITHUB_STATE", "Summary GITHUB_STEP_SUMMARY",
	},
	"*gate.Gate": {
		"Append GITHUB_STEP_SUMMARY", "Child log", "Close none", "Error none", "Harmless none", "Help agent's annotate", "JSON output", "Mask none", "MaskHelp agent's redactor",
		"Masked none", "Nowhere none", "Problem none", "Screen log", "Stderr errors", "Stdout output", "Text none", "Transport the comment", "Unmasked none", "Value GITHUB_OUTPUT",
	},
	"*gate.Stream": {
		"Child output", "IsTerminal none", "JSON output", "Line output", "MaskCommands errors", "OnTerminal none", "Prepared output", "Redraw log", "TellsRunner none", "Width none", "Write output",
	},
	"*github.Client": {
		"Close none", "Comment the comment", "Issue an issue", "CreateDeployment the deployment", "SetStatus a status", "Deactivate a status", "EndUnfinished a status", "Supersede a status", "React none",
		"Repository none", "PullRequest none", "OpenPullRequests none", "Permission none", "RunOver none", "Login none", "File none", "CommitTime none", "Pushes none", "DeleteEnvironment none", "DeploymentState none", "Deployments none", "MadeByRun none", "Environment none", "Left none", "Setting none",
	},
}

// Every method by which text leaves is known.
func TestMatrix_HasEveryWayOut(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[ci.System](), reflect.TypeFor[*gate.Gate](), reflect.TypeFor[*gate.Stream](), reflect.TypeFor[*github.Client](),
	} {
		var known []string
		for _, way := range ways[typ.String()] {
			name, _, _ := strings.Cut(way, " ")
			known = append(known, name)
		}
		for i := range typ.NumMethod() {
			if name := typ.Method(i).Name; !slices.Contains(known, name) {
				t.Errorf("%s.%s is a way out, or none: the matrix does not know", typ, name)
			}
		}
	}
}

// commands are those that the matrix runs, and those that it does not, with the reason.
var commands = map[string]string{
	"deploy": "", "kamal": "", "run": "", "check": "", "add": "", "rename": "", "remove": "", "migrate": "", "verify": "", "plan": "", "comment": "", "doctor": "", "watch": "", "rotate": "", "promote": "", "freeze": "", "thaw": "", "history": "", "host-keys": "", "init": "",
	"review deploy": "", "review list": "", "review status": "",
	"setup": "as deploy", "redeploy": "as deploy", "rollback": "as deploy", "action": "as the command that it runs", "plugin": "as the command that it runs",
	"review remove": "as review deploy", "review sweep": "as review deploy", "review build": "as review deploy", "review event": "as review deploy",
	"cache": "tells a directory and a size", "cache warm": "tells a directory and a size", "rehearse": "takes minutes; its lines pass the same stream", "version": "tells a version", "config": "asks no vault, see TestShownValue_HasNoSecret", "help": "tells what the program is", "completion": "likewise", "man": "likewise",
}

// Every command of the program is known.
func TestMatrix_HasEveryCommand(t *testing.T) {
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"", "review", "cache"} {
		help, err := exec.CommandContext(t.Context(), program, strings.Fields(group+" --help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		_, list, _ := strings.Cut(string(help), "Commands:\n")
		found := regexp.MustCompile(`(?m)^  ([a-z][a-z-]*(?: [a-z][a-z-]*)?)\b`).FindAllStringSubmatch(list, -1)
		if len(found) == 0 {
			t.Errorf("%q has no commands:\n%s", group, help)
		}
		for _, m := range found {
			name := m[1]
			if group != "" && !strings.HasPrefix(name, group+" ") {
				name = group + " " + name
			}
			if _, ok := commands[name]; !ok && name != "review" {
				t.Errorf("the matrix does not know the command %q", name)
			}
		}
	}
}

// Each sentence of the threat model that names a test names one that there is.
func TestThreatModel_NamesTestsThatThereAre(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	err = filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			there[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 10 {
		t.Errorf("%d tests are named", len(named))
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("there is no %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`TestScripts/(\\w+)`").FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join("internal", "program", "testdata", "script", m[1]+".txtar")); err != nil {
			t.Error(err)
		}
	}
	// A promise without a test is none.
	_, table, _ := strings.Cut(string(text), "| promise | how | test | does not hold against |\n|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(strings.TrimSpace(table), "\n")
	for _, row := range rows {
		if cells := strings.Split(row, "|"); len(cells) != 6 || !strings.Contains(cells[3], "`Test") {
			t.Errorf("no test in %.60s", row)
		}
	}
	if len(rows) < 15 {
		t.Errorf("%d promises", len(rows))
	}
}
