package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What completes commands and the manual page are the program's own, and are in each
// archive.
func TestManuals(t *testing.T) {
	t.Chdir("../..")
	m, err := readManuals()
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	if err := m.write(tree); err != nil {
		t.Fatal(err)
	}
	files, err := filesBelow(tree)
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]string{
		"completions/kamal-op.bash": "complete ", "completions/_kamal-op": "#compdef kamal-op", "completions/kamal-op.fish": "complete -c kamal-op", "man/kamal-op.1": ".TH KAMAL-OP 1",
	}
	if want := slices.Sorted(maps.Keys(says)); !slices.Equal(files, want) {
		t.Errorf("%q, not %q", files, want)
	}
	for file, want := range says {
		if !strings.Contains(string(m[file]), want) || !strings.HasSuffix(string(m[file]), "\n") {
			t.Errorf("%s does not say %q:\n%.300s", file, want, m[file])
		}
	}
}

// Each kind of package has them where its distributions' shells and man look. That
// they are in the packages is build/install-test.sh's.
func TestPackagedFiles(t *testing.T) {
	files := packagedFiles("tree", "tree.1.gz")
	for kind, zsh := range map[string]string{
		"deb": "/usr/share/zsh/vendor-completions/_kamal-op", "rpm": "/usr/share/zsh/site-functions/_kamal-op", "apk": "/usr/share/zsh/site-functions/_kamal-op",
	} {
		from := map[string]string{}
		for _, f := range files {
			if f.Only == "" || f.Only == kind {
				if from[f.To] != "" {
					t.Errorf("%s: %s twice", kind, f.To)
				}
				from[f.To] = f.From
			}
		}
		for to, want := range map[string]string{
			zsh: "completions/_kamal-op",
			"/usr/share/bash-completion/completions/kamal-op":    "completions/kamal-op.bash",
			"/usr/share/fish/vendor_completions.d/kamal-op.fish": "completions/kamal-op.fish",
			"/usr/bin/kamal-op": "kamal-op",
		} {
			if from[to] != filepath.Join("tree", want) {
				t.Errorf("%s: %s is %q, not %s", kind, to, from[to], want)
			}
		}
		if from["/usr/share/man/man1/kamal-op.1.gz"] != "tree.1.gz" || len(from) != 9 {
			t.Errorf("%s: %q", kind, from)
		}
	}
}

func TestCompress_sameBytesForEverybody(t *testing.T) {
	one, err := compress([]byte("a page"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != "a page" || !r.ModTime.IsZero() || r.Name != "" {
		t.Errorf("%q, %v, of %s, %q", text, err, r.ModTime, r.Name)
	}
}
