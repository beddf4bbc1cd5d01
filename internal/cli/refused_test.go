package cli

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestMain_TellsWhatTheSystemRefused: a process whose memory others can read says so,
// and goes on.
func TestMain_TellsWhatTheSystemRefused(t *testing.T) {
	var out, errs bytes.Buffer
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	status := Main(Process{
		Name: "kamal-op", Args: []string{"version"}, Dir: t.TempDir(), Stdin: stdin, Stdout: &out, Stderr: &errs,
		Refused: []error{errors.New("the system refused a setting")},
	})
	if status != 0 || strings.Count(errs.String(), "the system refused a setting") != 1 {
		t.Errorf("status %d, said %q", status, errs.String())
	}
}
