package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-shellwords"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// actionCommand is `kamal-op action`: one step of a GitHub workflow. The inputs
// are the options of the command that the input command names, under the same
// names; they come before the environment.
type actionCommand struct{}

// actionCommands are what the input command may say.
var actionCommands = []string{"deploy", "setup", "redeploy", "rollback", "kamal", "run", "check", "verify", "plan", "comment", "doctor", "watch", "rotate", "promote", "freeze", "thaw", "history", "rehearse", "review", "version"}

// Run does what the input command says.
func (actionCommand) Run(a *app) error { return a.handedOver(inputs, actionCommands, "deploy") }

// handedOver does what the command says that the CI system hands over in a form, or
// another one where it says none.
func (a *app) handedOver(f form, commands []string, other string) error {
	step := lookup{env: a.env, form: f}
	command, _, _ := step.value("command")
	if command = strings.TrimSpace(command); command == "" {
		command = other
	}
	// A review's own command is the second word: "review", "review build".
	command, sub, _ := strings.Cut(command, " ")
	if sub = strings.TrimSpace(sub); command != "review" && sub != "" {
		return problem.Usagef(fmt.Sprintf("further words go into the %s args", f), "%s command: %q is more than a command", f, command+" "+sub)
	}
	if !slices.Contains(commands, command) {
		hint := "the commands are " + strings.Join(commands, ", ")
		if command == "" {
			return problem.Usagef(hint, "%s command: what is to be done is not said", f)
		}
		return problem.Usagef(hint, "%s command: there is no command %q", f, command)
	}
	text, _, _ := step.value("args")
	words, err := splitWords(text, f)
	if err != nil {
		return err
	}
	defer a.begin()()
	argv := []string{command}
	switch command {
	case "rollback":
		// Rollback's version is an argument, and the input version is the
		// natural place for it.
		version, _, _ := step.value("version")
		if version == "" {
			return problem.Usagef("set it to a version that is still on the servers: kamal app containers lists them",
				"%s version: rollback needs the version to go back to", f)
		}
		delete(a.env, f.variable("version"))
		argv = append(argv, strings.TrimSpace(version))
	case "version":
		return versionCommand{}.Run(a)
	case "review":
		// Its arguments are its own, not Kamal's: a pull request's number.
		if sub == "" {
			sub = "event"
		}
		argv, words = append(argv, append([]string{sub}, words...)...), nil
	case "check", "verify", "plan", "doctor", "watch", "rotate", "promote", "freeze", "thaw", "history", "rehearse":
		argv, words = append(argv, words...), nil // options of ours: there is nothing of Kamal's to hand them to
	}
	if len(words) > 0 {
		argv = append(append(argv, "--"), words...)
	}
	begun := time.Now()
	status := a.main(argv, f)
	a.returnFiles(begun)
	return exitStatus(status)
}

// returnFiles gives what was written as root into what a runner has mounted to the
// runner's user, who could not remove it otherwise.
func (a *app) returnFiles(since time.Time) {
	var dirs []string
	switch {
	case a.inContainerAction():
		dirs = []string{a.env["GITHUB_WORKSPACE"], a.env["RUNNER_TEMP"]}
		dirs = slices.DeleteFunc(dirs, func(dir string) bool { return !strings.HasPrefix(dir, "/github/") })
	case a.dubious():
		dirs = []string{a.dir}
	}
	for _, dir := range dirs {
		if _, err := deploy.ReturnFiles(dir, since); err != nil {
			a.system.Warning(problem.New("some files in "+dir+" still belong to root: "+err.Error(),
				"on a self-hosted runner remove them, or the next checkout fails"))
		}
	}
}

// splitWords splits the input or setting args as a POSIX shell splits words. Nothing
// in it is expanded or run.
func splitWords(text string, f form) ([]string, error) {
	parser := shellwords.NewParser()
	parser.ParseEnv, parser.ParseBacktick = false, false
	words, err := parser.Parse(strings.ReplaceAll(text, "\n", " "))
	if err != nil {
		return nil, problem.Usagef("quote as in a shell: each quote needs its other half", "%s args cannot be split into words", f)
	}
	if parser.Position >= 0 {
		// The parser stops at ; | & < > where a shell would: these have no
		// meaning here, and dropping what follows would be worse than refusing.
		return nil, problem.Usagef("quote the character, or leave it away: no shell is involved",
			"%s args has an unquoted ; | & < or > in it", f)
	}
	return words, nil
}
