package native

import (
	"os"
	"path/filepath"
	"regexp"
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

// withRuby gives the runner a Ruby whose gem writes down how it was called, and where.
func (r *runner) withRuby(end string) {
	r.t.Helper()
	r.program("ruby", "printf '/opt/ruby/bin/ruby\\nruby-3.4.0-x86_64-linux\\n'; /usr/bin/env >"+r.file("ruby.env"))
	r.program("gem", `echo "::set-env name=PATH::/evil"; echo "$*" >>`+r.file("gem")+"; /usr/bin/env >"+r.file("gem.env")+"; pwd >"+r.file("gem.directory")+"\n"+end)
}

// installed puts Kamal's gem where Bundler does.
func (r *runner) installed(bundle string) {
	r.t.Helper()
	r.write(r.file("project/bin/kamal"), "#!/usr/bin/env ruby\n")
	r.write(r.file("project/Gemfile.lock"), "GEM\n  specs:\n    kamal (2.11.0)\n      dotenv (~> 3.1)\n")
	r.write(filepath.Join(r.file("project"), bundle, "ruby/3.4.0/specifications/kamal-2.11.0.gemspec"), "")
}

// Where there is a Kamal nothing is installed.
func TestKamal_there(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(r *runner){
		"on the PATH":      func(r *runner) { r.program("kamal", "exit 0") },
		"in vendor/bundle": func(r *runner) { r.installed("vendor/bundle") },
		"where .bundle/config says": func(r *runner) {
			r.installed("../gems")
			r.write(r.file("project/.bundle/config"), "---\nBUNDLE_DEPLOYMENT: \"true\"\nBUNDLE_PATH: \"../gems\"\n")
		},
		"where the user's says": func(r *runner) {
			r.installed("../gems")
			r.write(r.file("home/.bundle/config"), "---\nBUNDLE_PATH: "+r.file("gems")+"\n")
		},
		"where BUNDLE_PATH says": func(r *runner) {
			r.installed("../gems")
			r.env["BUNDLE_PATH"] = "../gems"
		},
		"in GEM_HOME": func(r *runner) {
			r.installed("elsewhere")
			r.env["GEM_HOME"] = r.file("project/elsewhere/ruby/3.4.0")
		},
		"of a project further down": func(r *runner) {
			r.env["INPUT_WORKING-DIRECTORY"] = "app"
			r.write(r.file("project/app/bin/kamal"), "#!/usr/bin/env ruby\n")
			r.write(r.file("project/app/vendor/bundle/ruby/3.4.0/specifications/kamal-2.12.0.gemspec"), "")
		},
		"of a Gemfile elsewhere": func(r *runner) {
			r.installed("gemfiles/vendor/bundle")
			r.env["BUNDLE_GEMFILE"] = "gemfiles/Gemfile"
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
	r.withRuby("exit 0")
	dir := filepath.Join(r.env["RUNNER_TOOL_CACHE"], "kamal-op-kamal", kamal.TestedVersion, "ruby-3.4.0-x86_64-linux", "bin")
	r.start("launch.js").ends(t, 0, "::group::", "in PATH "+dir+":"+r.env["PATH"]+"\n")
	r.start("launch.js").ends(t, 0, "in PATH "+dir+":"+r.env["PATH"]+"\n")
	r.env["STATE_launched"] = "true"
	r.start("post.js").ends(t, 0, "in PATH "+dir+":"+r.env["PATH"]+"\n")
	calls := strings.Split(strings.TrimSpace(r.read("gem")), "\n")
	if want := "install kamal --version " + kamal.TestedVersion + " --remote --install-dir "; len(calls) != 1 || !strings.HasPrefix(calls[0], want) {
		t.Errorf("gem was called with %q", calls)
	}
	if script, err := os.ReadFile(filepath.Join(dir, "kamal")); !strings.HasPrefix(string(script), "#!/opt/ruby/bin/ruby\n") {
		t.Errorf("%v\n%s", err, script)
	}
}

// Nothing of the project is run before kamal-op: neither its bin/kamal, nor what lies
// in it and is on the PATH, nor bundle; and no gem is taken from it.
func TestKamal_runsNothingOfTheProject(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(r *runner){
		"a bundle that is not installed": func(r *runner) { r.write(r.file("project/Gemfile.lock"), "GEM\n  specs:\n    kamal (2.12.0)\n") },
		"one with another Kamal": func(r *runner) {
			r.write(r.file("project/Gemfile.lock"), "GEM\n  specs:\n    kamal (2.12.0)\n")
			r.write(r.file("project/vendor/bundle/ruby/3.4.0/specifications/kamal-2.11.0.gemspec"), "")
		},
		"none": func(r *runner) {},
		"a PATH that begins in it": func(r *runner) {
			r.env["PATH"] = "bin:./bin:../beside::" + r.file("project/bin") + ":" + r.file("link") + ":" + r.env["PATH"]
			if err := os.Symlink(r.file("project/bin"), r.file("link")); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newDeploy(t)
			r.withRuby("exit 0")
			r.program("bundle", "touch "+r.file("ran"))
			for _, program := range []string{"ruby", "gem", "bundle", "kamal-op"} {
				for _, dir := range []string{"project/bin/", "beside/"} {
					r.write(r.file(dir+program), "#!/bin/sh\ntouch "+r.file("ran")+"\n")
				}
			}
			if name != "a PATH that begins in it" { // else it is the kamal on the PATH, and kamal-op's to run
				r.write(r.file("project/bin/kamal"), "#!/bin/sh\ntouch "+r.file("ran")+"\n")
			}
			arrange(r)
			r.start("launch.js").ends(t, 0, "called", "kamal-op-kamal")
			if _, err := os.Stat(r.file("ran")); err == nil {
				t.Error("something of the project was run")
			}
			if where := r.read("gem.directory"); where != "/\n" {
				t.Errorf("gem was run in %s", where)
			}
			if told := r.read("gem.env"); strings.Contains(told, r.file("project")) {
				t.Errorf("gem is led to the project:\n%s", told)
			}
		})
	}
	r := newRunner(t) // a commit that is no release takes a kamal-op from the PATH, but not the project's
	r.write(filepath.Join(r.dir, "release.json"), `{"version": "", "platforms": {}}`)
	r.write(r.file("project/bin/kamal-op"), "#!/bin/sh\necho ran\n")
	r.env["PATH"] = r.file("project/bin") + ":" + r.env["PATH"]
	r.start("launch.js").ends(t, 3, "outside the project")
}

// What is run before kamal-op gets no token, nothing that makes Ruby load files of the
// project, and no file by which the runner is told something; and what it prints is no
// command to the runner.
func TestKamal_gemGetsNoToken(t *testing.T) {
	t.Parallel()
	r := newDeploy(t)
	r.withRuby("exit 0")
	hidden := []string{
		"OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN", "OP_CONNECT_HOST", "INPUT_SERVICE-ACCOUNT-TOKEN", "INPUT_CONNECT-TOKEN", "INPUT_GITHUB-TOKEN",
		"INPUT_SECRETS", "GITHUB_TOKEN", "KAMAL_OP_GITHUB_TOKEN", "KAMAL_OP_CI_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
		"ACTIONS_ID_TOKEN_REQUEST_URL", "VAULT_ID_TOKEN_1", "AWS_SECRET_ACCESS_KEY", "RAILS_MASTER_KEY", "GEM_HOST_API_KEY", "BUNDLE_RUBYGEMS__PKG__GITHUB__COM",
		"RUBYOPT", "RUBYLIB", "BUNDLE_GEMFILE", "GITHUB_ENV",
	}
	for _, name := range hidden {
		r.env[name] = "hidden-" + name
	}
	passed := map[string]string{"HTTPS_PROXY": "http://proxy.example.com", "no_proxy": "example.org", "HOME": r.file("home"), "SSL_CERT_FILE": "/ca.pem"}
	for name, value := range passed {
		r.env[name] = value
	}
	log := r.start("launch.js").ends(t, 0, "called")
	for _, program := range []string{"ruby", "gem"} {
		told := r.read(program + ".env")
		for _, name := range append(hidden, "GITHUB_STATE", "GITHUB_OUTPUT", "GITHUB_PATH") {
			if strings.Contains(told, name) || strings.Contains(told, "hidden-") {
				t.Errorf("%s is told %s:\n%s", program, name, told)
			}
		}
		for name, value := range passed {
			if !strings.Contains(told, name+"="+value+"\n") {
				t.Errorf("%s is not told %s:\n%s", program, name, told)
			}
		}
	}
	commandsOff(t, log)
	r.withRuby("exit 1")
	r.env["RUNNER_TOOL_CACHE"] = r.file("another")
	commandsOff(t, r.start("launch.js").ends(t, 3, "::error::Kamal "))
	again := r.start("launch.js").ends(t, 3)
	if resumes(t, log) == resumes(t, again) {
		t.Error("two runs resume with the same word, which a gem could say")
	}
}

// resumes is the word by which the runner takes commands again.
func resumes(t *testing.T, log string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^::stop-commands::([0-9a-f-]{36})$`).FindAllStringSubmatch(log, -1)
	if len(m) != 1 {
		t.Fatalf("commands are stopped %d times\n%s", len(m), log)
	}
	return m[0][1]
}

// commandsOff fails where a command of gem's is not between the two lines.
func commandsOff(t *testing.T, log string) {
	t.Helper()
	word := resumes(t, log)
	_, rest, _ := strings.Cut(log, "\n::stop-commands::"+word+"\n")
	within, after, ok := strings.Cut(rest, "\n::"+word+"::\n")
	if !ok || !strings.Contains(within, "::set-env") || !strings.HasPrefix(after, "::endgroup::\n") || strings.Count(log, "::set-env") != 1 {
		t.Errorf("commands are taken from gem\n%s", log)
	}
}

// Where the gem cannot be installed a bin/kamal of the project is left to kamal-op: it
// may be no Ruby, or its Kamal come from a directory or a repository.
func TestKamal_ownWhereNoGemCanBe(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a shell script":   "#!/bin/sh\ntouch RAN\nexec docker run kamal\n",
		"of a path or git": "#!/usr/bin/env ruby\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newDeploy(t)
			r.withRuby("exit 5")
			r.write(r.file("project/bin/kamal"), strings.Replace(text, "RAN", r.file("ran"), 1))
			r.start("launch.js").ends(t, 0, "::warning::Kamal "+kamal.TestedVersion+" could not be installed: gem ended with 5; the project's bin/kamal is tried",
				"called", "in PATH "+r.env["PATH"]+"\n")
			if r.read("gem") == "" {
				t.Error("no gem was tried")
			}
			if _, err := os.Stat(r.file("ran")); err == nil {
				t.Error("bin/kamal was run")
			}
			r.withRuby("kill -TERM $$")
			log := r.start("launch.js").ends(t, 143, "::error::Kamal ", "gem ended with 143")
			if strings.Contains(log, "called") {
				t.Errorf("a job that is cancelled goes on:\n%s", log)
			}
		})
	}
}

// A ruby that stands for another is told which the workflow has chosen, and where it
// lies; but nothing that leads into the project.
func TestKamal_versionManagers(t *testing.T) {
	t.Parallel()
	versions := []string{"RBENV_VERSION", "ASDF_RUBY_VERSION", "MISE_RUBY_VERSION"}
	directories := []string{"RBENV_ROOT", "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR", "MISE_CONFIG_DIR", "XDG_DATA_HOME"}
	for name, test := range map[string]struct {
		version, directory string
		told               bool
	}{
		"the runner's":      {"3.4.1", "DIR/managers", true},
		"the project's":     {"path:DIR/project/ruby", "DIR/project/managers", false},
		"a relative of it":  {"path:./ruby", "managers", false},
		"the project by ..": {"../../project/ruby", "DIR/home/../project", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newDeploy(t)
			r.withRuby("exit 0")
			in := strings.NewReplacer("DIR/", r.file("")+"/")
			for _, name := range versions {
				r.env[name] = in.Replace(test.version)
			}
			for _, name := range directories {
				r.env[name] = in.Replace(test.directory)
			}
			r.start("launch.js").ends(t, 0, "called")
			for _, program := range []string{"ruby", "gem"} {
				told := "\n" + r.read(program+".env")
				for _, name := range append(versions, directories...) {
					if strings.Contains(told, "\n"+name+"="+r.env[name]+"\n") != test.told || strings.Contains(told, "\n"+name+"=") != test.told {
						t.Errorf("%s: %s=%s, told should be %v:\n%s", program, name, r.env[name], test.told, told)
					}
				}
			}
		})
	}
}

// A Ruby that only the project's files choose is none outside of it: a bin/kamal is
// left to kamal-op, and without one it is told what to give.
func TestKamal_rubyOfTheProjectOnly(t *testing.T) {
	t.Parallel()
	r := newDeploy(t)
	r.withRuby("exit 0")
	r.program("ruby", `[ -n "$ASDF_RUBY_VERSION" ] || { echo "No version is set for command ruby" >&2; exit 126; }`+"\nprintf '/opt/ruby/bin/ruby\\nruby-3.4.0-x86_64-linux\\n'")
	log := r.start("launch.js").ends(t, 3, "::error::there is no Kamal on this runner, and its Ruby does not run outside the project", "ASDF_RUBY_VERSION")
	if strings.Contains(log, "called") {
		t.Error(log)
	}
	r.write(r.file("project/bin/kamal"), "#!/usr/bin/env ruby\n")
	r.start("launch.js").ends(t, 0, "called", "in PATH "+r.env["PATH"]+"\n")
	r.env["ASDF_RUBY_VERSION"] = "3.4.1"
	r.start("launch.js").ends(t, 0, "called", "kamal-op-kamal")
}

// What stands in the way is told with what to do.
func TestKamal_none(t *testing.T) {
	t.Parallel()
	r := newDeploy(t)
	r.start("launch.js").ends(t, 3, "::error::there is no Kamal on this runner, and no Ruby to install it with",
		"%0A  - uses: ruby/setup-ruby@v1%0A    with: {ruby-version: '3.4'}")
	// A bin/kamal that is no Ruby may work without: kamal-op finds out.
	r.write(r.file("project/bin/kamal"), "#!/bin/sh\nexec docker run kamal\n")
	r.start("launch.js").ends(t, 0, "called", "in PATH "+r.env["PATH"]+"\n")
	if err := os.Remove(r.file("project/bin/kamal")); err != nil {
		t.Fatal(err)
	}
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
