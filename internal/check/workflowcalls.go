package check

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// commandLine is a command of kamal-op's in a script.
var commandLine = lazy.Regexp(`\bkamal-op[ \t]+([a-z][a-z-]*)([^\n|;&]*)`)

// fromOutside is what names the commit of a pull request, or of the run of another
// workflow, which may be a fork's.
var fromOutside = lazy.Regexp(`pull_request\.(?:head|merge_commit)|\bpull/(?:\S+|\$\{\{[^}]*\}\})/(?:head|merge)\b|github\.head_ref|GITHUB_HEAD_REF|workflow_run\.(?:head_|pull_requests)|head\.repo\.full_name`)

// takesCommit is a command that takes a commit into the working directory.
var takesCommit = lazy.Regexp(`\bgit\b.*\b(?:checkout|clone|fetch|merge|pull|reset|switch|worktree)\b`)

// ownRepository is a condition that no fork's commit fulfils.
var ownRepository = lazy.Regexp(`head(?:\.repo|_repository)\.full_name\s*==\s*github\.repository\b|head\.repo\.fork\s*==\s*false|!\s*github\.event\.pull_request\.head\.repo\.fork\b|workflow_run\.event\s*==\s*'(?:push|schedule|workflow_dispatch)'`)

// asking are the options by which a command asks more of GitHub than without them.
func asking(command string) []string {
	name, _, _ := strings.Cut(command, " ")
	switch {
	case name == "watch":
		return []string{"issue", ReviewHost}
	case name == "plan":
		return []string{"comment"}
	case slices.Contains([]string{"deploy", "setup", "redeploy", "rollback", "promote", "comment"}, name):
		return []string{GitHubEnvironment}
	}
	return nil
}

// outside tells whether a text names what may be a fork's commit, also as an input that
// the job's workflow is handed.
func (j *WorkflowJob) outside(text string) bool {
	return fromOutside().MatchString(text) || j.brings && strings.Contains(text, "inputs.")
}

// step takes what a step does.
func (j *WorkflowJob) step(step []*ast.MappingValueNode, around environment) {
	env := slices.Concat(around, yamlfile.Pairs(valueOf(step, "env")))
	with := yamlfile.Pairs(valueOf(step, "with"))
	name, _, _ := strings.Cut(textOf(valueOf(step, "uses")), "@")
	switch name {
	case "kamal-op/kamal-op", "kamal-op/kamal-op/native":
		j.inputs("deploy", with, env)
	case "actions/checkout":
		j.Head = j.Head || j.outside(textOf(valueOf(with, "ref"))) || j.outside(textOf(valueOf(with, "repository")))
	}
	for _, line := range linesOf(strings.ReplaceAll(textOf(valueOf(step, "run")), "\\\n", " ")) {
		j.script(uncommented(line), env)
	}
}

// inputs take a command as the action, or a workflow to call, is given it.
func (j *WorkflowJob) inputs(command string, with []*ast.MappingValueNode, env environment) {
	if given := textOf(valueOf(with, "command")); given != "" {
		command = given
	}
	args := strings.Fields(textOf(valueOf(with, "args")))
	j.add(command, func(option string) bool {
		return asked(textOf(valueOf(with, option))) || hasFlag(args, option) || env.asks(option)
	})
}

// script takes a line of a script.
func (j *WorkflowJob) script(line string, env environment) {
	takes := takesCommit().MatchString(line) && j.outside(env.expand(line))
	j.Head = j.Head || takes || strings.Contains(line, "gh pr checkout")
	for _, m := range commandLine().FindAllStringSubmatch(line, -1) {
		command, words := m[1], strings.Fields(m[2])
		if command == "review" && len(words) > 0 && !strings.HasPrefix(words[0], "-") {
			command += " " + words[0]
		}
		j.add(command, func(option string) bool { return hasFlag(words, option) || env.asks(option) })
	}
}

// add takes a command, with those of its options that ask more of GitHub.
func (j *WorkflowJob) add(command string, given func(option string) bool) {
	for _, option := range asking(command) {
		if given(option) || j.gives(option) {
			command += " --" + option
		}
	}
	if !slices.Contains(j.Commands, command) {
		j.Commands = append(j.Commands, command)
	}
}

// An environment is the variables of a step, those of the step itself last.
type environment []*ast.MappingValueNode

// asks reports whether an option is given by its variable.
func (e environment) asks(option string) bool {
	name := "KAMAL_OP_" + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
	text := ""
	for _, pair := range e {
		if pair.Key.GetToken().Value == name {
			text = textOf(pair.Value)
		}
	}
	return asked(text)
}

// expand is a line with the values of the variables that it names behind it.
func (e environment) expand(line string) string {
	all := line
	for _, pair := range e {
		if name := pair.Key.GetToken().Value; strings.Contains(line, "$"+name) || strings.Contains(line, "${"+name) {
			all += "\n" + textOf(pair.Value)
		}
	}
	return all
}

// asked reports whether the text of an option asks for what it does. What an expression
// decides may be asked for.
func asked(text string) bool { return text != "" && text != "false" }

// hasFlag reports whether words of a command line have an option.
func hasFlag(words []string, option string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		name, value, _ := strings.Cut(strings.Trim(word, `"'`), "=")
		return name == "--"+option && value != "false"
	})
}

// uncommented is a line of a script without the comment at its end.
func uncommented(line string) string {
	var quote rune
	before := ' '
	for i, c := range line {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '#' && (before == ' ' || before == '\t' || before == ';'):
			return line[:i]
		}
		before = c
	}
	return line
}

// textOf is the text of a scalar, also of one that is no text to YAML, as true is.
func textOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value
	}
	return scalarOf(n)
}
