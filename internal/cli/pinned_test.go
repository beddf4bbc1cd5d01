package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var (
	usesPattern    = regexp.MustCompile(`uses: +([\w.-]+/[\w./-]+@[\w.]+)( # [\w.]+)?`)
	pinnedPattern  = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	versionPattern = regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
	basePattern    = regexp.MustCompile(`(?m)^ARG \w+_IMAGE=(.*)$`)
	digestPattern  = regexp.MustCompile(`^[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$`)
	ourPattern     = regexp.MustCompile(`^kamal-op/kamal-op(/[\w./-]+)?@(.*)`)
	releasePattern = regexp.MustCompile(`(?m)^## v?(\d+\.\d+\.\d+)`)
)

// What we run and what we tell others to run is pinned: actions by commit, with the
// version behind it, base images by digest. Our own action is named by its major
// version until there is a release, and then by the commit of the latest one.
func TestWhatIsUsedIsPinned(t *testing.T) {
	root := filepath.Join("..", "..")
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	release := ""
	if m := releasePattern.FindStringSubmatch(read(filepath.Join(root, "CHANGELOG.md"))); m != nil {
		release = m[1]
	}
	files := []string{filepath.Join(root, "README.md")}
	for _, name := range []string{"init.go", "migratestep.go"} { // what they write
		files = append(files, filepath.Join(root, "internal", "edit", name))
	}
	for _, dir := range []string{"docs", ".github"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for _, file := range files {
		for _, m := range usesPattern.FindAllStringSubmatch(read(file), -1) {
			used, comment := m[1], m[2]
			seen++
			ours := ourPattern.FindStringSubmatch(used)
			switch {
			case ours != nil && release == "":
				if ours[2] != "v1" || comment != "" {
					t.Errorf("%s: %s%s, but there is no release yet", file, used, comment)
				}
			case ours != nil && comment != " # v"+release:
				t.Errorf("%s: %s%s is not the commit of v%s, as docs/releasing.md has it", file, used, comment, release)
			case !pinnedPattern.MatchString(used) || !versionPattern.MatchString(comment):
				t.Errorf("%s: %s%s is not pinned: a commit, and its version as a comment", file, used, comment)
			}
		}
	}
	bases := basePattern.FindAllStringSubmatch(read(filepath.Join(root, "Dockerfile")), -1)
	for _, m := range bases {
		if !digestPattern.MatchString(m[1]) {
			t.Errorf("Dockerfile: %s is not pinned: a version and a digest", m[1])
		}
	}
	if seen < 8 || len(bases) != 2 {
		t.Errorf("only %d uses and %d base images were seen", seen, len(bases))
	}
}
