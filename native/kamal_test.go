package native

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// program writes a shell script into the runner's PATH.
func (r *runner) program(name, script string) {
	r.t.Helper()
	r.write(filepath.Join(r.file("path"), name), "#!/bin/sh\n"+script+"\n")
}

func newDeploy(t *testing.T) *runner {
	t.Helper()
	r := newRunner(t)
	r.env["INPUT_COMMAND"], r.env["INPUT_KAMAL-VERSION"] = "deploy", kamal.TestedVersion
	return r
}

// withRuby gives the runner a Ruby whose gem writes down how it was called.
func (r *runner) withRuby(end string) {
	r.t.Helper()
	r.program("ruby", "printf ruby-3.4.0-x86_64-linux")
	r.program("gem", `echo "gem $*"; echo "$*" >>`+r.file("gem")+"\n"+end)
}

// Where there is a Kamal nothing is installed.
func TestKamal_there(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(r *runner){
		"on the PATH":   func(r *runner) { r.program("kamal", "exit 0") },
		"the project's": func(r *runner) { r.write(r.file("bin/kamal"), "#!/bin/sh\n[ \"$*\" = version ]\n") },
		"of a project further down": func(r *runner) {
			r.env["INPUT_WORKING-DIRECTORY"] = "app"
			r.write(r.file("app/bin/kamal"), "#!/bin/sh\n[ \"$*\" = version ]\n")
		},
		"named":                  func(r *runner) { r.env["INPUT_KAMAL"] = "exe/kamal" },
		"a command without":      func(r *runner) { r.env["INPUT_COMMAND"] = "check" },
		"a command of two words": func(r *runner) { r.env["INPUT_COMMAND"] = "run x" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newDeploy(t)
			r.withRuby("exit 9")
			arrange(r)
			r.start("launch.js").ends(t, 0, "called", "in PATH "+r.env["PATH"]+"\n")
			if calls := r.read("gem"); calls != "" {
				t.Errorf("gem %s", calls)
			}
		})
	}
}

// Kamal's gem is installed once, into the tool cache, and comes first in the PATH: of
// the main step and of the post step.
func TestKamal_installed(t *testing.T) {
	t.Parallel()
	r := newDeploy(t)
	r.write(r.file("bin/kamal"), "#!/bin/sh\nexit 1\n") // of a bundle that is not installed
	r.withRuby("exit 0")
	dir := filepath.Join(r.env["RUNNER_TOOL_CACHE"], "kamal-op-kamal", kamal.TestedVersion, "ruby-3.4.0-x86_64-linux", "bin")
	r.start("launch.js").ends(t, 0, "::group::", "in PATH "+dir+":"+r.env["PATH"]+"\n")
	r.start("launch.js").ends(t, 0, "in PATH "+dir+":"+r.env["PATH"]+"\n")
	r.env["STATE_launched"] = "true"
	r.start("post.js").ends(t, 0, "in PATH "+dir+":"+r.env["PATH"]+"\n")
	calls := strings.Split(strings.TrimSpace(r.read("gem")), "\n")
	if want := "install kamal --version " + kamal.TestedVersion + " --install-dir "; len(calls) != 1 || !strings.HasPrefix(calls[0], want) {
		t.Errorf("gem was called with %q", calls)
	}
}

// What stands in the way is told with what to do.
func TestKamal_none(t *testing.T) {
	t.Parallel()
	r := newDeploy(t)
	r.start("launch.js").ends(t, 3, "::error::there is no Kamal on this runner, and no Ruby to install it with",
		"%0A  - uses: ruby/setup-ruby@v1%0A    with: {ruby-version: '3.4'}")
	r.withRuby("exit 5")
	log := r.start("launch.js").ends(t, 3, "::error::Kamal "+kamal.TestedVersion+" could not be installed: gem ended with 5", "::endgroup::")
	if strings.Contains(log, "called") {
		t.Error(log)
	}
	if left, _ := filepath.Glob(filepath.Join(r.env["RUNNER_TOOL_CACHE"], "kamal-op-kamal", "*", "*")); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	r.env["INPUT_KAMAL-VERSION"] = "2.12.0 --pre"
	r.start("launch.js").ends(t, 2, `input kamal-version: "2.12.0 --pre" is no version`)
}
