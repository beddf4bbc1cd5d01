package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Neither who packs, when, nor with which umask is in an archive.
func TestArchive_sameBytesForEverybody(t *testing.T) {
	at := time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)
	pack := func(program, text os.FileMode, touched time.Time) []byte {
		t.Helper()
		dir := t.TempDir()
		for name, mode := range map[string]os.FileMode{"kamal-op": program, "LICENSE": text} {
			file := filepath.Join(dir, name)
			if err := errors.Join(os.WriteFile(file, []byte(name), mode), os.Chmod(file, mode), os.Chtimes(file, touched, touched)); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(t.TempDir(), "a.tar.gz")
		if err := writeArchive(file, "kamal-op_1.2.3_linux_amd64", dir, at); err != nil {
			t.Fatal(err)
		}
		packed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	packed := pack(0o755, 0o644, at)
	if !bytes.Equal(packed, pack(0o700, 0o600, at.Add(time.Hour))) {
		t.Error("two archives of the same files differ")
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(unzipped)
	for _, want := range []struct {
		name string
		mode int64
	}{{"LICENSE", 0o644}, {"kamal-op", 0o755}} {
		header, err := archive.Next()
		if err != nil {
			t.Fatal(err)
		}
		if header.Name != "kamal-op_1.2.3_linux_amd64/"+want.name || header.Mode != want.mode || !header.ModTime.Equal(at) {
			t.Errorf("%s with mode %o of %s", header.Name, header.Mode, header.ModTime)
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("more than two files: %v", err)
	}
}

func TestVersionOf(t *testing.T) {
	clean := source{commit: "0123456789abcdef0123456789abcdef01234567"}
	modified := clean
	modified.modified = true
	for _, c := range []struct {
		source  source
		asked   string
		version string // "" is refused
	}{
		{clean, "1.2.3", "1.2.3"},
		{clean, "1.2.3-rc.1", "1.2.3-rc.1"},
		{clean, "", "0.0.0-snapshot.0123456789ab"},
		{modified, "", "0.0.0-snapshot.0123456789ab.modified"},
		{modified, "1.2.3", ""},
		{clean, "v1.2.3", ""},
		{clean, "1.2", ""},
		{clean, "1.2.3 -X main.a=b", ""},
		{clean, "1.2.3\n", ""},
	} {
		version, err := c.source.versionOf(c.asked)
		if version != c.version || (err == nil) != (c.version != "") {
			t.Errorf("versionOf(%q) = %q, %v", c.asked, version, err)
		}
	}
}

// The docs name the Go that a release is built with.
func TestDocs_goOfReleases(t *testing.T) {
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	m := imageGo.FindSubmatch(dockerfile)
	if m == nil {
		t.Fatal("the Dockerfile names no Go")
	}
	for _, page := range []string{"verify.md", "releasing.md"} {
		text, err := os.ReadFile(filepath.Join("../../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		if want := "GOTOOLCHAIN=go" + string(m[1]) + " make release-snapshot"; !bytes.Contains(text, []byte(want)) {
			t.Errorf("docs/%s does not say %s", page, want)
		}
	}
}

// A module that nobody may pass on is not linked in silence.
func TestTerms_moduleWithout(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "license.go"), []byte("package m"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := linked{"example.com/m", "v1.0.0", dir}
	var text bytes.Buffer
	if err := m.addTerms(&text); err == nil || !strings.Contains(err.Error(), "example.com/m v1.0.0 has no file with its terms") {
		t.Errorf("error: %v", err)
	}
	for _, name := range []string{"LICENSE-APACHE.txt", "NOTICE"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("the terms in "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.addTerms(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"example.com/m v1.0.0: LICENSE-APACHE.txt", "the terms in LICENSE-APACHE.txt", "the terms in NOTICE"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
}

// What is linked has its terms, in the same text each time.
func TestThirdParty(t *testing.T) {
	one := platforms()[:1]
	text, err := thirdParty(one)
	if err != nil {
		t.Fatal(err)
	}
	again, err := thirdParty(one)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, again) {
		t.Error("two texts differ")
	}
	for _, want := range []string{"The Go standard library go1.", "github.com/1password/onepassword-sdk-go v", "github.com/tetratelabs/wazero v1.12.0: NOTICE"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the text lacks %q", want)
		}
	}
	if bytes.Contains(text, []byte("goleak")) {
		t.Error("what only tests use is not in the binary")
	}
}
