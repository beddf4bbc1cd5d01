package coretest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

// builtWithAnother builds this package's tests against a wazero of which some files
// say other words.
func builtWithAnother(t *testing.T, words map[string][]string) string {
	t.Helper()
	dir := t.TempDir()
	wazero := filepath.Join(dir, "wazero")
	copyWazero(t, wazero)
	for name, pairs := range words {
		file := filepath.Join(wazero, name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(string(text), pairs[i]) {
				t.Fatalf("wazero's %s does not say %q: look at corecache.go anew", name, pairs[i])
			}
		}
		write(t, file, strings.NewReplacer(pairs...).Replace(string(text)))
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			text = append(text, "\nreplace github.com/tetratelabs/wazero => "+wazero+"\n"...)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	program := filepath.Join(dir, "program")
	// With -trimpath what is not changed is compiled once for all.
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-trimpath", "-o", program, "-modfile", filepath.Join(dir, "go.mod"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// copyWazero copies what is compiled of wazero.
func copyWazero(t *testing.T, to string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	from := strings.TrimSpace(string(out))
	err = filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if ext := filepath.Ext(path); strings.HasSuffix(path, "_test.go") || ext != ".go" && ext != ".s" && ext != ".mod" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		write(t, to+strings.TrimPrefix(path, from), string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The cache hangs on names inside wazero. Where the next version has others, the core
// is compiled as ever: the run takes longer and says nothing wrong.
func TestCache_AnotherWazero(t *testing.T) {
	dir := private(t)
	if warmed := elsewhere(t, job{Do: "warm", Dirs: []string{dir}}); warmed.Err != "" {
		t.Fatalf("warming: %+v", warmed)
	}
	for name, test := range map[string]struct {
		words map[string][]string
		from  string
		long  bool // each is half a minute of compiling
	}{
		"the same":              {map[string][]string{"config.go": {"avoid copy/pasting", "avoid copying"}}, dir, true},
		"another variable":      {map[string][]string{"config.go": {"engineLessConfig", "defaultConfig"}}, "", false},
		"another field":         {map[string][]string{"config.go": {"cache                 CompilationCache", "compiled CompilationCache", "ret.cache = ca", "ret.compiled = ca"}, "runtime.go": {"config.cache;", "config.compiled;"}}, "", true},
		"another kind of files": {map[string][]string{"cache.go": {"fileCache", "files"}}, "", true},
	} {
		if test.long && !longrun.Asked() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			program := builtWithAnother(t, test.words)
			if got := runBy(t, program, job{Do: "load", Dirs: []string{dir}}); got.Err != "" || got.From != test.from {
				t.Errorf("%+v, want the core from %q", got, test.from)
			}
			if test.from != "" {
				return
			}
			if got := runBy(t, program, job{Do: "warm", Dirs: []string{private(t)}}); !strings.Contains(got.Err, "wazero is not what the cache was written for") {
				t.Errorf("warming it says %q", got.Err)
			}
		})
	}
}
