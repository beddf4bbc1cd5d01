package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/testkit"
)

// A machine is where a person or a CI job runs kamal-op: a container of the
// image that Kamal is in, on this machine's network, with the engine's socket,
// the binary and one project. It lives as long as the test, so that what a run
// leaves behind can be seen.
type machine struct {
	t       *testing.T
	id      string
	project *project
	before  state
}

// A result is how a command ended and all it said. Log is both streams in the
// order in which they arrived.
type result struct {
	Status              int
	Stdout, Stderr, Log string
}

// machine starts one in the project's directory.
func (r *rig) machine(t *testing.T, p *project) *machine {
	t.Helper()
	return r.machineOf(t, p, os.Getenv(envKamal))
}

// machineOf starts one of another image.
func (r *rig) machineOf(t *testing.T, p *project, image string) *machine {
	t.Helper()
	return r.machineOn(t, p, image, "host")
}

// machineOn starts one on a network.
func (r *rig) machineOn(t *testing.T, p *project, image, network string) *machine {
	t.Helper()
	id := mustDocker(t, "run", "--detach", "--init", "--label", label(), "--network", network,
		"--volume", "/var/run/docker.sock:/var/run/docker.sock",
		"--volume", r.binary+":/usr/local/bin/kamal-op:ro",
		"--volume", p.Dir+":"+p.Dir, "--workdir", p.Dir,
		"--entrypoint", "sleep", image, "infinity")
	m := &machine{t: t, id: id, project: p}
	t.Cleanup(func() {
		if os.Getuid() != 0 {
			// What was written as root belongs to whoever runs the tests, so that
			// the directory can be removed.
			mustDocker(t, "exec", id, "chown", "-R", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), p.Dir)
		}
		mustDocker(t, "rm", "-fv", id)
	})
	return m
}

// run runs a command with this environment added to the machine's, to its end.
func (m *machine) run(env map[string]string, args ...string) result {
	m.t.Helper()
	return m.start(env, "", args...).wait()
}

// A running command.
type running struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *bytes.Buffer
	log            *testkit.Buffer
	cancel         context.CancelFunc
}

func (m *machine) start(env map[string]string, stdin string, args ...string) *running {
	m.t.Helper()
	docker := []string{"exec", "--interactive"}
	var own []string
	// Values go by name through the client's environment: arguments can be read
	// by every process of the machine.
	for _, name := range slices.Sorted(maps.Keys(env)) {
		docker = append(docker, "--env", name)
		own = append(own, name+"="+env[name])
	}
	return begin(m.t, own, stdin, append(append(docker, m.id), args...))
}

// begin starts the docker client with an environment of its own.
func begin(t *testing.T, env []string, stdin string, args []string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	r := &running{
		t: t, cmd: exec.CommandContext(ctx, "docker", args...), cancel: cancel,
		stdout: new(bytes.Buffer), stderr: new(bytes.Buffer), log: new(testkit.Buffer),
	}
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stdin = strings.NewReader(stdin)
	r.cmd.Stdout = io.MultiWriter(r.stdout, r.log)
	r.cmd.Stderr = io.MultiWriter(r.stderr, r.log)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *running) wait() result {
	r.t.Helper()
	defer r.cancel()
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("%v\n%s", err, r.log)
	}
	res := result{Stdout: r.stdout.String(), Stderr: r.stderr.String(), Log: r.log.String()}
	if res.Status = r.cmd.ProcessState.ExitCode(); res.Status < 0 {
		r.t.Fatalf("not at its end after its time: %v\n%s", err, r.log)
	}
	return res
}

// A state is what can be left behind on a machine: files that its image does
// not have, and processes.
type state struct {
	files     map[string]bool
	processes map[string]bool
}

// look takes the machine's state. Kamal's clone of the project and git's index
// are Kamal's own, and hold nothing that the project does not.
func (m *machine) look() state {
	m.t.Helper()
	s := state{files: map[string]bool{}, processes: map[string]bool{}}
	for line := range strings.Lines(mustDocker(m.t, "diff", m.id)) {
		s.files[strings.TrimSpace(line)[2:]] = true
	}
	// Mounts are not part of the container's difference.
	for line := range strings.Lines(mustDocker(m.t, "exec", m.id, "find", "/dev/shm", "/run", m.project.Dir, "-path", "*/.git", "-prune", "-o", "-print")) {
		s.files[strings.TrimSpace(line)] = true
	}
	for line := range strings.Lines(mustDocker(m.t, "exec", m.id, "sh", "-c",
		`for p in /proc/[0-9]*; do [ "${p#/proc/}" = $$ ] || tr '\0' ' ' <"$p/cmdline" 2>/dev/null; echo; done`)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "tr ") {
			s.processes[line] = true
		}
	}
	return s
}

// remember is called before a run, leftBehind after it.
func (m *machine) remember() {
	m.t.Helper()
	m.before = m.look()
}

// leftBehind is what is there now and was not before the run.
func (m *machine) leftBehind() []string {
	m.t.Helper()
	after := m.look()
	var left []string
	for name := range after.files {
		if m.before.files[name] || ofKamal(name) {
			continue
		}
		left = append(left, name)
	}
	for line := range after.processes {
		if !m.before.processes[line] {
			left = append(left, "process "+line)
		}
	}
	slices.Sort(left)
	return left
}

// ofKamal are the files that plain Kamal leaves too, none of which holds a
// secret: its clone of the project, what docker and buildx remember of their
// builders, and directories that were only touched.
func ofKamal(name string) bool {
	if name == "/tmp" || name == "/root" || name == "/run" || name == "/var" || name == "/var/tmp" {
		return true
	}
	for _, dir := range []string{"/tmp/kamal-clones", "/root/.docker/buildx", "/root/.ssh"} {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return name == "/root/.docker"
}
