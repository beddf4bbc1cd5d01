package cli

import (
	"bytes"
	"errors"
	"os"
	"slices"
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

// What the program was started with is overwritten where the system shows it: our
// credentials and inputs at once, what is named as env://NAME as soon as it is. Where
// that is refused, it is said once.
func TestMain_ForgetsWhatItWasStartedWith(t *testing.T) {
	run := func(refused error) (forgotten []string, said string) {
		t.Helper()
		var out, errs bytes.Buffer
		stdin, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		env := []string{"LOADED=value-of-a-step", "OP_CONNECT_TOKEN=t", "INPUT_X=x", "KAMAL_OP_GITHUB_TOKEN=g", "OTHER=o", "PATH=" + os.Getenv("PATH")}
		Main(Process{
			Name: "kamal-op", Args: []string{"config", "--secret=A=env://LOADED"}, Env: env, Dir: t.TempDir(), Stdin: stdin, Stdout: &out, Stderr: &errs,
			Forget: func(names func(string) bool) error {
				for _, entry := range env {
					if name, _, _ := strings.Cut(entry, "="); names(name) && !slices.Contains(forgotten, name) {
						forgotten = append(forgotten, name)
					}
				}
				return refused
			},
		})
		return forgotten, errs.String()
	}
	got, said := run(nil)
	if want := []string{"OP_CONNECT_TOKEN", "INPUT_X", "KAMAL_OP_GITHUB_TOKEN", "LOADED"}; !slices.Equal(got, want) || strings.Contains(said, "!") {
		t.Errorf("forgotten are %q, said is %q", got, said)
	}
	if _, said := run(errors.New("the system keeps it")); strings.Count(said, "the system keeps it") != 1 {
		t.Errorf("said is %q", said)
	}
}
