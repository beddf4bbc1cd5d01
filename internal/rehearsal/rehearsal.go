package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// cleanTime is how long removing what a rehearsal made may take. It is not cut
// short by whoever cancelled the rehearsal.
const cleanTime = 2 * time.Minute

// Options say what to rehearse and with what.
type Options struct {
	// Project is the directory of the project to rehearse, absolute; the
	// embedded sample where it is empty.
	Project string
	// Destination and ConfigFile are Kamal's -d and -c, for a project that has
	// them; ConfigFile is "config/deploy.yml" where it is empty.
	Destination, ConfigFile string
	// WithHooks lets the project's own hooks run. They are off otherwise: they
	// may speak to the world.
	WithHooks bool
	// Values are sample values by the name that the project gives a secret. A
	// name that has none gets one made up.
	Values map[string]string
	// NoOp says that Deploy puts no op command on Kamal's PATH that reads from
	// the vault of the request. A .kamal/secrets that asks 1Password itself is
	// then rehearsed with NAME=$NAME lines in its place, as is one that asks
	// anybody else.
	NoOp bool
	// Latency is how long the vault waits before every answer, as one on the
	// network would.
	Latency time.Duration
	// Deploy is the main job.
	Deploy func(ctx context.Context, request DeployRequest) (status int, err error)
	// Out gets what happens, a line each.
	Out io.Writer
	// Env is the environment of whoever rehearses, NAME=value: for PATH, and for
	// what docker, git and Kamal need of it.
	Env []string
	// Executable is kamal-op's own path: a static binary, which the sample
	// app's image is made of.
	Executable string
	// TempDir is where the private directory of the rehearsal is made, absolute;
	// TMPDIR of Env, else /tmp, where it is empty. The Docker engine has to see
	// it under the same path.
	TempDir string
	// Hostname is this machine's name, by which a container knows itself; the
	// system's where it is empty.
	Hostname string
	// Docker and Kamal are paths of the programs; where they are empty docker,
	// and bin/kamal of the project or kamal, are looked up in PATH of Env.
	Docker, Kamal string
}

// A DeployRequest is the main job as the rehearsal wants it done: what a user
// would give as options and environment.
type DeployRequest struct {
	Command     string   // "deploy", or "setup" where the project has accessories
	Dir         string   // the working directory: the project
	ConfigFile  string   // --config-file; "" is Kamal's own
	Destination string   // --destination; "" for none
	Env         []string // NAME=value: the environment of the run, in place of the caller's
	Kamal       string   // --kamal

	ConnectHost  string   // OP_CONNECT_HOST
	ConnectToken string   // OP_CONNECT_TOKEN
	SSHKeys      []string // --ssh-key: references
	Secrets      []string // --secret: NAME=op://…
}

// Run rehearses: it starts the parts, deploys with them, checks what runs, and
// removes what it made, also where something failed or ctx ended. The error is
// a *problem.Problem or a problem.List; Status of it is Kamal's own where Kamal
// failed.
func Run(ctx context.Context, opts Options) (err error) {
	tell := newPrinter(opts.Out)
	s, err := newSession(ctx, opts, tell)
	if err != nil {
		return err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		if left := s.close(clean); left != nil {
			err = errors.Join(err, left)
			return
		}
		tell.step("all that the rehearsal made is removed")
	}()

	var planned *scenario
	if opts.Project == "" {
		planned, err = s.startSample(ctx)
	} else {
		planned, err = s.startProject(ctx)
	}
	if err != nil {
		return err
	}
	request := planned.request
	tell.step("kamal %s, as it would be for a server", request.Command)
	status, err := opts.Deploy(ctx, request)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case status != 0:
		return &problem.Problem{
			Message: fmt.Sprintf("kamal %s ended with status %d", request.Command, status),
			Hint:    "what it says is above; nothing outside this machine was touched",
			Status:  status,
		}
	}
	tell.step("kamal is done")
	return s.check(ctx, planned)
}
