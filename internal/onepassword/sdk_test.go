package onepassword

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The hash that `version --json` tells is that of the core which is linked.
func TestCoreSHA256(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", SDKModule).Output()
	if err != nil {
		t.Fatal(err)
	}
	core, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal", "wasm", "core.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(core)
	if got := hex.EncodeToString(sum[:]); got != CoreSHA256 {
		t.Errorf("the core of the SDK is %s: put that into sdk.go", got)
	}
}
