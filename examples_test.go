package main

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

// A shape is what a CI system's documentation allows at a place of its files: the
// keys of a mapping, with "*" for any other. nil allows everything.
type shape map[string]shape

// job keys and the like, by the systems' references.
var (
	gitlabJob = shape{
		"stage": nil, "image": nil, "services": nil, "variables": nil, "script": nil, "environment": nil, "resource_group": nil,
		"interruptible": nil, "rules": nil,
	}
	circleParameters = shape{"*": {"type": nil, "default": nil, "description": nil, "enum": nil}}
	circleStep       = shape{"run": {"name": nil, "shell": nil, "no_output_timeout": nil, "environment": nil, "command": nil}, "execute": nil}
	circleJob        = shape{"description": nil, "parameters": circleParameters, "docker": nil, "executor": {"name": nil, "image": nil}, "steps": circleStep}
	circleWorkflows  = shape{"*": {"jobs": {"*": nil}}}
	actions          = shape{"name": nil, "on": nil, "concurrency": {"group": nil}, "jobs": {"*": {"runs-on": nil, "steps": {"uses": nil, "with": nil}}}}
	pluginStep       = shape{"name": nil, "image": nil, "settings": nil, "volumes": nil}
)

// shapes are those of the sources and examples in ci/, each of their documents.
var shapes = map[string][]shape{
	"gitlab/plain.gitlab-ci.yml":     {{"*": gitlabJob}},
	"gitlab/component.gitlab-ci.yml": {{"include": {"component": nil, "inputs": nil}}},
	"gitlab/templates/deploy.yml": {
		{"spec": {"inputs": {"*": {"type": nil, "default": nil, "description": nil, "options": nil, "regex": nil}}}},
		{"*": gitlabJob},
	},
	"circleci/orb.yml": {{
		"version": nil, "description": nil, "display": {"home_url": nil, "source_url": nil},
		"executors": {"*": {"description": nil, "parameters": circleParameters, "docker": nil}},
		"commands":  {"*": {"description": nil, "parameters": circleParameters, "steps": circleStep}}, "jobs": {"*": circleJob},
	}},
	"circleci/config.yml": {{"version": nil, "orbs": {"*": nil}, "workflows": circleWorkflows}},
	"circleci/inline.yml": {{"version": nil, "orbs": {"*": {"jobs": {"*": circleJob}}}, "workflows": circleWorkflows}},
	"buildkite/plugin.yml": {{
		"name": nil, "description": nil, "author": nil, "requirements": nil,
		"configuration": {"properties": {"*": {"type": nil, "enum": nil, "items": {"type": nil}}}, "required": nil, "additionalProperties": nil},
	}},
	"buildkite/pipeline.yml": {{"steps": {"label": nil, "branches": nil, "concurrency": nil, "concurrency_group": nil, "plugins": nil}}},
	"woodpecker/woodpecker.yml": {{
		"when": {"event": nil, "branch": nil}, "steps": pluginStep,
	}},
	"woodpecker/drone.yml": {{
		"kind": nil, "type": nil, "name": nil, "trigger": {"event": nil, "branch": nil}, "concurrency": {"limit": nil}, "steps": pluginStep, "volumes": nil,
	}},
	"gitea/deploy.yml": {actions}, "forgejo/deploy.yml": {actions},
	"azure/azure-pipelines.yml": {{
		"trigger": nil, "pr": nil, "stages": {"stage": nil, "lockBehavior": nil, "jobs": {
			"job": nil, "pool": {"vmImage": nil}, "timeoutInMinutes": nil, "cancelTimeoutInMinutes": nil,
			"steps": {"checkout": nil, "persistCredentials": nil, "script": nil, "displayName": nil, "env": nil},
		}},
	}},
}

// holds tells what of a document is not as its shape allows; a list is of its
// entries.
func (s shape) holds(t *testing.T, where string, part any) {
	t.Helper()
	switch part := part.(type) {
	case []any:
		for i, entry := range part {
			s.holds(t, fmt.Sprintf("%s[%d]", where, i), entry)
		}
	case map[string]any:
		for key, value := range part {
			next, known := s[key]
			if !known {
				next, known = s["*"]
			}
			if !known {
				t.Errorf("%s: there is no key %s", where, key)
			} else if next != nil {
				next.holds(t, where+"."+key, value)
			}
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
		documents := strings.Split(text, "\n---\n")
		if len(documents) != len(shapes[name]) {
			t.Errorf("%s: %d documents, of which %d are known", name, len(documents), len(shapes[name]))
			continue
		}
		for i, document := range documents {
			var part map[string]any
			if err := yaml.Unmarshal([]byte(document), &part); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			shapes[name][i].holds(t, name, part)
		}
	}
	for name := range shapes {
		if _, err := os.Stat(filepath.Join("ci", name)); err != nil {
			t.Error(err)
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
