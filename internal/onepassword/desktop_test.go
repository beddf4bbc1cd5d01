package onepassword_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// fakeOp writes an op that answers what the test tells it and notes its arguments;
// what it was not told it refuses.
func fakeOp(t *testing.T, cases string) (backend *onepassword.Desktop, calls func() string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$*\" >> " + dir + "/calls\ncase \"$*\" in\n" + cases + "\n*) echo \"[ERROR] 2024/01/02 03:04:05 unknown command\" >&2; exit 1;;\nesac\n"
	path := filepath.Join(dir, "op")
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	backend, err := onepassword.NewDesktop(onepassword.DesktopOptions{Op: path, Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	return backend, func() string {
		text, err := os.ReadFile(filepath.Join(dir, "calls"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestDesktop(t *testing.T) {
	item := func(name, value string) string {
		return fmt.Sprintf(`{"id":"%s","title":"%s","version":2,"vault":{"id":"%s","name":"MyApp"},"category":"SECURE_NOTE","created_at":"2024-01-01T00:00:00Z","sections":[{"id":"%s","label":"Data"}],"fields":[{"id":"%s","type":"CONCEALED","label":"A","value":"%s","reference":"op://MyApp/x/A"},{"id":"%s","section":{"id":"%s","label":"Data"},"type":"CONCEALED","label":"B","value":"in data"}]}`,
			id(name), name, id("v"), id("s"), id("a"), value, id("b"), id("s"))
	}
	backend, calls := fakeOp(t, `
"vault list --format json") echo '[{"id":"`+id("v")+`","name":"MyApp"}]';;
"item list --vault `+id("v")+` --format json") echo '[{"id":"`+id("one")+`","title":"one"},{"id":"`+id("two")+`","title":"two"}]';;
"item get - --reveal --format json") cat > /dev/null; cat <<'JSON'
`+item("two", `two\\n`)+`
`+item("one", "one")+`
JSON
;;
"environment read env") printf 'X=1\nY=a=b\n';;`)
	r := onepassword.NewResolver(backend, onepassword.Options{})
	got, err := r.Resolve(t.Context(), declare(t, "A=op://MyApp/one/A", "B=op://myapp/TWO/data/b", "C=op://MyApp/two/A"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"A": "one", "B": "in data", "C": `two\n`}, reveal(got)); d != "" {
		t.Error(d)
	}
	want := "vault list --format json\nitem list --vault " + id("v") + " --format json\nitem get - --reveal --format json\n"
	if d := cmp.Diff(want, calls()); d != "" {
		t.Error(d)
	}
	variables, err := r.Environment(t.Context(), "env")
	if err != nil || len(variables) != 2 || variables[1].Value.Reveal() != "a=b" {
		t.Errorf("%v, %v", variables, err)
	}
}

func TestDesktop_ReportsFailures(t *testing.T) {
	for said, want := range map[string]struct {
		text   string
		status int
	}{
		`echo '[ERROR] 2024/01/02 03:04:05 "MyApp" is locked' >&2; exit 1`: {`op vault list: "MyApp" is locked`, problem.Refused},
		`echo not json`: {"gave something else than JSON", problem.Refused},
		`echo '[ERROR] 2024/01/02 03:04:05 Too many requests' >&2; exit 1`: {"Too many requests", problem.Refused},
		`exec sleep 60`: {"in time", problem.Refused},
	} {
		backend, _ := fakeOp(t, `*) `+said+`;;`)
		deadline := 20 * time.Second
		if strings.Contains(said, "sleep") {
			deadline = 300 * time.Millisecond
		}
		r := onepassword.NewResolver(backend, onepassword.Options{Deadline: deadline})
		began := time.Now()
		_, err := r.Resolve(t.Context(), declare(t, "A=op://MyApp/one/A"))
		if err == nil || !strings.Contains(err.Error(), want.text) || problem.Status(err) != want.status {
			t.Errorf("%s: %v of status %d", said, err, problem.Status(err))
		}
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("%s: it took %v", said, took)
		}
	}
	if _, err := onepassword.NewDesktop(onepassword.DesktopOptions{}); err == nil {
		t.Error("an op without a path")
	}
}
