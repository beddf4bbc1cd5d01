package check

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

var update = flag.Bool("update", false, "write what the reports say now into the golden files")

// TestProjects checks every small project in testdata/projects: a txtar archive
// whose files are the project and whose last file, report, is what is expected.
// A file "vault" lists what the vault has, vault/item/field = value a line; a
// project without one is checked offline. A file "declared" lists declared names.
func TestProjects(t *testing.T) {
	for _, name := range testkit.Projects(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { testProject(t, name) })
	}
}

func testProject(t *testing.T, name string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := Options{Dir: dir}
	want, at := "", -1
	for i, file := range archive.Files {
		switch file.Name {
		case "report":
			want, at = string(file.Data), i
			continue
		case "vault":
			o.Vault = testkit.ParseVault(t, string(file.Data))
			continue
		case "declared":
			for _, line := range strings.Fields(string(file.Data)) {
				name, reference, _ := strings.Cut(line, "=")
				d := Declared{Name: name, Origin: "--secret"}
				if reference != "" {
					var err error
					if d.Ref, err = onepassword.ParseReference(reference); err != nil {
						t.Fatal(err)
					}
				}
				o.Declared = append(o.Declared, d)
			}
			continue
		}
		path := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	report, err := Check(context.Background(), o)
	if err != nil {
		for _, p := range problem.Of(err) {
			out.WriteString("cannot check: " + p.Error() + "\n")
		}
	} else if err := WriteText(&out, report, false, 0); err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Level == Error && f.Problem.Place.File != "" && f.Problem.Place.Line == 0 {
			t.Errorf("%s has no line", f.Rule)
		}
	}
	if *update {
		if at < 0 {
			archive.Files = append(archive.Files, txtar.File{Name: "report"})
			at = len(archive.Files) - 1
		}
		archive.Files[at].Data = out.Bytes()
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
