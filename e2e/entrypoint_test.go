package e2e

import (
	"os"
	"strings"
	"testing"
)

// gitlabShell is how GitLab's runner starts a container of a job, behind the image's
// entrypoint: whichever shell there is takes the place of the first one, and reads
// the job's script from standard input.
var gitlabShell = []string{"sh", "-c", `if [ -x /usr/local/bin/bash ]; then
	exec /usr/local/bin/bash
elif [ -x /usr/bin/bash ]; then
	exec /usr/bin/bash
elif [ -x /bin/bash ]; then
	exec /bin/bash
elif [ -x /bin/sh ]; then
	exec /bin/sh
else
	echo shell not found
	exit 1
fi

`}

// inImage runs the action's image with these arguments, environment and input.
func inImage(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	run := []string{"run", "--rm", "--interactive", "--label", label()}
	var own []string
	for name, value := range env {
		run, own = append(run, "--env", name), append(own, name+"="+value)
	}
	return begin(t, own, stdin, append(append(run, os.Getenv(envAction)), args...)).wait()
}

// Whatever starts the image gets what it wants of it: a person and a command line
// kamal-op, a runner its shell, a plugin's step the plugin.
func TestEntrypoint(t *testing.T) {
	t.Parallel()
	start(t)
	for name, test := range map[string]struct {
		env    map[string]string
		stdin  string
		args   []string
		status int
		want   string
	}{
		"nothing":          {status: 0, want: "Usage: kamal-op <command>"},
		"a command line":   {args: []string{"version"}, want: "kamal-op "},
		"the action":       {args: []string{"action"}, env: map[string]string{"INPUT_COMMAND": "version"}, want: "kamal-op "},
		"a plugin":         {env: map[string]string{"PLUGIN_COMMAND": "version", "CI": "woodpecker"}, want: "kamal-op "},
		"a plugin's lack":  {env: map[string]string{"PLUGIN_SSH_KEY": "op://a/b"}, status: 2, want: "what is to be done is not said"},
		"GitLab":           {args: gitlabShell, stdin: "set -e\necho \"this is $0, $(kamal-op version)\"\nexit 3\n", status: 3, want: "sh, kamal-op "},
		"a shell by path":  {args: []string{"/bin/sh", "-c", "kamal version"}, want: "2."},
		"kept waiting":     {args: []string{"cat"}, stdin: "waited\n", want: "waited\n"},
		"an unknown":       {args: []string{"deply"}, status: 2, want: "there is no command deply"},
		"our own name":     {args: []string{"kamal-op", "version"}, want: "kamal-op "},
		"Woodpecker's own": {args: []string{"/bin/sh", "-c", "echo $CI_SCRIPT | base64 -d | /bin/sh -e"}, env: map[string]string{"CI_SCRIPT": "a2FtYWwtb3AgdmVyc2lvbgo="}, want: "kamal-op "},
		"kept for a while": {args: []string{"sleep", "0"}},
	} {
		res := inImage(t, test.env, test.stdin, test.args...)
		if res.Status != test.status || !strings.Contains(res.Log, test.want) {
			t.Errorf("%s: status %d, want %d with %q\n%s", name, res.Status, test.status, test.want, res.Log)
		}
	}
}
