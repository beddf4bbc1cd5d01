package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A forge is what a release is published to: a real repository, and programs in the
// place of gh, docker and cosign, which keep what they are told in files. Each call of
// one that changes something is counted, and one may fail, before it does anything or
// after; or a call of git that is named by its words, each time.
type forge struct {
	t                 *testing.T
	dir, work, script string
}

const (
	image13 = "sha256:" + "1313131313131313131313131313131313131313131313131313131313131313"
	actsOn  = `
# changes WHAT: the call FAIL fails before it does anything, and FAIL+ after.
changes() {
  echo "$*" >>"$FORGE/log"
  n=$(($(wc -l <"$FORGE/log")))
  [ "$n" != "$FAIL" ] || exit 1
}
done_() { [ "$n+" != "$FAIL" ] || exit 1; }
`
)

var fakes = map[string]string{
	"git": `case "$*" in
"$FAIL") echo "fatal: unable to access the remote" >&2; exit 128 ;;
push*) changes git "$@"; "$GIT" "$@" || exit; done_ ;;
*) exec "$GIT" "$@" ;;
esac`,
	"wc": `awk 'END { printf "%8d\n", NR }'`, // with spaces, as on macOS
	"gh": `case "$2" in
list) [ ! -e "$FORGE/draft" ] || echo true; [ ! -e "$FORGE/published" ] || echo false ;;
create) [ ! -e "$FORGE/draft" ] || exit 1; changes gh "$@"; while [ "$1" != --target ]; do shift; done; echo "$2" >"$FORGE/draft"; done_ ;;
delete) changes gh "$@"; rm "$FORGE/published" || rm "$FORGE/draft"; done_ ;; # the published one, where both have the tag
edit) changes gh "$@"; "$GIT" -C "$FORGE/origin" tag "$3" "$(cat "$FORGE/draft")"; mv "$FORGE/draft" "$FORGE/published"; done_ ;;
esac`,
	"docker": `case "$2 $3" in
"imagetools inspect") cat "$FORGE/image:${4#*:}" ;;
"imagetools create") changes docker "$@"; echo "${6#*@}" >"$FORGE/image:${5#*:}"; done_ ;;
build*) changes docker "$@"
  printf '{\n  "containerimage.config.digest": "sha256:0",\n  "containerimage.digest": "%s"\n}\n' "$DIGEST" >metadata.json
  for a; do case $a in type=image,name=*) a=${a#*name=}; echo "$DIGEST" >"$FORGE/image:$(echo "${a%%,*}" | cut -d : -f 2)" ;; esac; done; done_ ;;
esac`,
	"cosign": `for last; do :; done
case "$1" in
verify) grep -q -x -F "$last $GITHUB_SHA" "$FORGE/signed" ;;
sign) changes cosign "$@"; echo "$last $GITHUB_SHA" >>"$FORGE/signed"; done_ ;;
esac`,
	"go": `[ "$1 $2" = "run ./build/release" ] && shift 2 && AS_RELEASE=1 exec "$SELF" "$@"`,
}

// noConfig keeps a person's configuration of git, which may sign each commit, away.
var noConfig = []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull}

// TestMain makes this program the command release, too, for build/publish.sh.
func TestMain(m *testing.M) {
	if os.Getenv("AS_RELEASE") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func newForge(t *testing.T) *forge {
	t.Helper()
	if exec.Command("bash", "-c", "shopt -s inherit_errexit").Run() != nil {
		t.Skip("the script refuses a bash before 4.4, and this is one")
	}
	script, err := filepath.Abs("../publish.sh")
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{t: t, dir: t.TempDir(), script: script}
	f.work = filepath.Join(f.dir, "work")
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range fakes {
		f.write("bin/"+name, "#!/bin/bash\nGIT="+git+"\n"+actsOn+script+"\n")
	}
	f.write("log", "")
	f.write("signed", "")
	f.git(f.dir, "init", "--quiet", "--bare", "--initial-branch=main", "origin")
	f.git(f.dir, "init", "--quiet", "--initial-branch=main", "work")
	f.git(f.work, "remote", "add", "origin", filepath.Join(f.dir, "origin"))
	f.write("work/action.yml", "name: x\nruns:\n  using: docker\n  image: Dockerfile\n")
	f.write("work/native/release.json", "{}\n")
	f.write("work/.gitignore", "dist\nmetadata.json\n")
	for _, name := range []string{"a.tar.gz", "a.deb", "a.rpm", "a.apk", "a.cdx.json", "a.spdx.json", "kamal-op.rb", "checksums.txt", "checksums.txt.sigstore.json"} {
		f.write("work/dist/"+name, "")
	}
	f.write("work/dist/release.json", `{"version": "x"}`)
	f.commit("code")
	return f
}

func (f *forge) write(name, text string) {
	f.t.Helper()
	file := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

func (f *forge) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(f.dir, name))
	return strings.TrimSpace(string(text))
}

func (f *forge) git(dir string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), noConfig...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit adds a commit to main, and gives it.
func (f *forge) commit(text string) string {
	f.t.Helper()
	if f.git(f.work, "branch", "--list", "main") != "" {
		f.git(f.work, "switch", "--quiet", "main")
	}
	f.write("work/code", text)
	f.git(f.work, "add", ".")
	f.git(f.work, "commit", "--quiet", "--message", text)
	f.git(f.work, "push", "--quiet", "origin", "main")
	return f.git(f.work, "rev-parse", "HEAD")
}

// run releases a version of main's head, as the workflow does. It gives what went wrong.
func (f *forge) run(version, digest, fail string) error {
	f.t.Helper()
	// Each job has a checkout of its own.
	built := f.git(filepath.Join(f.dir, "origin"), "rev-parse", "main")
	f.git(f.work, "checkout", "--quiet", "--force", "--detach", built)
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	step := func(args ...string) (string, error) {
		cmd := exec.Command(f.script, args...)
		cmd.Dir = f.work
		cmd.Env = append(append(os.Environ(), noConfig...), "PATH="+filepath.Join(f.dir, "bin")+":"+os.Getenv("PATH"), "FORGE="+f.dir, "SELF="+self, "FAIL="+fail,
			"DIGEST="+digest, "GITHUB_SHA="+built, "GITHUB_REPOSITORY=kamal-op/kamal-op")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("%q: %w\n%s", args, err, &stderr)
		}
		return strings.TrimSpace(string(out)), err
	}
	pushed, err := step("image", version)
	if err != nil {
		return err
	}
	commit, err := step("commit", version, pushed, "dist")
	if err != nil {
		return err
	}
	if _, err := step("release", version, commit, "dist"); err != nil {
		return err
	}
	_, err = step("series", version, commit, pushed)
	return err
}

func (f *forge) tag(name string) string {
	return f.git(filepath.Join(f.dir, "origin"), "for-each-ref", "--format=%(objectname)", "refs/tags/"+name)
}

// published fails the test where something of a release is not as it should be.
func (f *forge) published(version, digest string, series ...string) {
	f.t.Helper()
	tag := f.tag("v" + version)
	if tag == "" {
		f.t.Fatalf("there is no tag v%s", version)
	}
	if action := f.git(f.work, "show", tag+":action.yml"); !strings.Contains(action, "image: docker://ghcr.io/kamal-op/kamal-op@"+digest) {
		f.t.Errorf("action.yml pulls another image than %s:\n%s", digest, action)
	}
	if have := f.read("image:" + version); have != digest {
		f.t.Errorf("the image %s is %s, not %s", version, have, digest)
	}
	if !strings.Contains(f.read("signed"), "@"+digest+" ") {
		f.t.Errorf("the image is not signed: %s", f.read("signed"))
	}
	if differs := f.git(f.work, "diff", "--name-only", tag+"^", tag); differs != "action.yml\nnative/release.json" {
		f.t.Errorf("the commit differs by %s", differs)
	}
	for _, name := range series {
		if f.tag("v"+name) != tag || f.read("image:"+name) != digest {
			f.t.Errorf("the series %s is at %s and %s, not at %s and %s", name, f.tag("v"+name), f.read("image:"+name), tag, digest)
		}
	}
}

// What cannot be taken back comes in this order: the image, the commit that names it,
// the tag, and then what follows it.
func TestPublish_order(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	if err := f.run("1.2.3", image13, ""); err != nil {
		t.Fatal(err)
	}
	f.published("1.2.3", image13, "1", "1.2")
	var kinds []string
	for line := range strings.Lines(f.read("log")) {
		words := strings.Fields(line)
		kinds = append(kinds, strings.Join(words[:min(3, len(words))], " "))
	}
	want := []string{
		"docker buildx build", "cosign sign --yes", "git push --quiet", "gh release create", "gh release edit",
		"docker buildx imagetools", "git push --quiet", "docker buildx imagetools", "git push --quiet",
	}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("%q, not %q", kinds, want)
	}
	for _, name := range []string{"a.deb", "kamal-op.rb", "checksums.txt.sigstore.json"} {
		if !strings.Contains(f.read("log"), "dist/"+name) {
			t.Errorf("the release has no %s", name)
		}
	}
}

// Wherever a run fails, before or after its step was done, the next one goes on.
func TestPublish_runAgain(t *testing.T) {
	t.Parallel()
	for call := 1; call <= 9; call++ {
		for _, after := range []string{"", "+"} {
			fail := fmt.Sprint(call) + after
			t.Run(fail, func(t *testing.T) {
				t.Parallel()
				f := newForge(t)
				if err := f.run("1.2.3", image13, fail); err == nil {
					t.Fatal("nothing failed")
				}
				// Where it was not signed another image is built, and only then.
				digest := strings.Replace(image13, "13", "77", 1)
				final := image13
				if call == 1 || fail == "2" {
					final = digest
				}
				if err := f.run("1.2.3", digest, ""); err != nil {
					t.Fatal(err)
				}
				f.published("1.2.3", final, "1", "1.2")
				calls := f.read("log")
				if err := f.run("1.2.3", digest, ""); err != nil {
					t.Fatal(err)
				}
				f.published("1.2.3", final, "1", "1.2")
				if more := strings.TrimPrefix(f.read("log"), calls); strings.Contains(more, "build ") || strings.Contains(more, "gh ") {
					t.Errorf("a run after the end did more:\n%s", more)
				}
			})
		}
	}
}

// A version that was begun from another commit is refused.
func TestPublish_anotherCommit(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	if err := f.run("1.2.3", image13, "4"); err == nil {
		t.Fatal("nothing failed")
	}
	calls := f.read("log")
	f.commit("more")
	if err := f.run("1.2.3", image13, ""); err == nil || !strings.Contains(err.Error(), "1.2.3 has been begun from another commit") {
		t.Error(err)
	}
	if f.read("log") != calls || f.tag("v1.2.3") != "" {
		t.Error("something was done")
	}
}

// A series follows its newest version: a patch of an old one moves what is its own.
func TestPublish_series(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	digest := func(n int) string { return fmt.Sprintf("sha256:%064d", n) }
	release := func(n int, version string) {
		t.Helper()
		f.commit(version)
		if err := os.RemoveAll(filepath.Join(f.dir, "published")); err != nil {
			t.Fatal(err)
		}
		if err := f.run(version, digest(n), ""); err != nil {
			t.Fatal(err)
		}
	}
	release(1, "1.2.9")
	f.published("1.2.9", digest(1), "1", "1.2")
	release(2, "1.2.10")
	f.published("1.2.10", digest(2), "1", "1.2")
	release(3, "1.10.0")
	f.published("1.10.0", digest(3), "1", "1.10")
	release(4, "1.2.11")
	f.published("1.2.11", digest(4), "1.2")
	f.published("1.10.0", digest(3), "1", "1.10")
	release(5, "2.0.0-rc.1")
	f.published("2.0.0-rc.1", digest(5))
	if f.tag("v2") != "" {
		t.Error("a version before the first moves v2")
	}
	release(6, "2.0.0")
	release(7, "1.10.1")
	f.published("2.0.0", digest(6), "2", "2.0")
	f.published("1.10.1", digest(7), "1", "1.10")
	for version, latest := range map[string]bool{"1.2.10": true, "1.10.0": true, "1.2.11": false, "2.0.0-rc.1": false, "2.0.0": true, "1.10.1": false} {
		for line := range strings.Lines(f.read("log")) {
			if strings.HasPrefix(line, "gh release create v"+version+" ") && strings.Contains(line, "--latest=false") == latest {
				t.Errorf("latest %v is wrong: %s", latest, line)
			}
		}
	}
}

// A remote that does not answer is not one without tags: nothing is done then.
func TestPublish_noAnswer(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	digest := func(n int) string { return fmt.Sprintf("sha256:%064d", n) }
	if err := f.run("1.2.0", digest(1), ""); err != nil {
		t.Fatal(err)
	}
	f.commit("a patch")
	if err := os.Remove(filepath.Join(f.dir, "published")); err != nil {
		t.Fatal(err)
	}
	fails := func(call, step string) {
		t.Helper()
		before := f.read("log")
		if err := f.run("1.1.5", digest(2), call); err == nil || !strings.Contains(err.Error(), `["`+step+`" `) {
			t.Errorf("git %s fails, and %s goes on: %v", call, step, err)
		}
		more := strings.TrimPrefix(f.read("log"), before)
		for _, word := range []string{"gh ", "--force", "imagetools"} {
			if strings.Contains(more, word) {
				t.Errorf("git %s fails, and this is done:\n%s", call, more)
			}
		}
		f.published("1.2.0", digest(1), "1", "1.2")
	}
	fails("ls-remote --tags origin", "release")
	// Its commit is pushed now, and is not pushed a second time.
	for _, ref := range []string{"refs/tags/v1.1.5", "refs/heads/release-1.1.5"} {
		fails("ls-remote origin "+ref, "image")
	}
	// It is published, and its series have not been moved.
	calls := strings.Count(f.read("log"), "\n") + 1
	if err := f.run("1.1.5", digest(2), fmt.Sprintf("%d+", calls+2)); err == nil || f.tag("v1.1.5") == "" {
		t.Fatalf("the release is not published, or the run has not failed: %v", err)
	}
	fails("ls-remote --tags origin", "series")
	if err := f.run("1.1.5", digest(2), ""); err != nil {
		t.Fatal(err)
	}
	f.published("1.1.5", digest(2), "1.1")
	f.published("1.2.0", digest(1), "1", "1.2")
}

// A draft that has the tag of a published release, too, is left alone: gh would take
// the published one.
func TestPublish_draftBeside(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	if err := f.run("1.2.3", image13, ""); err != nil {
		t.Fatal(err)
	}
	f.write("draft", "")
	if err := f.run("1.2.3", image13, ""); err != nil {
		t.Fatal(err)
	}
	f.published("1.2.3", image13, "1", "1.2")
	if _, err := os.Stat(filepath.Join(f.dir, "published")); err != nil || strings.Contains(f.read("log"), "gh release delete") {
		t.Errorf("the published release is deleted: %v\n%s", err, f.read("log"))
	}
}

// A bash that cannot be told to end at a failure in $(…) is refused.
func TestPublish_oldBash(t *testing.T) {
	t.Parallel()
	old := filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(old, []byte("shopt() { return 1; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("../publish.sh", "series", "1.2.3", "commit", "digest")
	cmd.Env = append(os.Environ(), "GITHUB_SHA=x", "BASH_ENV="+old)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "is too old: put one of 4.4 or newer first on the PATH") {
		t.Errorf("%v\n%s", err, out)
	}
}

// How a person has set up git, to sign each commit for one, has no say in these tests.
func TestForge_config(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	f := newForge(t)
	if err := f.run("1.2.3", image13, ""); err != nil {
		t.Fatal(err)
	}
	f.published("1.2.3", image13, "1", "1.2")
}
