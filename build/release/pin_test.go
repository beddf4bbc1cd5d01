package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPin: what a release fills in is filled in wherever it stands, by the next release
// too, and what goes to other CI systems has the release's image whatever stood there.
func TestPin(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"README.md":                    "      - uses: kamal-op/kamal-op@v1\n`uses: kamal-op/kamal-op/native@v1`, or `uses: kamal-op/kamal-op/setup@v1`.\n",
		"docs/ci/forgejo.md":           "- uses: https://github.com/kamal-op/kamal-op@v1\n- uses: actions/checkout@v4\n",
		"docs/install.md":              "    uses: kamal-op/kamal-op/.github/workflows/deploy.yml@v1\n",
		"ci/gitlab/README.md":          "The image is ghcr.io/kamal-op/kamal-op:1.\n",
		"ci/gitlab/templates/a.yml":    "      default: ghcr.io/kamal-op/kamal-op:1\n",
		"ci/buildkite/README.md":       "\n",
		"ci/buildkite/plugin.yml":      "\n",
		"ci/buildkite/hooks/command":   "exec \"${image:-ghcr.io/kamal-op/kamal-op:1}\"\n",
		"ci/circleci/orb.yml":          "image: ghcr.io/kamal-op/kamal-op:1\n",
		"internal/edit/x.go":           "\"uses: kamal-op/kamal-op@v1\\n\" + \"uses: kamal-op/kamal-op@v1\" + more\n",
		"internal/program/testdata/x":  "uses: kamal-op/kamal-op@v1\n",
		".github/workflows/deploy.yml": "      - uses: kamal-op/kamal-op@v1\n",
		"LICENSE":                      "MIT\n",
	}
	for _, script := range []string{"pin.sh", "ci-trees.sh"} {
		text, err := os.ReadFile(filepath.Join("..", script))
		if err != nil {
			t.Fatal(err)
		}
		files["build/"+script] = string(text)
	}
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(program string, args ...string) error {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Logf("%s", out)
		}
		return err
	}
	if err := run("git", "init", "--quiet"); err != nil {
		t.Fatal(err)
	}
	if err := run("git", "add", "--all"); err != nil {
		t.Fatal(err)
	}
	for _, release := range []struct{ version, digit string }{{"1.0.0", "a"}, {"1.0.0", "a"}, {"1.10.2", "b"}} {
		commit, digest := strings.Repeat(release.digit, 40), "sha256:"+strings.Repeat(release.digit, 64)
		if err := run("bash", "build/pin.sh", release.version, commit, digest); err != nil {
			t.Fatal(err)
		}
		trees := filepath.Join(t.TempDir(), "trees")
		if err := run("sh", "build/ci-trees.sh", trees, release.version, digest); err != nil {
			t.Fatal(err)
		}
		pinned := strings.NewReplacer("kamal-op/kamal-op:1", "kamal-op/kamal-op:"+release.version+"@"+digest, "checkout@v4", "checkout@v4", "@v1", "@"+commit+" # v"+release.version)
		for name, text := range files {
			want := pinned.Replace(text)
			if strings.HasPrefix(name, ".github/") || strings.HasPrefix(name, "build/") {
				want = text
			}
			places := []string{filepath.Join(dir, filepath.FromSlash(name))}
			if rest, ok := strings.CutPrefix(name, "ci/"); ok {
				places = append(places, filepath.Join(trees, filepath.FromSlash(rest)))
			}
			for _, place := range places {
				if got, err := os.ReadFile(place); err != nil || string(got) != want {
					t.Errorf("%s: %s has\n%s\nwant\n%s", release.version, place, got, want)
				}
			}
		}
	}
	if err := run("bash", "build/pin.sh", "v1.0.0", strings.Repeat("a", 40), "sha256:"+strings.Repeat("a", 64)); err == nil {
		t.Error("v1.0.0 is taken for a version")
	}
}
