package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A build for Windows ends at once, with words, and not in the middle with calls that
// Windows does not have.
func TestBuildForWindows_namesWSL(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), "kamal-op"), ".")
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "kamal_op_does_not_run_on_Windows_use_WSL") {
		t.Errorf("building for Windows: %v\n%s", err, out)
	}
}
