package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The environment of these tests; the Makefile sets it.
const (
	envAsked  = "KAMAL_OP_E2E"        // anything: run them
	envBinary = "KAMAL_OP_E2E_BINARY" // the built binary, static
	envKamal  = "KAMAL_OP_E2E_KAMAL"  // image: Kamal and what it needs
	envHost   = "KAMAL_OP_E2E_HOST"   // image: e2e/host
	envAction = "KAMAL_OP_E2E_ACTION" // image: the action's
	envAct    = "KAMAL_OP_E2E_ACT"    // the program act
)

// proxyImage is what Kamal 2.12 boots as its proxy.
const proxyImage = "basecamp/kamal-proxy:v0.9.2"

// ownLabel marks every container of these tests with the process that made it.
const ownLabel = "kamal-op.e2e"

// A rig is what all tests of one run share: it is built when the first test
// needs it and torn down after the last.
type rig struct {
	binary string
	dir    string // the sample app, built

	registry *registry
	lanes    lanes
}

var (
	theRig  *rig
	rigOnce sync.Once
	errRig  error
)

func TestMain(m *testing.M) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		// A test run that is ended from outside takes its containers with it.
		<-signals
		tearDown()
		os.Exit(1)
	}()
	status := m.Run()
	tearDown()
	os.Exit(status)
}

func tearDown() {
	if theRig != nil {
		for _, l := range theRig.lanes.all {
			for _, s := range l.servers {
				// An engine that is killed leaves the cgroups of its containers.
				_, _ = s.exec("sh", "-c", "docker ps --all --quiet | xargs -r docker rm --force")
			}
		}
		sweep(os.Getpid())
		os.RemoveAll(theRig.dir)
	}
}

// start is the first thing of every test here: it skips where the tests were not
// asked for, and gives the rig. Two run side by side, in lanes of their own.
func start(t *testing.T) *rig {
	t.Helper()
	if os.Getenv(envAsked) == "" {
		t.Skip("not asked for: make test (or make e2e) sets " + envAsked)
	}
	rigOnce.Do(func() { theRig, errRig = newRig() })
	if errRig != nil {
		t.Fatal(errRig)
	}
	return theRig
}

func newRig() (*rig, error) {
	for _, name := range []string{envBinary, envKamal, envHost, envAction, envAct} {
		if os.Getenv(name) == "" {
			return nil, fmt.Errorf("%s is not set: run make e2e", name)
		}
	}
	binary, err := filepath.Abs(os.Getenv(envBinary))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kamal-op-e2e.")
	if err != nil {
		return nil, err
	}
	r := &rig{binary: binary, dir: dir, lanes: lanes{held: map[string]*lane{}}}
	theRig = r // so that TestMain clears up what a failing start leaves
	sweepDead()
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "app"), "./app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the sample app: %w\n%s", err, out)
	}
	if r.registry, err = startRegistry("e2e"); err != nil {
		return nil, err
	}
	return r, nil
}

// docker runs the docker CLI and gives its trimmed output.
func docker(args ...string) (string, error) {
	return dockerInput("", args...)
}

func dockerInput(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w\n%s", strings.Join(args[:min(len(args), 3)], " "), err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

func mustDocker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := docker(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// label is the argument that marks a container as this process's.
func label() string { return ownLabel + "=" + strconv.Itoa(os.Getpid()) }

// sweep removes the containers of one test process, with their volumes.
func sweep(pid int) {
	out, err := docker("ps", "-aq", "--filter", "label="+ownLabel+"="+strconv.Itoa(pid))
	if err != nil || out == "" {
		return
	}
	if _, err := docker(append([]string{"rm", "-fv"}, strings.Fields(out)...)...); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// sweepDead removes what test processes left that are no more. A process that
// still lives keeps its containers: two runs may share an engine.
func sweepDead() {
	out, err := docker("ps", "-a", "--filter", "label="+ownLabel, "--format", `{{.Label "`+ownLabel+`"}}`)
	if err != nil {
		return
	}
	for _, field := range strings.Fields(out) {
		pid, err := strconv.Atoi(field)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			sweep(pid)
		}
	}
}

// eventually waits for what to become true.
func eventually(limit time.Duration, what func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := what()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
