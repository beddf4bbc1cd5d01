package cli

import (
	"path"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// EntrypointName is the first argument that the image's ENTRYPOINT gives. What
// stands behind it is what a CI system, or a person, had the image run.
const EntrypointName = "entrypoint"

// foreign are the programs that CI systems start in an image by their bare name,
// through its entrypoint: GitLab's runner a shell, which then reads the script
// from standard input, Jenkins and others what keeps a container waiting.
var foreign = []string{"sh", "bash", "ash", "dash", "cat", "sleep", "tail"}

// Entrypoint is what the image's entrypoint does with its arguments. Where they
// are a CI system's, it is to become that program, named by its path; otherwise
// own are the arguments of ours: a plugin is started without any, and with its
// settings in the environment.
func Entrypoint(args, env []string) (program string, own []string) {
	if len(args) > 0 && args[0] == "kamal-op" {
		args = args[1:] // as in a shell
	}
	if len(args) == 0 && hasSettings(env) {
		return "", []string{"plugin"}
	}
	if isAction(args, env) {
		return "", []string{"action"}
	}
	if len(args) > 0 && slices.Contains(foreign, path.Base(args[0])) {
		if found, err := environ.List(env).LookPath(args[0], "/"); err == nil {
			return found, nil
		}
	}
	return "", args
}

// isAction tells whether the arguments are the action's input args. act and the runners
// of Gitea and Forgejo put it in the place of what action.yml has as args; the action
// reads it from the environment, where all its inputs are.
func isAction(args, env []string) bool {
	list := environ.List(env)
	return len(args) > 0 && args[0] != "action" && list.Get("GITHUB_ACTIONS") == "true" && list.Get("INPUT_ARGS") != "" && list.Get("INPUT_COMMAND") != ""
}

// hasSettings tells whether a plugin's settings are in the environment.
func hasSettings(env []string) bool {
	return slices.ContainsFunc(env, func(entry string) bool { return strings.HasPrefix(entry, settingPrefix) })
}
