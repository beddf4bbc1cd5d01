package gate_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// Mask commands hold the values: they are for a runner, and not printed where a
// program of the same job is seen to read them, as tee is behind a |.
func TestTellsRunner_RefusesWhereAProgramOfTheJobReads(t *testing.T) {
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
				copied, err := cat.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cat.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = cat.Wait() }()
				// A process has its environment a moment after it has its program.
				if _, err := writer.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(copied, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
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

// We are of the job ourselves, and so is who started us, who may keep the other end of
// our pipe open: neither reads it. What stands in a process's environment is what it was
// started with.
func TestTellsRunner_OfOurselvesNobodyReads(t *testing.T) {
	const ofJob = "GATE_TEST_OF_JOB"
	if os.Getenv(ofJob) == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		again := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
		again.Env = append(os.Environ(), ofJob+"=1", "GITHUB_RUN_ID=42")
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = reader.Close(), writer.Close() }()
	g := gate.New(gate.Options{Env: map[string]string{"GITHUB_RUN_ID": "42"}, Stderr: writer})
	if by, tells := g.Stderr().TellsRunner(); !tells {
		t.Errorf("%q reads", by)
	}
}
