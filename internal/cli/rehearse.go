package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// rehearseCommand is `kamal-op rehearse`.
type rehearseCommand struct {
	Project         string `name:"project" placeholder:"DIR" help:"Rehearse this project, moved to this machine, in place of the embedded sample." complete:"directory"`
	destinationFlag `set:"destination=Kamal's destination, for --project."`
	configFileFlag  `set:"config_file=Kamal's configuration file, for --project."`
	WithHooks       bool   `name:"with-hooks" help:"Run the project's hooks too. They may speak to the world: off by default."`
	Values          string `name:"values" placeholder:"FILE" help:"File of sample values, NAME=value a line, for --project. What it lacks is made up." complete:"file"`
	envFlag         `set:"variables=Variable that the project's configuration reads. One that it asks for and that is not set is made up."`
	kamalFlag       `set:"kamal=Kamal to run."`
}

// Run rehearses.
func (c rehearseCommand) Run(a *app) error {
	if err := a.show(logFlags{}, "", true); err != nil {
		return err
	}
	if c.Project == "" && (c.Destination != "" || c.ConfigFile != "" || c.WithHooks || c.Values != "") {
		return problem.Usagef("add --project .", "--destination, --config-file, --with-hooks and --values are for a project of yours")
	}
	if err := a.withEnv(c.Env); err != nil {
		return err
	}
	values, err := a.values(c.Values)
	if err != nil {
		return err
	}
	project := c.Project
	if project != "" {
		if project, err = a.directory("--project", project); err != nil {
			return err
		}
	}
	ctx, _, stop := supervise.Notify(context.Background())
	defer stop()
	err = rehearsal.Run(ctx, rehearsal.Options{
		Project: project, Destination: c.Destination, ConfigFile: c.ConfigFile,
		WithHooks: c.WithHooks, Values: values, Deploy: a.rehearsed,
		Out: a.Stdout, Env: a.Env, Executable: a.Executable, Kamal: c.Kamal,
		TempDir: a.env["TMPDIR"],
	})
	if cause := context.Cause(ctx); cause != nil {
		var signalled supervise.Signalled
		if errors.As(cause, &signalled) {
			return exitStatus(signalled.Status())
		}
	}
	return err
}

// rehearsed does the main job of a rehearsal, as the command line would: through
// the same options, the same environment, the same way.
func (a *app) rehearsed(_ context.Context, r rehearsal.DeployRequest) (int, error) {
	sub := &app{Process: a.Process, gate: a.gate, Stdout: a.Stdout, Stderr: a.Stderr, reaper: a.reaper, helpers: a.helpers, cancel: a.cancel}
	sub.Env, sub.env = r.Env, environ.List(r.Env).Map()
	for name, value := range a.env {
		if strings.HasPrefix(name, "KAMAL_OP_") { // options, which are withheld from what is started
			sub.env[name] = value
		}
	}
	sub.env[connectHostEnv], sub.env[connectTokenEnv] = r.ConnectHost, r.ConnectToken
	sub.Dir = r.Dir
	args := []string{r.Command}
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				args = append(args, flag+"="+v)
			}
		}
	}
	add("--config-file", r.ConfigFile)
	add("--destination", r.Destination)
	add("--kamal", r.Kamal)
	add("--ssh-key", r.SSHKeys...)
	add("--secret", r.Secrets...)
	return sub.main(args, noForm), nil
}

// values reads a file of sample values.
func (a *app) values(name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(a.Dir, name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, problem.Usagef("give a file with NAME=value lines", "--values: %v", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	values := map[string]string{}
	scanner := bufio.NewScanner(file)
	for n := 1; scanner.Scan(); n++ {
		text := strings.TrimSpace(scanner.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, problem.Usagef("write NAME=value", "the line is no sample value").At(name, n, 0)
		}
		values[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if err := scanner.Err(); err != nil {
		return nil, problem.Usagef("give a file with NAME=value lines", "--values: %v", err)
	}
	return values, nil
}

// rehearsalAppCommand serves the sample app of a rehearsal: it is what the sample
// app's image runs.
type rehearsalAppCommand struct {
	Listen string `name:"listen" default:":80" help:"Address to listen on."`
}

// Run serves until a signal comes.
func (c rehearsalAppCommand) Run(a *app) error {
	ctx, _, stop := supervise.Notify(context.Background())
	defer stop()
	return rehearsal.ServeApp(ctx, c.Listen, a.Env)
}
