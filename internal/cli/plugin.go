package cli

import (
	"regexp"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// pluginCommand is `kamal-op plugin`: one step of a pipeline of Woodpecker's or
// Drone's. The settings are the options of the command that the setting command
// names, under the same names.
//
// A server may give secrets to trusted plugins alone. A plugin is worth that trust
// only where its settings cannot have it run something: there is no run among the
// commands, no default one, and no setting that names a program.
type pluginCommand struct{}

// pluginCommands are what the setting command may say.
var pluginCommands = []string{"deploy", "setup", "redeploy", "rollback", "check", "verify", "version"}

// Run does what the setting command says.
func (pluginCommand) Run(a *app) error {
	if _, origin, found := (lookup{env: a.env, form: settings}).value("kamal"); found && strings.HasPrefix(origin, settings.String()) {
		return problem.Usagef("leave it away: the project's bin/kamal is taken where it works, else the image's",
			"%s: a plugin's settings name no program", origin)
	}
	// What is started gets no settings: tokens are among them.
	a.withhold(func(name string) bool { return strings.HasPrefix(name, settingPrefix) })
	return a.handedOver(settings, pluginCommands, "")
}

// settingPrefix begins the environment variable of a setting.
const settingPrefix = "PLUGIN_"

// settingName is the environment variable in which Woodpecker and Drone hand over a
// setting.
func settingName(name string) string {
	return settingPrefix + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

// settingLines is a list, one a line, out of the text that a list becomes on the way:
// its parts are joined by commas. A comma is taken for the end of a part only where
// a secret reference follows; names may be separated by commas anyway.
func settingLines(text string) string {
	return regexp.MustCompile(`,((?:[A-Za-z_][A-Za-z0-9_]*=)?(?:op|env)://)`).ReplaceAllString(text, "\n$1")
}
