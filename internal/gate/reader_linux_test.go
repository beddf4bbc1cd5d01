package gate_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// Mask commands hold the values: they are for a runner, and not printed where a
// program of the same job is seen to read them, as tee is behind a |.
func TestTellsRunner_NotWhereAProgramOfTheJobReads(t *testing.T) {
	for name, test := range map[string]struct {
		env   string // of the reader
		tells bool
	}{
		"a program of the job":      {"GITHUB_RUN_ID=42", false},
		"a program of another job":  {"GITHUB_RUN_ID=421", true},
		"a program of Azure's job":  {"BUILD_BUILDID=42", false},
		"a runner":                  {"RUNNER=1", true},
		"nobody but who started us": {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reader.Close() }()
			if test.env != "" {
				cat := exec.CommandContext(t.Context(), "cat")
				cat.Stdin, cat.Env = reader, []string{"PATH=" + os.Getenv("PATH"), test.env}
				if err := cat.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = cat.Wait() }()
			}
			defer func() { _ = writer.Close() }()
			env := map[string]string{"GITHUB_RUN_ID": "42"}
			if strings.HasPrefix(test.env, "BUILD") {
				env = map[string]string{"BUILD_BUILDID": "42"}
			}
			g := gate.New(gate.Options{Env: env, Stderr: writer})
			by, tells := g.Stderr().TellsRunner()
			if tells != test.tells || !tells && by != "cat" {
				t.Errorf("%q reads, and the runner is told: %v", by, tells)
			}
		})
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if by, tells := gate.New(gate.Options{Stderr: f}).Stderr().TellsRunner(); tells || by != "a file" {
		t.Errorf("%q reads, and the runner is told: %v", by, tells)
	}
}
