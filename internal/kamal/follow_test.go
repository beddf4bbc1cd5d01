package kamal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const followed = "Log\n\x1b[35mBuild and push app image...\x1b[0m\n  INFO [1] Running docker login\nRunning the pre-deploy hook...\n" +
	"Running the \nAcquiring the deploy lock...\r\nBuild and pray\nBoot accessory shop-db...\n  INFO [2] Running docker run\nBoot accessory \nStart container with version abc (or reboot if already running)...\n" +
	"a prompt: Build and push app image...\nReleasing the deploy lock...\nPrune old"

// The output must be the same however it comes, and a phase must be told before
// its line is passed on.
func TestFollower_ReadsWholeLinesAndPieces(t *testing.T) {
	want := []string{"build and push", "hook pre-deploy", "deploy lock", "accessory shop-db", "boot"}
	for _, size := range []int{len(followed), 1, 3, 7, 64} {
		var out bytes.Buffer
		var phases, before []string
		f := NewFollower(&out, func(phase string) {
			phases = append(phases, phase)
			lines := strings.Split(out.String(), "\n")
			before = append(before, lines[len(lines)-1])
		})
		for text := followed; text != ""; {
			n := min(size, len(text))
			if _, err := f.Write([]byte(text[:n])); err != nil {
				t.Fatal(err)
			}
			text = text[n:]
		}
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != followed {
			t.Errorf("in pieces of %d the output is %q", size, out.String())
		}
		if f.Version() != "abc" {
			t.Errorf("in pieces of %d the version is %q", size, f.Version())
		}
		if diff := cmp.Diff(want, phases); diff != "" {
			t.Errorf("in pieces of %d: %s", size, diff)
		}
		for _, line := range before {
			if line != "" {
				t.Errorf("in pieces of %d a phase was told in the middle of the line %q", size, line)
			}
		}
	}
}

func TestFollower_HoldsNothingBackThatIsNoHeadline(t *testing.T) {
	var out bytes.Buffer
	f := NewFollower(&out, func(string) {})
	for _, prompt := range []string{"root@host's password: ", "\nAre you sure? ", "\n  INFO x"} {
		out.Reset()
		if _, err := f.Write([]byte(prompt)); err != nil {
			t.Fatal(err)
		}
		if out.String() != prompt {
			t.Errorf("of %q only %q was passed on", prompt, out.String())
		}
	}
}
