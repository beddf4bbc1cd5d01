package rehearsal

import (
	"context"
	"errors"
	"io"
)

// Options say what to rehearse and with what.
type Options struct {
	// Project is the directory of the project to rehearse; the embedded sample
	// where it is empty.
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
	// AnswersOp says that Deploy puts an op command on Kamal's PATH that reads
	// from the vault of the request, so that a .kamal/secrets that calls
	// `kamal secrets fetch` or `op read` runs as it is. Without it such a file
	// is rehearsed with NAME=$NAME lines in its place.
	AnswersOp bool
	// Deploy is the main job.
	Deploy func(ctx context.Context, request DeployRequest) (status int, err error)
	// Out is told what happens, a line each.
	Out io.Writer
	// Env is the environment of whoever rehearses, NAME=value: for PATH, and for
	// what docker and Kamal need of it.
	Env []string
	// Executable is kamal-op's own path: a static binary, which the sample
	// app's image is made of.
	Executable string
	// TempDir is where the private directory of the rehearsal is made; the
	// system's where it is empty. The Docker engine has to see it under the same
	// path.
	TempDir string
	// Docker and Kamal are paths of the programs; looked up in the PATH of Env
	// where they are empty. A bin/kamal of the project is tried before PATH.
	Docker, Kamal string
}

// A DeployRequest is the main job as the rehearsal wants it done: what a user
// would give as options and environment.
type DeployRequest struct {
	Dir         string   // the working directory: the project
	ConfigFile  string   // --config-file; "" is Kamal's own
	Destination string   // --destination; "" for none
	Version     string   // --version; "" leaves it to Kamal and git
	Command     string   // "setup" or "deploy"
	Args        []string // more arguments for Kamal
	Env         []string // NAME=value, in place of the caller's environment
	Kamal       string   // --kamal; "" leaves the choice to the main job

	ConnectHost  string   // OP_CONNECT_HOST
	ConnectToken string   // OP_CONNECT_TOKEN
	SSHKeys      []string // --ssh-key, references
	Secrets      []string // --secret, NAME=op://…

	Out, Err io.Writer // where Kamal's output goes
}

// Run rehearses: it starts the parts, deploys with them, checks what runs, and
// removes what it made. The error is a problem to tell, or ctx's.
func Run(_ context.Context, _ Options) error {
	return errors.New("not yet")
}
