package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Label is the label by which a rehearsal knows what it made on the Docker
// engine. Its value is the id of the rehearsal.
const Label = "kamal-op.rehearsal"

// settleTime is how long the engine has to finish what it was asked for by a
// command that is gone.
const settleTime = time.Second

const (
	labelService = Label + ".service" // the service's name: Kamal puts it on every image and container
	labelDir     = Label + ".dir"     // the private directory
	labelAddress = Label + ".address" // where its SSH host listens, by which a living rehearsal is known

	proxyContainer = "kamal-proxy"        // Kamal's name for the one proxy of a host
	proxyVolume    = "kamal-proxy-config" // what it keeps its routes in
	kamalNetwork   = "kamal"              // Kamal's network for all its containers
)

// An engine is the Docker engine of this machine, as far as a rehearsal uses it.
type engine struct {
	docker string   // the docker command's path
	env    []string // NAME=value
	arch   string   // of the engine, as Docker names it; known once it has answered
}

// run runs one docker command and gives its standard output. The error holds
// what docker said, not the arguments: they can have values in them.
func (e *engine) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, e.docker, args...)
	cmd.Env = e.env
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		said := strings.TrimSpace(stderr.String())
		if said == "" {
			said = err.Error()
		}
		return "", fmt.Errorf("docker %s: %s", strings.Join(args[:min(2, len(args))], " "), said)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// lines is run for commands that print one thing a line.
func (e *engine) lines(ctx context.Context, args ...string) ([]string, error) {
	out, err := e.run(ctx, args...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(out, "\n"), nil
}

// address is where the engine listens, and a problem where that is another
// machine: a rehearsal shares the engine's loopback and may not touch servers.
func (e *engine) address(ctx context.Context) (string, error) {
	address, err := e.run(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	if err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		return "", problem.New("the Docker engine that is in use cannot be found out: "+err.Error(),
			"see `docker context ls`")
	}
	if !strings.HasPrefix(address, "unix://") {
		return "", problem.New("the Docker engine in use is not on this machine: "+address,
			"a rehearsal stays on this machine: choose a local engine with `docker context use default`, or unset DOCKER_HOST")
	}
	return address, nil
}

// ownID is what Docker calls a container inside: the beginning of its id.
var ownID = lazy.Regexp(`^[0-9a-f]{12}$`)

// beside is a problem where this is a container of the engine's with a network of its
// own, as the action's is: the engine would look for the registry on another loopback
// than the one it listens on, and the proxy would answer on another.
func (e *engine) beside(ctx context.Context, hostname string) error {
	if !ownID().MatchString(hostname) {
		return nil
	}
	out, err := e.run(ctx, "container", "inspect", "--format", "{{.Id}} {{.HostConfig.NetworkMode}}", hostname)
	if err != nil {
		if ctx.Err() == nil && goneAlready(err) {
			return nil
		}
		return err
	}
	id, network, _ := strings.Cut(out, " ")
	if !strings.HasPrefix(id, hostname) || network == "host" {
		return nil
	}
	return problem.New("this is a container with a network of its own, and a rehearsal shares the loopback of the Docker engine",
		"on GitHub take the native form, uses: kamal-op/kamal-op/native@v1, in a job without container:; by hand give docker run --network host")
}

// answers is a problem where the engine does not.
func (e *engine) answers(ctx context.Context) error {
	arch, err := e.run(ctx, "version", "--format", "{{.Server.Arch}}")
	switch {
	case err == nil:
		e.arch = arch
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Contains(err.Error(), "permission denied"):
		return &problem.Problem{
			Message: "the Docker engine does not let this user in",
			Hint:    "add the user to the group docker (sudo usermod -aG docker $USER) and log in again, or run the rehearsal as root",
			Status:  problem.Found, Cause: err,
		}
	}
	return &problem.Problem{
		Message: "Docker is not running",
		Details: []string{err.Error()},
		Hint:    "start it (sudo systemctl start docker) and try again",
		Status:  problem.Found, Cause: err,
	}
}

// builds is a problem where docker buildx is missing, which Kamal builds with.
func (e *engine) builds(ctx context.Context) error {
	if _, err := e.run(ctx, "buildx", "version"); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return problem.New("docker buildx is not installed, which Kamal builds images with",
			"install the package docker-buildx-plugin (Docker's own) or docker-buildx (Debian's)")
	}
	return nil
}

// labels are the labels of a container, volume or network; ok is false where it
// is not there.
func (e *engine) labels(ctx context.Context, kind, name string) (labels map[string]string, ok bool, err error) {
	path := "{{json .Labels}}"
	if kind == "container" {
		path = "{{json .Config.Labels}}"
	}
	out, err := e.run(ctx, kind, "inspect", "--format", path, name)
	if err != nil {
		if strings.Contains(strings.ToLower(err.Error()), "no such") || strings.Contains(err.Error(), "not found") {
			return nil, false, nil
		}
		return nil, false, err
	}
	if err := json.Unmarshal([]byte(out), &labels); err != nil {
		return nil, false, fmt.Errorf("reading the labels of %s %s: %w", kind, name, err)
	}
	return labels, true, nil
}

// artifacts is what a rehearsal put on the engine and on the disk, found again by the
// labels of its volume.
type artifacts struct {
	id, service, dir, address string
}

func (m artifacts) labelArgs() []string {
	return []string{
		"--label", Label + "=" + m.id,
		"--label", labelService + "=" + m.service,
		"--label", labelDir + "=" + m.dir,
		"--label", labelAddress + "=" + m.address,
	}
}

func madeOf(labels map[string]string) artifacts {
	return artifacts{id: labels[Label], service: labels[labelService], dir: labels[labelDir], address: labels[labelAddress]}
}

// register puts the rehearsal's name on the volume of kamal-proxy before
// anything else is made, and on Kamal's network where there is none yet. Docker
// gives a name away once, so of two rehearsals that begin together one goes on.
func (e *engine) register(ctx context.Context, m artifacts) error {
	if _, err := e.run(ctx, append(append([]string{"volume", "create"}, m.labelArgs()...), proxyVolume)...); err != nil {
		return fmt.Errorf("making the volume %s: %w", proxyVolume, err)
	}
	labels, _, err := e.labels(ctx, "volume", proxyVolume)
	if err != nil {
		return err
	}
	if labels[Label] != m.id {
		return busy()
	}
	if _, ok, err := e.labels(ctx, "network", kamalNetwork); err != nil || ok {
		return err
	}
	if _, err := e.run(ctx, "network", "create", "--label", Label+"="+m.id, kamalNetwork); err != nil {
		return fmt.Errorf("making the network %s: %w", kamalNetwork, err)
	}
	return nil
}

func busy() error {
	return problem.New("another rehearsal is running on this machine",
		"wait for its end: there is one kamal-proxy on a machine, and it is in use")
}

// removeAll is remove, and once more after a moment: a docker command that was
// killed may have asked the engine for a container that comes into being later.
func (e *engine) removeAll(ctx context.Context, m artifacts) error {
	first := e.remove(ctx, m)
	select {
	case <-time.After(settleTime):
	case <-ctx.Done():
		return errors.Join(first, context.Cause(ctx))
	}
	// What the first could not remove, the second tells.
	return e.remove(ctx, m)
}

// remove removes every container, image, volume and network that carries the
// label or, since Kamal labels what it makes so too, the service's own name. The
// volume it is registered on goes last, so that what is left after a failure is
// found again.
func (e *engine) remove(ctx context.Context, m artifacts) error {
	if m.id == "" || m.service == "" {
		return errors.New("nothing is removed without a label to know it by")
	}
	var failed []error
	all := func(remove []string, lists ...[]string) {
		var found []string
		for _, list := range lists {
			names, err := e.lines(ctx, list...)
			if err != nil {
				failed = append(failed, err)
			}
			found = append(found, names...)
		}
		slices.Sort(found)
		for _, name := range slices.Compact(found) {
			if name == proxyVolume {
				continue
			}
			if _, err := e.run(ctx, append(slices.Clone(remove), name)...); err != nil && !goneAlready(err) {
				failed = append(failed, err)
			}
		}
	}
	byLabel, byService := "label="+Label+"="+m.id, "label=service="+m.service
	all([]string{"container", "rm", "--force", "--volumes"},
		[]string{"container", "ls", "--all", "--quiet", "--no-trunc", "--filter", byLabel},
		[]string{"container", "ls", "--all", "--quiet", "--no-trunc", "--filter", byService})
	all([]string{"image", "rm", "--force"},
		[]string{"image", "ls", "--quiet", "--no-trunc", "--filter", byLabel},
		[]string{"image", "ls", "--quiet", "--no-trunc", "--filter", byService})
	all([]string{"network", "rm"}, []string{"network", "ls", "--quiet", "--no-trunc", "--filter", byLabel})
	all([]string{"volume", "rm"}, []string{"volume", "ls", "--quiet", "--filter", byLabel})
	if err := errors.Join(failed...); err != nil {
		return err
	}
	labels, ok, err := e.labels(ctx, "volume", proxyVolume)
	if err != nil {
		return err
	}
	if ok && labels[Label] == m.id {
		if _, err := e.run(ctx, "volume", "rm", proxyVolume); err != nil && !goneAlready(err) {
			return err
		}
	}
	return nil
}

// goneAlready is true of an error that says that there is nothing to remove: an
// image that went with another of its names, a container that removed itself.
func goneAlready(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "no such") || strings.Contains(text, "not found") ||
		strings.Contains(text, "is already in progress")
}
