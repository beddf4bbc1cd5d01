package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func tree() fstest.MapFS {
	page := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return fstest.MapFS{
		"README.md":   page("[first](docs/first.md#a) [schema](docs/schema/s.json) [source](main.go)\n```\n[no](docs/first.md)\n```\n"),
		"SECURITY.md": page("security\n"), "CONTRIBUTING.md": page("[home](README.md)\n"), "CHANGELOG.md": page("log\n"),
		"docs/first.md":      page("[home](../README.md) [ci](ci/README.md) [launcher](../native/launch.js#L1) [web](https://example.com/a.md)\n"),
		"docs/ci/README.md":  page("[first](../first.md#a) [here](#b)\n"),
		"docs/schema/s.json": page("[as](it.md)\n"),
	}
}

func TestWrite_LinksAreThoseOfTheTree(t *testing.T) {
	out := t.TempDir()
	if err := write(tree(), out); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"index.md":        "[first](first.md#a) [schema](schema/s.json) [source](" + repository + "main.go)\n```\n[no](docs/first.md)\n```\n",
		"contributing.md": "[home](index.md)\n",
		"first.md":        "[home](index.md) [ci](ci/README.md) [launcher](" + repository + "native/launch.js#L1) [web](https://example.com/a.md)\n",
		"ci/README.md":    "[first](../first.md#a) [here](#b)\n",
		"schema/s.json":   "[as](it.md)\n",
	} {
		got, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(name)))
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
		}
	}
}

func TestIndent(t *testing.T) {
	for text, want := range map[string]string{
		"so:\n- a\n  more\n- b\n\nend":                  "so:\n\n- a\n    more\n- b\n\nend",
		"1. a:\n\n   ```sh\n   x\n     y\n   ```\n2. b": "1. a:\n\n    ```sh\n    x\n      y\n    ```\n2. b",
		"```\nso:\n- a\n  b\n```":                       "```\nso:\n- a\n  b\n```",
	} {
		if got := indent(text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
}

func TestFollow_TellsWhatIsBroken(t *testing.T) {
	site := t.TempDir()
	page := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(site, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	page("index.html", `<a class="x" href="a.html#one">`)
	page("a.html", `<h2 id="one"><a href=".">home</a><a href="#one">`)
	if err := follow(nil, site); err != nil {
		t.Fatal(err)
	}
	page("index.html", `<a href="a.html#two"><a href="b.html"><a href="#three">`)
	err := follow(nil, site)
	for _, want := range []string{"a.html#two: the page has no such heading", "b.html: there is no such page", "#three: the page"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}

// Every page of the site stands in its list of pages.
func TestPages_AreInTheNavigation(t *testing.T) {
	all, err := places(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	config, err := fs.ReadFile(os.DirFS("."), "mkdocs.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range all {
		if strings.HasSuffix(place, ".md") && !strings.Contains(string(config), ": "+place+"\n") {
			t.Errorf("%s is not in build/site/mkdocs.yml", place)
		}
	}
}
