//go:build unix

package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestPersonsOp: in a terminal without a token secrets come through the person's
// own op, each call of it once; in CI and without a terminal it is not touched.
func TestPersonsOp(t *testing.T) {
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		t.Fatal(err)
	}
	value := newValue()
	digest := sha256.Sum256([]byte(value))
	vaultID, itemID := strings.Repeat("v", 26), strings.Repeat("i", 26)
	bin := t.TempDir()
	calls := filepath.Join(bin, "calls")
	item := fmt.Sprintf(`{"id":%q,"title":"Production","vault":{"id":%q},"category":"LOGIN","fields":[{"id":"a","type":"CONCEALED","label":"A","value":%q}]}`, itemID, vaultID, value)
	// It refuses what op's app would: a token in its environment, an unknown call; and it
	// is to have the session that the person has signed in to, and nothing else of ours.
	script := `#!/bin/sh
[ -z "$OP_SERVICE_ACCOUNT_TOKEN$OP_CONNECT_HOST$OP_CONNECT_TOKEN$KAMAL_OP_X$INPUT_X" ] && [ "$OP_SESSION_x" = signed-in ] || exit 9
echo "$*" >> ` + calls + `
case "$*" in
"vault list --format json") echo '[{"id":"` + vaultID + `","name":"MyApp"}]';;
"item list --vault ` + vaultID + ` --format json") echo '[{"id":"` + itemID + `","title":"Production"}]';;
"item get - --reveal --format json") cat > /dev/null; echo '` + item + `';;
*) echo "[ERROR] 2024/01/02 03:04:05 unknown command" >&2; exit 1;;
esac
`
	if err := os.WriteFile(filepath.Join(bin, "op"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(terminal bool, env ...string) (output string, status int, asked string) {
		t.Helper()
		if err := os.RemoveAll(calls); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), program, "run", "--secret", "A=op://MyApp/Production/A", "--",
			"sh", "-c", `echo "it is $A$OP_SESSION_x"; printf %s "$A" | sha256sum`)
		cmd.Env = append([]string{"PATH=" + bin + ":/usr/bin:/bin", "TERM=xterm", "TMPDIR=" + t.TempDir(), "OP_SESSION_x=signed-in", "KAMAL_OP_X=1", "INPUT_X=1"}, env...)
		var out []byte
		if terminal {
			keys, err := pty.Start(cmd)
			if err != nil {
				t.Fatalf("no pty here: %v", err)
			}
			out, _ = io.ReadAll(keys) // EIO is the end of a terminal
			_ = cmd.Wait()
		} else {
			out, _ = cmd.CombinedOutput()
		}
		text, _ := os.ReadFile(calls)
		return string(out), cmd.ProcessState.ExitCode(), string(text)
	}

	output, status, asked := run(true)
	if status != 0 || !strings.Contains(output, hex.EncodeToString(digest[:])) || !strings.Contains(output, "it is ***") {
		t.Errorf("status %d\n%s", status, strings.ReplaceAll(output, value, "LEAKED"))
	}
	if strings.Contains(output, value) || strings.Contains(output, "signed-in") {
		t.Error("the value or the session is in the output")
	}
	if n := strings.Count(asked, "\n"); n != 3 {
		t.Errorf("op was called %d times:\n%s", n, asked)
	}
	// An empty token, as a CI without the secret hands it over, is none.
	if output, status, _ := run(true, "OP_SERVICE_ACCOUNT_TOKEN=", "OP_CONNECT_HOST="); status != 0 {
		t.Errorf("with an empty token: status %d\n%s", status, output)
	}
	for name, test := range map[string]struct {
		terminal bool
		env      []string
	}{
		"no terminal":        {terminal: false},
		"CI":                 {true, []string{"CI=true"}},
		"GitHub":             {true, []string{"GITHUB_ACTIONS=true"}},
		"GitLab":             {true, []string{"GITLAB_CI=true", "CI=true"}},
		"a Connect server's": {true, []string{"OP_CONNECT_HOST=http://127.0.0.1:1", "OP_CONNECT_TOKEN=" + strings.Repeat("x", 40)}},
	} {
		if output, status, asked := run(test.terminal, test.env...); status != 125 || asked != "" {
			t.Errorf("%s: status %d, op was asked %q\n%s", name, status, asked, output)
		}
	}

	// An op that lies in the project is no person's, whatever PATH says.
	t.Chdir(bin)
	if output, status, asked := run(true, "PATH=:.:/usr/bin:/bin"); status != 125 || asked != "" {
		t.Errorf("the project's op: status %d, it was asked %q\n%s", status, asked, output)
	}
}
