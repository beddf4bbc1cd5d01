package doctor

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// CheckDocker looks whether Docker and buildx are here, by their own commands. needed
// says whether images are built with the engine of this machine.
func CheckDocker(env []string, dir string, needed func(ctx context.Context) bool) Check {
	c := Check{Area: areaMachine, Name: "docker"}
	c.Look = func(ctx context.Context) []Finding {
		env := kamal.WithoutCredentials(env)
		path, err := environ.List(env).LookTool("docker")
		if err != nil {
			return []Finding{{
				Area: areaMachine, Check: "docker", State: Wrong, Text: "docker is not on the PATH: Kamal builds and logs in with it",
				Hint: "install docker and its buildx plugin, or take the image of kamal-op, which has both",
			}}
		}
		ask := func(args ...string) (string, error) {
			cmd := exec.CommandContext(ctx, path, args...)
			cmd.Env, cmd.Dir, cmd.WaitDelay = env, dir, time.Second
			out, err := cmd.Output()
			return kamal.LastLine(string(out)), err
		}
		return []Finding{engine(ctx, ask, needed), buildx(ask)}
	}
	return c
}

// engine is whether the engine answers.
func engine(ctx context.Context, ask func(args ...string) (string, error), needed func(ctx context.Context) bool) Finding {
	f := Finding{Area: areaMachine, Check: "docker", State: Well}
	version, err := ask("version", "--format", "{{.Server.Version}}")
	if err == nil && version != "" {
		f.Text = "docker " + version + " answers"
		return f
	}
	f.State, f.Text, f.Hint = Wrong, "docker does not answer: Kamal builds the image with it", "start Docker, or set DOCKER_HOST to where it listens"
	if line := said(err); line != "" {
		f.Details = []string{line}
	}
	if !needed(ctx) {
		f.State, f.Text, f.Hint = Notice, "docker does not answer here: images are built on another machine", ""
	}
	return f
}

// buildx is whether docker has it.
func buildx(ask func(args ...string) (string, error)) Finding {
	f := Finding{Area: areaMachine, Check: "buildx", State: Well}
	version, err := ask("buildx", "version")
	if err != nil || version == "" {
		f.State, f.Text, f.Hint = Wrong, "docker has no buildx: Kamal builds with it", "install the plugin docker-buildx"
		if line := said(err); line != "" {
			f.Details = []string{line}
		}
		return f
	}
	words := strings.Fields(version)
	f.Text = "buildx " + words[min(1, len(words)-1)]
	return f
}

// said is the last line that a program that failed has said.
func said(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return kamal.LastLine(string(exit.Stderr))
	}
	return ""
}

// CheckProjectFile tells which options of .kamal/kamal-op.yml do not count, since they
// weaken a check, or that they do. unconfirmed and confirmed are their names.
func CheckProjectFile(name string, unconfirmed, confirmed []string) Check {
	c := Check{Area: areaProjectFile, Name: "project file"}
	c.Look = func(context.Context) []Finding {
		f := Finding{Area: areaProjectFile, Check: "trust", State: Notice}
		switch {
		case len(unconfirmed) > 0:
			f.Text = name + " gives " + strings.Join(unconfirmed, ", ") + ", which do not count from there"
			f.Hint = "give --trust-project-file, or the options themselves, if nobody can change the file who may not deploy"
		case len(confirmed) > 0:
			f.Text = name + " gives " + strings.Join(confirmed, ", ") + ", which count as --trust-project-file is given"
			f.Hint = "who can change the file can weaken a check"
		default:
			f.State, f.Text = Well, name+" gives nothing that weakens a check"
		}
		return []Finding{f}
	}
	return c
}
