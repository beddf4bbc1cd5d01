package deploy

import (
	"context"
	"errors"
	"io/fs"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A Command is any command with the secrets in its environment and the agent in
// SSH_AUTH_SOCK: `kamal-op run`.
type Command struct {
	Process
	Vault  Vault
	Wanted Wanted

	Argv     []string
	Dir      string
	Terminal *Terminal // ours, where the command is to have one; nil for none
}

// Run runs the command and gives its exit status unchanged. An error is a problem
// of ours: the command was then not started.
func (c Command) Run(ctx context.Context) (status int, err error) {
	s, err := newResources(c.Process, c.Vault)
	defer func() { err = errors.Join(err, s.end()) }()
	if err != nil {
		return problem.RunOwn, err
	}
	err = s.start(ctx, c.Vault, c.Wanted)
	s.System.Status("") // what is run may have the terminal
	if err != nil {
		if late := outOfTime(ctx, beforeChild); late != nil {
			return problem.TimedOut, late
		}
		return exitStatus(ctx, problem.RunOwn), outputProblem(err)
	}
	env, err := s.childEnv()
	if err != nil {
		return problem.RunOwn, err
	}
	exit, err := s.supervise(ctx, supervise.Command{
		Path: c.Argv[0], Args: c.Argv[1:], Env: env.List, Dir: c.Dir,
		Stdin: c.Stdin,
	}, c.Terminal, true, func(w *gate.Stream) *gate.Child { return s.stream(w, gate.Local, nil) })
	if late := outOfTime(ctx, "while "+c.Argv[0]+" ran"); late != nil && exit.Stage != supervise.Unstopped {
		return problem.TimedOut, late
	}
	var start *supervise.StartError
	if errors.As(err, &start) {
		return start.Status(), problem.New(start.Error(), startHint(start)).About(problem.NoSuchProgram)
	}
	var output *supervise.OutputError
	if err != nil && !errors.As(err, &output) {
		return exitStatus(ctx, problem.RunOwn), outputProblem(err)
	}
	if err = outputProblem(err); err != nil && exit.Status() == problem.Done {
		return problem.RunOwn, err
	}
	return exit.Status(), err
}

// startHint is what to do about a command that could not be started.
func startHint(start *supervise.StartError) string {
	if errors.Is(start, environ.ErrNotExecutable) && errors.Is(start, fs.ErrPermission) {
		return "make it executable: chmod +x, and git update-index --chmod=+x for whoever checks it out"
	}
	return "look at the PATH, and at the command's spelling"
}
