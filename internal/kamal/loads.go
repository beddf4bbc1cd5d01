package kamal

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// colour is what Kamal's last word ends with.
var colour = lazy.Regexp(`\x1b\[[0-9;]*m`)

// Loads asks Kamal whether it takes the configuration of a destination: `kamal
// config`, whose output is thrown away. The ERB of deploy.yml runs, no secret is
// asked for. A configuration that Kamal refuses is a problem.
func Loads(ctx context.Context, binary Binary, o ProjectOptions, env []string) error {
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	args := ArgOptions{Destination: o.Destination, ConfigFile: o.ConfigFile, Version: "init"}
	cmd := NewCommand(ctx, binary.Path, Args("config", args)...)
	cmd.Dir, cmd.Env = o.Dir, WithoutCredentials(env)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	config := o.ConfigFile
	if config == "" {
		config = DefaultConfigFile
	}
	p := problem.New("Kamal does not take "+config, "`kamal config` in the project's directory says more").About(problem.UnreadableFile)
	if o.Destination != "" {
		p.Message += " with the destination " + o.Destination
	}
	var exit *exec.ExitError
	if m := errorLine().FindStringSubmatch(colour().ReplaceAllString(out.String(), "")); m != nil {
		p.Message += ": " + strings.TrimSpace(m[2])
	} else if !errors.As(err, &exit) {
		p.Message += ": " + err.Error()
	}
	p.Place.File, p.Cause = config, err
	return p
}
