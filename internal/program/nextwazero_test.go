//go:build linux && !race

package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

// TestServiceAccount_AnotherWazero: a program that was built with another wazero than the
// cache was written for says so where it is asked for a compiled core, and otherwise does
// its work: it compiles the core, which takes longer.
func TestServiceAccount_AnotherWazero(t *testing.T) {
	if !longrun.Asked() {
		t.Skip("it compiles the program and the core: make test-long")
	}
	const wazero = "github.com/tetratelabs/wazero"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", wazero).Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, more := range map[string]string{"go.mod": "\nreplace " + wazero + " => " + strings.TrimSpace(string(out)) + "\n", "go.sum": ""} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), append(text, more...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "kamal-op")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-modfile", filepath.Join(dir, "go.mod"), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := startAccountStage(t, program, []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{{Title: "Production", Fields: []standin.FieldSpec{{Label: "A", Value: "the value of A"}}}}}})
	if code, _, stderr := s.run(nil, "cache", "warm", s.path("core")); code != 3 || !strings.Contains(stderr, "this build cannot cache the core: wazero is not what the cache was written for") {
		t.Errorf("cache warm: %d, %s", code, stderr)
	}
	code, stderr := 0, ""
	for range 5 { // a busy machine may not compile it in the time that 1Password is waited for
		code, _, stderr = s.run(s.overCloud(), "run", "--secret", "A=op://MyApp/Production/A", "--", "sh", "-c", `printf %s "$A" >value`)
		if code == 0 || !strings.Contains(stderr, "was not compiled in time") {
			break
		}
	}
	value, err := os.ReadFile(s.path("value"))
	if code != 0 || err != nil || string(value) != "the value of A" {
		t.Errorf("run: %d, %q (%v)\n%s", code, value, err, stderr)
	}
}
