package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// An outcome is what became of a mutant.
type outcome string

const (
	killed     outcome = "killed"      // a test failed
	lived      outcome = "lived"       // all passed
	notCovered outcome = "not covered" // all passed, and no test comes to it
	notViable  outcome = "not viable"  // it does not compile
)

// A trial runs the tests of one package with changes in its source.
type trial struct {
	dir  string        // of the package
	work string        // where the changed source lies
	time time.Duration // that the tests are given
}

// newTrial runs the tests as they are: they must pass, and what they take tells how
// long to wait for those of a mutant.
func newTrial(dir, work string) (*trial, error) {
	t := &trial{dir: dir, work: work, time: 10 * time.Minute}
	began := time.Now()
	result, out, err := t.test("")
	if err != nil {
		return nil, err
	}
	if result != lived {
		return nil, fmt.Errorf("its tests do not pass as they are:\n%s", out)
	}
	t.time = 3*time.Since(began) + 10*time.Second
	return t, nil
}

// run makes a change and runs the tests with it.
func (t *trial) run(m mutant) (outcome, error) {
	path, err := filepath.Abs(filepath.Join(t.dir, m.file))
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	changed, err := m.apply(source)
	if err != nil {
		return "", err
	}
	copied := filepath.Join(t.work, m.file)
	if err := os.WriteFile(copied, changed, 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: copied}})
	if err != nil {
		return "", err
	}
	listed := filepath.Join(t.work, "overlay.json")
	if err := os.WriteFile(listed, overlay, 0o600); err != nil {
		return "", err
	}
	result, _, err := t.test(listed)
	return result, err
}

// test builds the tests with an overlay of the source, and runs them.
func (t *trial) test(overlay string) (outcome, []byte, error) {
	binary := filepath.Join(t.work, "mutant.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+overlay, "-o", binary, "./"+filepath.Clean(t.dir)).CombinedOutput(); err != nil {
		return notViable, out, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.time)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.short", "-test.failfast", "-test.count=1")
	cmd.Dir = t.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// Its own children go with it, and none of them keeps us waiting.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return lived, out.Bytes(), nil
	case ctx.Err() != nil, errors.As(err, &exit), errors.Is(err, exec.ErrWaitDelay):
		return killed, out.Bytes(), nil
	}
	return "", nil, err
}
