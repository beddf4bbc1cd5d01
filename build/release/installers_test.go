package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// built is a release of which every archive and binary is some bytes.
func built(t *testing.T) release {
	t.Helper()
	r := release{version: "1.2.3", dir: t.TempDir(), platforms: platforms()}
	for _, p := range r.platforms {
		for _, file := range []string{"kamal-op_1.2.3_" + p.String() + ".tar.gz", "tree/" + p.String() + "/kamal-op"} {
			path := filepath.Join(r.dir, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.writeInstallers(); err != nil {
		t.Fatal(err)
	}
	return r
}

func hashOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// The launcher's list and the formula have the hashes of what was built, each
// platform's own.
func TestInstallers(t *testing.T) {
	r := built(t)
	text, err := os.ReadFile(filepath.Join(r.dir, launcherName))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Version   string
		Platforms map[string]launched
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	ruby, err := os.ReadFile(filepath.Join(r.dir, "kamal-op.rb"))
	if err != nil {
		t.Fatal(err)
	}
	if list.Version != "1.2.3" || len(list.Platforms) != len(r.platforms) {
		t.Errorf("%s", text)
	}
	for _, p := range r.platforms {
		file := "kamal-op_1.2.3_" + p.String() + ".tar.gz"
		want := launched{hashOf(file), hashOf("tree/" + p.String() + "/kamal-op")}
		if list.Platforms[p.String()] != want {
			t.Errorf("%s: %+v, not %+v", p, list.Platforms[p.String()], want)
		}
		cpu := map[string]string{"amd64": "intel", "arm64": "arm"}[p.arch]
		if !regexp.MustCompile(`on_` + cpu + ` do\n      url "\S*/v1\.2\.3/` + regexp.QuoteMeta(file) + `"\n      sha256 "` + want.Archive + `"\n    end`).Match(ruby) {
			t.Errorf("the formula lacks %s:\n%s", p, ruby)
		}
	}
	// Every block has its end.
	blocks := len(regexp.MustCompile(`(?m)^ *(class|def|.* do$)`).FindAll(ruby, -1))
	if ends := len(regexp.MustCompile(`(?m)^ *end$`).FindAll(ruby, -1)); blocks != ends {
		t.Errorf("%d blocks and %d ends:\n%s", blocks, ends, ruby)
	}
}

// A release pulls its image by digest, and its launcher has its hashes; nothing else
// is another than in the commit that it was built from.
func TestMark(t *testing.T) {
	r := built(t)
	root := t.TempDir()
	for _, name := range []string{"action.yml", "native/" + launcherName} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "native") {
			text = []byte(`{"version": "", "platforms": {}}`)
		}
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(path...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := read(root, "action.yml")
	for _, digest := range []string{"", "latest", "sha256:" + strings.Repeat("0", 63), "sha256:" + strings.Repeat("G", 64)} {
		if err := mark(root, r.dir, digest); err == nil || read(root, "action.yml") != before {
			t.Errorf("%q is taken for a digest: %v", digest, err)
		}
	}
	digest := "sha256:" + hashOf("image")
	if err := mark(root, r.dir, digest); err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(before, "image: Dockerfile", "image: docker://"+image+"@"+digest, 1); read(root, "action.yml") != want {
		t.Errorf("action.yml is\n%s", read(root, "action.yml"))
	}
	if read(root, "native", launcherName) != read(r.dir, launcherName) {
		t.Error("the launcher has other hashes than the release")
	}
	if err := mark(root, r.dir, digest); err == nil {
		t.Error("a release is made one again")
	}
}

// main builds its image and has no binary to download; a release has both, or neither
// is one.
func TestTree_buildsOrPulls(t *testing.T) {
	action, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../native/" + launcherName)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Version   string
		Platforms map[string]launched
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	builds := strings.Contains(string(action), "\n  image: Dockerfile\n")
	pulls := regexp.MustCompile(`\n  image: docker://` + regexp.QuoteMeta(image) + `@sha256:[0-9a-f]{64}\n`).Match(action)
	switch {
	case builds == pulls:
		t.Error("action.yml neither builds its image nor pulls it by digest")
	case builds && (list.Version != "" || len(list.Platforms) != 0):
		t.Errorf("action.yml builds, and the launcher downloads %s", list.Version)
	case pulls && (list.Version == "" || len(list.Platforms) != len(platforms())):
		t.Error("action.yml pulls, and the launcher has nothing to download")
	}
}
