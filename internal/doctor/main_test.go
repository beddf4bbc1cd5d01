package doctor

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks, once all tests have run, whether each of doctor's checks has failed in
// one of them: a check that cannot fail is none.
func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if some := flag.Lookup("test.run").Value.String() + flag.Lookup("test.skip").Value.String(); status == 0 && some == "" && flag.Lookup("test.list").Value.String() == "" {
			if unfailed := neverFailed(); len(unfailed) > 0 {
				fmt.Printf("no test has seen these fail: %s\n", strings.Join(unfailed, ", "))
				status = 1
			}
		}
		os.Exit(status)
	}))
}

// failures are the checks that were seen to fail, by area and name. Who reads this because
// a new check is told: write a test in which it finds a problem, or has a notice.
var failures sync.Map

// neverFailed are the checks of which the code makes findings, and that no test saw fail.
func neverFailed() (unfailed []string) {
	for _, name := range checksMade() {
		if _, failed := failures.Load(name); !failed {
			unfailed = append(unfailed, name)
		}
	}
	return unfailed
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// looked is what a check finds, a line each: its state, what it is about, its text.
func looked(t *testing.T, c Check) (lines []string) {
	t.Helper()
	for _, f := range c.look(t.Context()) {
		if f.Area != c.Area || f.Check == "" || f.Text == "" {
			t.Errorf("a finding of %s is not whole: %+v", c.Name, f)
		}
		if f.State == Wrong && f.Hint == "" {
			t.Errorf("there is no hint to %q", f.Text)
		}
		if f.State == Wrong || f.State == Notice {
			failures.Store(f.Area+"/"+f.Check, true)
		}
		line := string(f.State) + " " + f.Text
		if f.About != "" {
			line = string(f.State) + " " + f.About + ": " + f.Text
		}
		lines = append(lines, line)
	}
	return lines
}

// holds tells whether there is a line with the text.
func holds(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) })
}

// answers is a question that has its answer.
func answers[T any](value T, err error) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return value, err }
}

// programs makes a directory with some of the machine's programs and with scripts, to
// be a whole PATH: what is not in it is not there.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sh", "uname", "date", "df", "tail", "tr", "cat", "echo"} {
		path, err := exec.LookPath(name)
		must(t, err)
		must(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	for name, text := range scripts {
		path := filepath.Join(dir, name)
		_ = os.Remove(path) // in place of the machine's
		must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	}
	return dir
}
