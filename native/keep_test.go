package native

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// binaryOf is the binary that the launcher says it has run.
func binaryOf(t *testing.T, log string) string {
	t.Helper()
	_, rest, ok := strings.Cut(log, `called ["`)
	binary, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		t.Fatal(log)
	}
	return binary
}

// post runs the post step with what the main step has saved for it.
func (r *runner) post() *step {
	r.t.Helper()
	for line := range strings.Lines(r.read("state")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		r.env["STATE_"+name] = value
	}
	return r.start("post.js")
}

// What is kept where another user may write could be another thing once it was
// checked. It is kept in a directory of the step's own then, which the post step
// finds, and removes.
func TestKeep_whereNoOtherUserWrites(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(t *testing.T, r *runner){
		"all may write to the tool cache": func(t *testing.T, r *runner) { r.chmod("cache", 0o777) },
		"its group may":                   func(t *testing.T, r *runner) { r.chmod("cache", 0o775) },
		"it is like /tmp":                 func(t *testing.T, r *runner) { r.chmod("cache", 0o777|os.ModeSticky) },
		"all may write above it": func(t *testing.T, r *runner) {
			r.env["RUNNER_TOOL_CACHE"] = r.file("cache/below")
			r.chmod("cache/below", 0o755)
			r.chmod("cache", 0o777)
		},
		"its group may write above it": func(t *testing.T, r *runner) {
			r.env["RUNNER_TOOL_CACHE"] = r.file("cache/below")
			r.chmod("cache/below", 0o755)
			r.chmod("cache", 0o775)
		},
		"all may write below it": func(t *testing.T, r *runner) {
			r.chmod("cache/kamal-op/"+version, 0o777)
			r.chmod("cache/kamal-op-kamal", 0o777)
		},
		"it is another user's": func(t *testing.T, r *runner) {
			r.chmod("cache", 0o755)
			chown(t, r.file("cache"))
		},
		"what is in it is another user's": func(t *testing.T, r *runner) {
			r.chmod("cache/kamal-op", 0o755)
			r.chmod("cache/kamal-op-kamal", 0o755)
			chown(t, r.file("cache/kamal-op"))
			chown(t, r.file("cache/kamal-op-kamal"))
		},
		"it takes nothing": func(t *testing.T, r *runner) { r.write(r.file("cache"), "a file, not a directory") },
		"there is none":    func(t *testing.T, r *runner) { delete(r.env, "RUNNER_TOOL_CACHE") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newDeploy(t)
			r.withRuby("exit 0")
			arrange(t, r)
			log := r.start("launch.js").ends(t, 0)
			binary := binaryOf(t, log)
			own := filepath.Join(r.file("temp"), strings.Split(strings.TrimPrefix(binary, r.file("temp")+"/"), "/")[0])
			if info, err := os.Stat(own); err != nil || !strings.HasPrefix(binary, r.file("temp")+"/kamal-op-") || info.Mode().Perm() != 0o700 {
				t.Fatalf("%s: %v, %v", binary, info, err)
			}
			if !strings.Contains(log, "in PATH "+own+"/kamal-op-kamal/") {
				t.Errorf("Kamal is kept elsewhere\n%s", log)
			}
			r.post().ends(t, 0, `called ["kamal-op-post"]`, "in PATH "+own+"/kamal-op-kamal/")
			if len(r.asked()) != 1 || strings.Count(r.read("gem"), "\n") != 1 {
				t.Errorf("asked for %q, gem %s", r.asked(), r.read("gem"))
			}
			if left, _ := filepath.Glob(r.file("temp/*")); len(left) != 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// What another user has put into the tool cache is not run.
func TestKeep_takesNothingOfAnotherUser(t *testing.T) {
	t.Parallel()
	r := newDeploy(t)
	r.withRuby("exit 0")
	r.start("launch.js").ends(t, 0, "in PATH "+r.file("cache")+"/kamal-op-kamal/")
	r.chmod("cache", 0o777)
	if log := r.start("launch.js").ends(t, 0); strings.Contains(log, r.file("cache")) {
		t.Error(log)
	}
}

// Without a directory that is closed to others the temporary one is taken, if others
// cannot put another in the place of what is made there; else nothing is run.
func TestKeep_nowhere(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	delete(r.env, "RUNNER_TOOL_CACHE")
	delete(r.env, "RUNNER_TEMP")
	r.env["TMPDIR"] = r.file("tmp")
	r.chmod("tmp", 0o777|os.ModeSticky)
	if binary := binaryOf(t, r.start("launch.js").ends(t, 0)); !strings.HasPrefix(binary, r.file("tmp")+"/kamal-op-") {
		t.Error(binary)
	}
	for _, mode := range []os.FileMode{0o777, 0o775} {
		r.chmod("tmp", mode)
		if log := r.start("launch.js").ends(t, 3, "::error::what is downloaded can be kept nowhere", "%0Ahint: "); strings.Contains(log, "called") {
			t.Error(log)
		}
	}
}

// chmod makes a directory of this mode.
func (r *runner) chmod(name string, mode os.FileMode) {
	r.t.Helper()
	if err := os.MkdirAll(r.file(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chmod(r.file(name), mode); err != nil {
		r.t.Fatal(err)
	}
}

func chown(t *testing.T, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	if err := os.Chown(path, 65534, -1); err != nil {
		t.Fatal(err)
	}
}
