package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// postName is what this program is called as in the action's post step: the runner
// starts a post-entrypoint without arguments.
const postName = "kamal-op-post"

// The states by which the action's main step speaks to its post step, beside
// deploy.LockState. None holds a secret.
const (
	stateContainer = "container" // the id of the main step's container
	stateProcess   = "process"   // the main step's process, where it has no container of its own
	stateFile      = "file"      // the runner's file that the main step goes on writing states to
	stateOver      = "over"      // the main step has ended in order
)

// killedTime is how long GitHub may take to be told of a step that was killed.
const killedTime = time.Minute

// begin leaves word for the post step that the main step has begun; over, that it
// has ended. Elsewhere than on GitHub there is no post step.
func (a *app) begin() (over func()) {
	system := a.system
	name, value := stateContainer, deploy.OwnContainer()
	if process := deploy.OwnProcess(); process != "" {
		name, value = stateProcess, process // the container, if any, is the job's
	}
	if !leaveState(system, name, value) || !leaveState(system, stateFile, a.env["GITHUB_STATE"]) {
		return func() {}
	}
	return func() { leaveState(system, stateOver, "true") }
}

// leaveState leaves a value for the post step. Without it that cannot do its work
// where this step is killed, which must not stay unsaid until then.
func leaveState(system ci.System, name, value string) bool {
	err := system.State(name, value)
	if err == nil {
		return true
	}
	if errors.Is(err, errors.ErrUnsupported) { // there is no post step here
		return false
	}
	system.Warning(problem.New("the action's post step will not know of this step: "+err.Error(),
		"it ends what a killed step leaves behind, so look after a cancelled run whether its container and its deploy lock are gone"))
	return false
}

// post is the action's post step, a second chance after a hard kill: what is left
// of the main step is ended, its deploy lock released, and the preview that it was
// deploying told as such on GitHub. After a main step that
// has ended in order it does nothing, and says nothing.
func (a *app) post() int {
	a.lookup = lookup{env: a.env, form: inputs}
	a.system = a.detect(a.Stdout)
	deploy.Sweep(a.env)
	over := a.env["STATE_"+stateOver] == "true"
	left := a.env["STATE_"+deploy.LockState]
	if !over {
		if later := a.endMain(); later != "" {
			left = later
		}
	}
	if state := a.env["STATE_"+stateReview]; !over && state != "" {
		a.endReview(state)
	}
	if state := a.env["STATE_"+deploy.DeploymentState]; state != "" && (!over || deploy.UnreportedDeployment(state)) {
		a.endDeployment(state, over)
	}
	if left == "" {
		return problem.Done
	}
	var locks deploy.SavedLocks
	if err := json.Unmarshal([]byte(left), &locks); err != nil {
		a.system.Warning(problem.New("what the step says of its deploy lock is not understood", "kamal-op kamal -- lock status shows whether it is there"))
		return problem.Done
	}
	if len(locks.Places) == 0 {
		return problem.Done
	}
	a.left = locks
	return a.main([]string{"post"}, inputs)
}

// endMain ends the main step's container or process if it still runs, and gives what
// that has said of its locks since the runner read its states.
func (a *app) endMain() (left string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	container, process := a.env["STATE_"+stateContainer], a.env["STATE_"+stateProcess]
	var (
		what  = "container"
		alive bool
		err   error
	)
	switch {
	case container != "":
		// A cancelled step's docker client is killed, and the container lives on.
		var env []string
		for _, name := range []string{"GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_REPOSITORY"} {
			env = append(env, name+"="+a.env[name])
		}
		alive, err = deploy.EndContainer(ctx, container, env)
	case process != "":
		// So is the launcher of the native form, and its child lives on.
		what = "process"
		alive, err = deploy.EndProcess(ctx, process)
	default:
		return ""
	}
	if err != nil {
		a.system.Warning(problem.New("whether the step's "+what+" still runs is not known: "+err.Error(), ""))
	}
	if alive {
		a.system.Info("the step was killed, its " + what + " was not: it is ended")
	}
	path := a.env["STATE_"+stateFile]
	if path == "" {
		return ""
	}
	// The runner has taken the file away; it is there again where more was written.
	text, err := os.ReadFile(path)
	if err != nil {
		return "" // there was no more to say
	}
	_ = os.Remove(path) // the runner, whose file it is, removes it with the job's others
	return lastState(string(text), deploy.LockState)
}

// lastState is the last value of a state in a file of the runner's, "" for none.
func lastState(text, name string) string {
	lines := strings.Split(text, "\n")
	value := ""
	for i := 0; i < len(lines); i++ {
		key, end, ok := strings.Cut(lines[i], "<<")
		if !ok {
			continue
		}
		begun := i + 1
		for i = begun; i < len(lines) && lines[i] != end; i++ {
		}
		if key == name && i < len(lines) {
			value = strings.Join(lines[begun:i], "\n")
		}
	}
	return value
}

// postCommand releases the locks that the main step has left. It takes the options
// of deploy, from the action's inputs: they are the same in both steps.
type postCommand struct{ deployCommand }

// Run releases them.
func (c postCommand) Run(a *app) error {
	if err := a.show(c.logFlags, c.WorkingDirectory, true); err != nil {
		return err
	}
	if c.Destination == "" && len(a.left.Places) > 0 {
		// A review's, whose own default it is: its users and its secrets count.
		c.Destination = a.left.Places[0].Destination
	}
	j, err := c.fill(a, deploy.Job{}, true)
	if err != nil {
		return err
	}
	ctx, signals, stop := supervise.Notify(context.Background())
	defer stop()
	j.Process = a.process(signals)
	j.Env = append(j.Env[:len(j.Env):len(j.Env)], a.reviewEnv...)
	j.Project.Env = append(j.Project.Env[:len(j.Project.Env):len(j.Project.Env)], a.reviewEnv...)
	status, err := j.Release(ctx, a.left)
	return a.ended(status, a.explainConnect(err), "")
}
