package program

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A shape is what a CI system's documentation allows at a place of its files: the keys of
// a mapping, with "*" for any other, each with the kinds of value that it takes ("image
// text", "on text|mapping") and a "!" where it has to be there. A nil is looked at no
// further.
//
// These are written by hand, of the keys that we use: the vendors' own schemas are not
// here, since they are theirs to publish and to change. The files have been held against
// GitLab's, CircleCI's, Buildkite's, Woodpecker's, Drone's and Azure's as they were in
// August 2026.
type shape map[string]shape

// job keys and the like, by the systems' references.
var (
	gitlabJob = shape{
		"stage text": nil, "image text": nil, "services list": {"name! text": nil, "alias text": nil}, "variables mapping": {"* text": nil}, "script! list": nil,
		"environment text": nil, "resource_group text": nil, "interruptible flag": nil, "rules list": {"if! text": nil},
	}
	circleParameters = shape{"*": {"type! text": nil, "default text": nil, "description text": nil, "enum list": nil}}
	circleRun        = shape{"name text": nil, "shell text": nil, "no_output_timeout text": nil, "environment mapping": {"* text": nil}, "command! text": nil}
	circleStep       = shape{"run mapping": circleRun, "execute mapping": {"* text": nil}}
	circleDocker     = shape{"image! text": nil}
	circleJob        = shape{
		"description text": nil, "parameters mapping": circleParameters, "docker list": circleDocker, "executor mapping": {"name! text": nil, "image text": nil},
		"environment mapping": {"* text": nil}, "steps! list": circleStep,
	}
	circleWorkflows = shape{"* mapping": {"jobs! list": {"* mapping": {"filters mapping": {"branches mapping": {"only text": nil}}, "* text": nil}}}}
	actions         = shape{
		"name text": nil, "on! mapping": nil, "concurrency mapping": {"group! text": nil}, "permissions mapping": {"* text": nil},
		"jobs! mapping": {"* mapping": {"runs-on! text": nil, "timeout-minutes number": nil, "steps! list": {"uses! text": nil, "with mapping": {"* text|flag": nil}}}},
	}
	pluginStep = shape{"name! text": nil, "image! text": nil, "settings mapping": {"* text|list|mapping": nil}, "volumes list": nil}
)

// shapes are those of the sources and examples in ci/, each of their documents.
var shapes = map[string][]shape{
	"gitlab/plain.gitlab-ci.yml":     {{"* mapping": gitlabJob}},
	"gitlab/component.gitlab-ci.yml": {{"include list": {"component! text": nil, "inputs mapping": nil}}},
	"gitlab/templates/deploy.yml": {
		{"spec! mapping": {"inputs mapping": {"* mapping": {"type text": nil, "default text|list": nil, "description text": nil, "options list": nil, "regex text": nil}}}},
		{"* mapping": gitlabJob},
	},
	"circleci/orb.yml": {{
		"version! number": nil, "description text": nil, "display mapping": {"home_url text": nil, "source_url text": nil},
		"executors mapping": {"* mapping": {"description text": nil, "parameters mapping": circleParameters, "docker! list": circleDocker}},
		"commands mapping":  {"* mapping": {"description text": nil, "parameters mapping": circleParameters, "steps! list": circleStep}},
		"jobs mapping":      {"* mapping": circleJob},
	}},
	"circleci/config.yml": {{"version! number": nil, "orbs mapping": {"* text": nil}, "workflows! mapping": circleWorkflows}},
	"circleci/inline.yml": {{"version! number": nil, "orbs mapping": {"* mapping": {"jobs mapping": {"* mapping": circleJob}}}, "workflows! mapping": circleWorkflows}},
	"buildkite/plugin.yml": {{
		"name! text": nil, "description! text": nil, "author! text": nil, "requirements! list": nil,
		"configuration! mapping": {
			"properties! mapping": {"* mapping": {"type! text|list": nil, "enum list": nil, "items mapping": {"type! text": nil}}},
			"required list":       nil, "additionalProperties flag": nil,
		},
	}},
	"buildkite/pipeline.yml": {{"steps! list": {"label text": nil, "branches text": nil, "concurrency number": nil, "concurrency_group text": nil, "plugins list": nil}}},
	"woodpecker/woodpecker.yml": {{
		"when list": {"event! text": nil, "branch text": nil}, "steps! list": pluginStep,
	}},
	"woodpecker/drone.yml": {{
		"kind! text": nil, "type! text": nil, "name! text": nil, "trigger mapping": {"event list": nil, "branch list": nil}, "concurrency mapping": {"limit number": nil},
		"steps! list": pluginStep, "volumes list": nil,
	}},
	"gitea/deploy.yml": {actions}, "forgejo/deploy.yml": {actions},
	"azure/azure-pipelines.yml": {{
		"trigger list": nil, "pr text": nil, "stages! list": {"stage! text": nil, "lockBehavior text": nil, "jobs! list": {
			"job! text": nil, "pool mapping": {"vmImage text": nil}, "timeoutInMinutes number": nil, "cancelTimeoutInMinutes number": nil,
			"steps! list": {"checkout text": nil, "persistCredentials flag": nil, "script text": nil, "displayName text": nil, "env mapping": {"* text": nil}},
		}},
	}},
}

// kind is what a value is, in the words of a shape.
func kind(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case bool:
		return "flag"
	case []any:
		return "list"
	case map[string]any:
		return "mapping"
	case nil:
		return "nothing"
	}
	return "number"
}

// find is what a shape says of a key: the kinds that it takes, all where there are none.
func (s shape) find(key string) (kinds string, next shape, known bool) {
	for said, next := range s {
		name, kinds, _ := strings.Cut(said, " ")
		if strings.TrimSuffix(name, "!") == key {
			return kinds, next, true
		}
	}
	if key == "*" {
		return "", nil, false
	}
	return s.find("*")
}

// problems is what of a document is not as its shape allows; a list is of its entries.
func (s shape) problems(where string, part any) (all []string) {
	switch part := part.(type) {
	case []any:
		for i, entry := range part {
			all = append(all, s.problems(fmt.Sprintf("%s[%d]", where, i), entry)...)
		}
	case map[string]any:
		for said := range s {
			name, must := strings.CutSuffix(strings.Fields(said)[0], "!")
			if _, there := part[name]; must && !there {
				all = append(all, where+": "+name+" is missing")
			}
		}
		for key, value := range part {
			kinds, next, known := s.find(key)
			switch {
			case !known:
				all = append(all, where+": there is no key "+key)
			case kinds != "" && !slices.Contains(strings.Split(kinds, "|"), kind(value)):
				all = append(all, fmt.Sprintf("%s: %s is a %s, not a %s", where, key, kind(value), kinds))
			case next != nil:
				all = append(all, next.problems(where+"."+key, value)...)
			}
		}
	}
	return all
}

// holds fails the test where a file's documents are not of these shapes.
func holds(t *testing.T, name, text string, shapes []shape) {
	t.Helper()
	documents := strings.Split(text, "\n---\n")
	if len(documents) != len(shapes) {
		t.Errorf("%s: %d documents, of which %d are known", name, len(documents), len(shapes))
		return
	}
	for i, document := range documents {
		var part map[string]any
		if err := yaml.Unmarshal([]byte(document), &part); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, problem := range shapes[i].problems(name, part) {
			t.Error(problem)
		}
	}
}

// What a shape does not allow is told.
func TestShape_TellsWhatIsWrong(t *testing.T) {
	allowed := shape{"* mapping": gitlabJob}
	for text, want := range map[string]string{
		"deploy:\n  script: [x]\n":                              "",
		"deploy:\n  script: [x]\n  resourcegroup: a\n":          "f.deploy: there is no key resourcegroup",
		"deploy:\n  script: [x]\n  interruptible: \"false\"\n":  "f.deploy: interruptible is a text, not a flag",
		"deploy:\n  script: [x]\n  variables:\n":                "f.deploy: variables is a nothing, not a mapping",
		"deploy:\n  script: [x]\n  variables:\n    A: 1\n":      "f.deploy.variables: A is a number, not a text",
		"deploy:\n  script: [x]\n  services:\n    - alias: d\n": "f.deploy.services[0]: name is missing",
		"deploy:\n  stage: deploy\n":                            "f.deploy: script is missing",
		"deploy: kamal-op deploy\n":                             "f: deploy is a text, not a mapping",
	} {
		var part map[string]any
		if err := yaml.Unmarshal([]byte(text), &part); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(allowed.problems("f", part), "; "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// exampleFiles are the sources and examples for other CI systems, by their names.
func exampleFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir("ci", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(filepath.ToSlash(path), "ci/")] = string(text)
		return err
	})
	if err != nil || len(files) < 10 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	return files
}

// Each file for another CI system parses, and has the keys that are documented there.
func TestExamples_HaveTheKeysThatTheirSystemsKnow(t *testing.T) {
	for name, text := range exampleFiles(t) {
		if !strings.HasSuffix(name, ".yml") {
			continue
		}
		holds(t, name, text, shapes[name])
	}
	for name := range shapes {
		if _, err := os.Stat(filepath.Join("ci", name)); err != nil {
			t.Error(err)
		}
	}
}

// What init writes has them as well, with the options in the job and in the project file.
func TestExamples_InitWritesWhatTheSystemsKnow(t *testing.T) {
	for _, options := range []string{"", "ssh-key: op://MyApp/Server\nsecrets: op://MyApp/Production\n"} {
		for ci, file := range map[string]struct {
			name  string
			shape shape
		}{
			"github":   {".github/workflows/deploy.yml", actions},
			"gitlab":   {".gitlab-ci.yml", shape{"* mapping": gitlabJob}},
			"circleci": {".circleci/config.yml", shape{"version! number": nil, "jobs! mapping": {"* mapping": circleJob}, "workflows! mapping": circleWorkflows}},
		} {
			dir := t.TempDir()
			files := map[string]string{"config/deploy.yml": "service: myapp\nimage: you/myapp\nservers: [192.0.2.1]\nregistry: {username: you, password: [KAMAL_REGISTRY_PASSWORD]}\nbuilder: {arch: amd64}\n"}
			if options != "" {
				files[".kamal/kamal-op.yml"] = options
			}
			for name, text := range files {
				if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			init := exec.CommandContext(t.Context(), "kamal-op", "init", "--offline", "--vault", "MyApp", "--ci", ci)
			init.Dir, init.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
			if out, err := init.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", ci, err, out)
			}
			text, err := os.ReadFile(filepath.Join(dir, file.name))
			if err != nil {
				t.Fatal(err)
			}
			holds(t, ci+"'s "+file.name, string(text), []shape{file.shape})
		}
	}
}

// What the files hand to kamal-op are options that it has, and no value of a token.
func TestExamples_UseOptionsThatThereAre(t *testing.T) {
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.CommandContext(t.Context(), program, "deploy", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	var options []string
	for _, m := range regexp.MustCompile(`--([a-z][a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		options = append(options, m[1])
	}
	known := append(options, "secrets", "command", "service-account-token", "connect-host", "connect-token", "ci-token")
	variable := regexp.MustCompile(`\b(?:KAMAL_OP|PLUGIN)_([A-Z][A-Z_]*)\b`)
	seen := 0
	check := func(file, name string) {
		seen++
		if name = strings.ToLower(strings.ReplaceAll(name, "_", "-")); !slices.Contains(known, name) {
			t.Errorf("%s: there is no option %s", file, name)
		}
	}
	for file, text := range exampleFiles(t) {
		for _, m := range variable.FindAllStringSubmatch(strings.ReplaceAll(text, "BUILDKITE_PLUGIN_KAMAL_OP", ""), -1) {
			check(file, m[1])
		}
		if strings.Contains(text, "ops_") {
			t.Errorf("%s: a token", file)
		}
	}
	var plugin struct {
		Configuration struct{ Properties map[string]any }
	}
	text, err := os.ReadFile(filepath.Join("ci", "buildkite", "plugin.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &plugin); err != nil {
		t.Fatal(err)
	}
	hook, err := os.ReadFile(filepath.Join("ci", "buildkite", "hooks", "command"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range plugin.Configuration.Properties {
		if name != "image" {
			check("buildkite/plugin.yml", name)
		}
		if !regexp.MustCompile(`\b` + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + `\b`).Match(hook) {
			t.Errorf("buildkite/hooks/command does not read %s", name)
		}
	}
	if seen < 30 {
		t.Errorf("only %d options were seen", seen)
	}
}

// The documentation shows the files as they are, and all that people copy.
func TestExamples_AreWhatTheDocumentationShows(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("docs", "ci", "*.md"))
	if err != nil || len(pages) < 7 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	var all strings.Builder
	index, err := os.ReadFile("docs/ci/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(string(index), "("+name+")") {
			t.Errorf("docs/ci/README.md does not lead to %s", page)
		}
	}
	for name, text := range exampleFiles(t) {
		switch name {
		case "gitlab/templates/deploy.yml", "circleci/orb.yml", "buildkite/plugin.yml", "buildkite/hooks/command":
			continue // linked
		}
		if !strings.Contains(all.String(), text+"```\n") {
			t.Errorf("no page of docs/ci shows %s as it is", name)
		}
	}
}
