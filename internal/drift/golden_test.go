package drift

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

var update = flag.Bool("update", false, "write what the reports say now into the golden files")

// TestProjects checks every small project in testdata/projects: a txtar archive
// whose files are the project and whose last file, report, is what is expected.
// A file "vault" lists what the vault has, vault/item/field = value a line; a
// project without one is checked offline. A file "declared" lists declared names.
func TestProjects(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "projects", "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no projects: %v", err)
	}
	for _, name := range names {
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
			o.Vault = parseVault(t, string(file.Data))
			continue
		case "declared":
			o.Declared = strings.Fields(string(file.Data))
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
	} else if err := WriteText(&out, report, false); err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Level == Error && f.Problem.Place.Line == 0 {
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

// testVault answers from a list. What is not in it is not there; an item that no
// project may ask for does not exist, so nothing is answered by accident.
type testVault struct {
	items map[string]*onepassword.Item // vault/item, lower case
	names []string
}

func parseVault(t *testing.T, text string) *testVault {
	t.Helper()
	v := &testVault{items: map[string]*onepassword.Item{}}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		path, value, ok := strings.Cut(line, " = ")
		parts := strings.Split(path, "/")
		if !ok || len(parts) != 3 {
			t.Fatalf("vault: %q is not vault/item/field = value", line)
		}
		key := strings.ToLower(parts[0] + "/" + parts[1])
		if v.items[key] == nil {
			v.items[key] = &onepassword.Item{Title: parts[1]}
		}
		known := false
		for _, n := range v.names {
			known = known || n == parts[0]
		}
		if !known {
			v.names = append(v.names, parts[0])
		}
		v.items[key].Fields = append(v.items[key].Fields, onepassword.Field{Label: parts[2], Value: mask.NewSecret(parts[2], value)})
	}
	return v
}

func (v *testVault) Prefetch(context.Context, ...onepassword.Reference) error { return nil }

func (v *testVault) Item(_ context.Context, vault, item string) (*onepassword.Item, error) {
	if found := v.items[strings.ToLower(vault+"/"+item)]; found != nil {
		return found, nil
	}
	return nil, problem.New("the vault "+vault+" has no item "+item, "look at its title in 1Password")
}

func (v *testVault) Vaults(context.Context) ([]onepassword.Vault, error) {
	if v.names == nil {
		return nil, errors.New("no vaults")
	}
	var vaults []onepassword.Vault
	for _, name := range v.names {
		vaults = append(vaults, onepassword.Vault{ID: strings.ToLower(name), Name: name})
	}
	return vaults, nil
}
