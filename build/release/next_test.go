package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNext: what the next version of a module breaks is said in words, each by itself, and
// a job that has found something is red.
func TestNext(t *testing.T) {
	const guard, sdk, program = "^TestCacheGuard ", "-skip", "^TestServiceAccount_"
	for name, test := range map[string]struct {
		latest string
		fails  []string // what of a command of go's makes it fail
		code   int
		want   []string
		not    []string
	}{
		"nothing new":      {latest: "v1.0.0", want: []string{"There is no newer example.com/m than v1.0.0."}, not: []string{"builds"}},
		"all holds":        {latest: "v1.1.0", want: []string{"### example.com/m v1.1.0 in the place of v1.0.0", "✓ It builds", "✓ The core is kept", "✓ What the SDK", "✓ The program itself"}, not: []string{"✗"}},
		"the guard alone":  {latest: "v1.1.0", fails: []string{guard}, code: 1, want: []string{"✓ It builds", "✗ The core is not kept compiled", "corecache.go", "✓ What the SDK", "✓ The program itself"}},
		"the rest as well": {latest: "v1.1.0", fails: []string{guard, sdk, program}, code: 1, want: []string{"✗ The core", "✗ 1Password's SDK answers otherwise", "✗ The program itself does not read"}},
		"no build":         {latest: "v1.1.0", fails: []string{"build "}, code: 1, want: []string{"✗ It does not build"}, not: []string{"The core"}},
		"no such version":  {latest: "v1.1.0", fails: []string{"get "}, code: 1, want: []string{"✗ The newest example.com/m cannot be taken"}, not: []string{"builds"}},
		"no tidy":          {latest: "v1.1.0", fails: []string{"tidy "}, code: 1, want: []string{"✗ The newest example.com/m cannot be taken"}, not: []string{"builds"}},
		"a vet that fails": {latest: "v1.1.0", fails: []string{"vet "}, code: 1, want: []string{"✓ It builds", "✗ go vet"}, not: []string{"The core"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var cases string
			for _, word := range test.fails {
				cases += "case \"$* \" in *'" + word + "'*) exit 1 ;; esac\n"
			}
			script := "#!/bin/sh\ncase $1 in\nlist) cat '" + dir + "/version'; exit ;;\nget) echo " + test.latest + " >'" + dir + "/version' ;;\nesac\n" + cases
			for file, text := range map[string]string{"go": script, "version": "v1.0.0\n"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "bash", "../next.sh", "example.com/m")
			summary := filepath.Join(dir, "summary")
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "GITHUB_STEP_SUMMARY="+summary)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != test.code {
				t.Errorf("%v, want %d\n%s", err, test.code, out)
			}
			told, _ := os.ReadFile(summary) // of one that is not there nothing is told, which is the error below
			for _, text := range []string{string(out), string(told)} {
				for _, word := range test.want {
					if !strings.Contains(text, word) {
						t.Errorf("%q is not told in\n%s", word, text)
					}
				}
				if slices.ContainsFunc(test.not, func(word string) bool { return strings.Contains(text, word) }) {
					t.Errorf("one of %q is told in\n%s", test.not, text)
				}
			}
		})
	}
}
