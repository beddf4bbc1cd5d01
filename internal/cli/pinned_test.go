package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	usesPattern    = regexp.MustCompile("uses:[ \\t]+[\"']?([^\\s\"'`,{}]+)[\"']?( # [\\w.]+)?")
	pinnedPattern  = regexp.MustCompile(`^(https://[\w.-]+/)?[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	versionPattern = regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
	imagePattern   = regexp.MustCompile("(?m)(?:^|[\\s\"'`-])((?:ghcr\\.io/kamal-op/kamal-op):\\d[^\\s\"'`},)]*|(?:(?:image|name|default):|- image:)[ \\t]+[\"']?[a-z][\\w./-]*:\\d[^\\s\"'`},)]*)")
	basePattern    = regexp.MustCompile(`(?m)^ARG \w+_IMAGE=(.*)$`)
	digestPattern  = regexp.MustCompile(`^[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$`)
	ourPattern     = regexp.MustCompile(`^(?:https://github\.com/)?kamal-op/kamal-op(/[\w./-]+)?@(.*)`)
	releasePattern = regexp.MustCompile(`(?m)^## v?(\d+\.\d+\.\d+)`)
)

// notPinned are the actions that a text uses or speaks of by less than their commit,
// as GitHub, Gitea and Forgejo read it, and how many there are. Our own action is named
// by its major version until there is a release, and then by the commit of the latest.
func notPinned(text, release string) (bad []string, seen int) {
	for _, m := range usesPattern.FindAllStringSubmatch(text, -1) {
		used, comment := m[1], m[2]
		if strings.HasPrefix(used, "./") || strings.HasPrefix(used, "(") || !strings.Contains(used, "/") {
			continue // of the repository itself, a pattern, or a sentence
		}
		if !strings.Contains(used, "@") && strings.Contains(text, "`uses: "+used+"`") {
			continue // an action's name in a sentence
		}
		seen++
		ours := ourPattern.FindStringSubmatch(used)
		switch {
		case ours != nil && release == "":
			if ours[2] != "v1" || comment != "" {
				bad = append(bad, used+comment+", but there is no release yet")
			}
		case ours != nil && comment != " # v"+release:
			bad = append(bad, used+comment+" is not the commit of v"+release+", as docs/releasing.md has it")
		case !pinnedPattern.MatchString(used) || !versionPattern.MatchString(comment):
			bad = append(bad, used+comment+" is not pinned: a commit, and its version as a comment")
		}
	}
	return bad, seen
}

// imagesNotPinned are the images that a text uses by less than a version and a digest,
// and how many images there are. Our own is named by its major version until there is a
// release, as our action is.
func imagesNotPinned(text, release string) (bad []string, seen int) {
	for _, m := range imagePattern.FindAllStringSubmatch(text, -1) {
		image := m[1]
		if _, after, key := strings.Cut(image, ": "); key {
			image = strings.Trim(after, " \t\"'")
		}
		if strings.HasPrefix(image, "registry.example.com/") {
			continue // somebody's app
		}
		seen++
		_, tag, ours := strings.Cut(image, "ghcr.io/kamal-op/kamal-op:")
		switch {
		case ours && release == "":
			if tag != "1" {
				bad = append(bad, image+", but there is no release yet")
			}
		case !digestPattern.MatchString(image) || ours && !strings.HasPrefix(tag, release+"@"):
			bad = append(bad, image+" is not pinned: a version and a digest")
		}
	}
	return bad, seen
}

func TestImagesNotPinned(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for text, bad := range map[string]bool{
		"image: ghcr.io/kamal-op/kamal-op:1":              false,
		"run \"${image:-ghcr.io/kamal-op/kamal-op:1}\"":   false,
		"image: ghcr.io/kamal-op/kamal-op:1.2.3" + digest: true,
		"- name: docker:28-dind":                          true,
		"default: docker:28.5.2-dind":                     true,
		"default: docker:28.5.2-dind" + digest:            false,
		"  - image: cimg/base:2026.01":                    true,
		"image: postgres:16":                              true,
		"image: 'postgres:16.1.0" + digest + "'":          false,
		"DOCKER_HOST: tcp://docker:2376":                  false,
		"the image of docker: it is another's":            false,
	} {
		if found, _ := imagesNotPinned(text, ""); (len(found) > 0) != bad {
			t.Errorf("%s: %q", text, found)
		}
	}
	for text, bad := range map[string]bool{
		"image: ghcr.io/kamal-op/kamal-op:1":                     true,
		"image: ghcr.io/kamal-op/kamal-op:1.2.3":                 true,
		"image: ghcr.io/kamal-op/kamal-op:1.2.2" + digest:        true,
		"  ghcr.io/kamal-op/kamal-op:1.2.3" + digest + " deploy": false,
	} {
		if found, seen := imagesNotPinned(text, "1.2.3"); (len(found) > 0) != bad || seen != 1 {
			t.Errorf("%s: %q, %d seen", text, found, seen)
		}
	}
}

func TestNotPinned(t *testing.T) {
	const commit = "3d3c42e5aac5ba805825da76410c181273ba90b1"
	for text, bad := range map[string]bool{
		"uses: actions/checkout@" + commit + " # v7.0.1":                    false,
		"uses: https://github.com/actions/checkout@" + commit + " # v7.0.1": false,
		"uses: ./native": false,
		"uses: 'actions/checkout@" + commit + "' # v7.0.1":                false,
		"uses: actions/checkout@" + commit:                                true,
		"uses: actions/checkout@v7 # v7.0.1":                              true,
		"uses: actions/checkout@main":                                     true,
		"uses: actions/checkout":                                          true,
		"uses: https://github.com/actions/checkout@v7":                    true,
		"uses: https://code.forgejo.org/actions/checkout@v7":              true,
		"uses:  \"https://gitea.com/actions/checkout@v7\"":                true,
		"uses: http://gitea.com/actions/checkout@" + commit + " # v7.0.1": true,
		"- {uses: actions/checkout@v7}":                                   true,
		"uses: docker://alpine:3":                                         true,
		"uses: kamal-op/kamal-op@v1":                                      false,
		"uses: https://github.com/kamal-op/kamal-op@v1":                   false,
		"uses: https://github.com/kamal-op/kamal-op@main":                 true,
	} {
		if found, _ := notPinned(text, ""); (len(found) > 0) != bad {
			t.Errorf("%s: %q", text, found)
		}
	}
	for text, bad := range map[string]bool{
		"uses: https://github.com/kamal-op/kamal-op@v1":                           true,
		"uses: https://github.com/kamal-op/kamal-op@" + commit + " # v1.2.3":      false,
		"uses: kamal-op/kamal-op/native@" + commit + " # v1.2.2":                  true,
		"uses: kamal-op/kamal-op/.github/workflows/x.yml@" + commit + " # v1.2.3": false,
	} {
		if found, _ := notPinned(text, "1.2.3"); (len(found) > 0) != bad {
			t.Errorf("%s: %q", text, found)
		}
	}
}

// What we run and what we tell others to run is pinned: actions by commit, with the
// version behind it, base images by digest. The workflows that projects call are the
// exception: a commit cannot name itself, and that of the release before would be an older
// action behind newer inputs. They name the series, which moves with them.
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
	for _, dir := range []string{"docs", ".github", "ci", "internal/edit"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "/testdata/") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen, forgejo, images := 0, 0, 0
	for _, file := range files {
		text := read(file)
		bad, uses := notPinned(text, release)
		if strings.Contains(text, "\n  workflow_call:\n") {
			bad, uses = notPinned(text, "")
		}
		badImages, found := imagesNotPinned(read(file), release)
		images += found
		for _, what := range append(bad, badImages...) {
			t.Errorf("%s: %s", file, what)
		}
		if seen += uses; strings.Contains(file, "/ci/") && strings.Contains(read(file), "uses: https://") {
			forgejo += uses
		}
	}
	bases := basePattern.FindAllStringSubmatch(read(filepath.Join(root, "Dockerfile")), -1)
	for _, m := range bases {
		if !digestPattern.MatchString(m[1]) {
			t.Errorf("Dockerfile: %s is not pinned: a version and a digest", m[1])
		}
	}
	if seen < 30 || forgejo < 8 || images < 20 || len(bases) != 2 {
		t.Errorf("only %d uses, %d of them for Gitea and Forgejo, %d images and %d base images were seen", seen, forgejo, images, len(bases))
	}
}
