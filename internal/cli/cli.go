// Package cli is the command line: one file a command. Flags, the action's inputs
// and the environment meet here and become options; nothing below reads any of
// them.
package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// A Process is what main hands in: all that a command may know of the process
// that it runs in.
type Process struct {
	Name       string   // what the program was called as; postName is the action's post step
	Args       []string // without the program's own name
	Env        []string // NAME=value
	Dir        string   // the working directory, absolute
	DirErr     error    // why there is none
	Executable string   // this program's path, absolute; "" where it is not known
	Stdin      *os.File
	Stdout     io.Writer
	Stderr     io.Writer
	Refused    []error // settings of the process that the system refused, to be told

	// Forget overwrites variables in what the system shows of our environment to those
	// that may look; Env stays as it is. It may be nil.
	Forget func(names func(string) bool) error
}

// grammar is the whole command line, as kong reads it.
type grammar struct {
	Deploy   wholeCommand    `cmd:"" help:"Deploy the project: kamal deploy, with its secrets and SSH key from 1Password."`
	Setup    setupCommand    `cmd:"" help:"Set up the servers and deploy for the first time: kamal setup."`
	Redeploy redeployCommand `cmd:"" help:"Deploy without setting up servers, proxy and pruning: kamal redeploy."`
	Rollback rollbackCommand `cmd:"" usage:"VERSION|-1" help:"Go back to a version that is still on the servers: kamal rollback."`
	Kamal    kamalCommand    `cmd:"" help:"Run any other Kamal command: kamal-op kamal -- app logs -f."`
	Check    checkCommand    `cmd:"" help:"Check that 1Password, .kamal/secrets and deploy.yml agree."`
	Add      addCommand      `cmd:"" help:"Name a secret in all its places: fetch, extract and deploy.yml, every other byte kept."`
	Remove   removeCommand   `cmd:"" help:"Take a secret out of all its places."`
	Rename   renameCommand   `cmd:"" help:"Give a secret another name in all its places."`
	Verify   verifyCommand   `cmd:"" help:"Compare what the running containers have with the vault: equal, stale, missing."`
	Plan     planCommand     `cmd:"" help:"Say what a deploy would change, and change nothing."`
	Comment  commentCommand  `cmd:"" help:"Do what a comment on a pull request asks for: /plan or /deploy, where the project allows it."`
	Doctor   doctorCommand   `cmd:"" help:"Look at all that a run needs, and deploy nothing."`
	Watch    watchCommand    `cmd:"" help:"Look at what runs, for a schedule: old secrets, drift, host keys, certificates, disks, previews."`
	Rotate   rotateCommand   `cmd:"" help:"Restart containers that have old secrets, at the version that runs."`
	Promote  promoteCommand  `cmd:"" help:"Deploy to one destination what another runs, by its digest, and build nothing."`
	Freeze   freezeCommand   `cmd:"" help:"Keep the app from being deployed, by a deploy lock that says why, until kamal-op thaw or a time."`
	Thaw     thawCommand     `cmd:"" help:"Let the app be deployed again: end a freeze; locks of deploys stay."`
	History  historyCommand  `cmd:"" usage:"[diff A B]" help:"Show what was deployed, when, by whom and how it ended, and what differs between two deploys."`
	HostKeys hostKeysCommand `cmd:"" name:"host-keys" help:"Print the host keys of deploy.yml's hosts, in the form that --host-keys takes."`
	Init     initCommand     `cmd:"" help:"Begin: write .kamal/secrets and the workflow, and list the fields to create in 1Password."`
	Migrate  migrateCommand  `cmd:"" help:"Make one step of the steps in a workflow that install op, Ruby and Kamal and start an agent."`
	Run      runCommand      `cmd:"" help:"Run any command with the secrets in its environment, the key in an agent, its output masked."`
	Review   reviewCommand   `cmd:"" help:"Review apps: a preview of every pull request, deployed, removed and swept."`
	Cache    cacheCommand    `cmd:"" help:"Keep 1Password's SDK compiled for the runs of this machine."`
	Action   actionCommand   `cmd:"" help:"Run as a GitHub Action: read the inputs, do what the input command says."`
	Plugin   pluginCommand   `cmd:"" help:"Run as a plugin of Woodpecker or Drone: read the settings, do what the setting command says."`
	Rehearse rehearseCommand `cmd:"" help:"Rehearse a deploy on this machine: no 1Password account, server or registry needed."`
	Version  versionCommand  `cmd:"" help:"Print the version of kamal-op."`

	Config     configCommand     `cmd:"" help:"Show which options hold, and where each comes from."`
	Help       helpCommand       `cmd:"" help:"Show the help of a command."`
	Completion completionCommand `cmd:"" help:"Print the completion script for a shell."`
	Man        manCommand        `cmd:"" help:"Print the manual page, for man."`

	KeepFD lines `name:"keep-fd" placeholder:"N" help:"Number of an inherited file descriptor that what is run may write to: by default those that lead to a file, a pipe or a terminal are closed in it, since nothing is masked there. Repeatable."`

	Complete     completeCommand     `cmd:"" hidden:"" help:"List what can stand at the end of a command line."`
	Post         postCommand         `cmd:"" hidden:"" help:"Release the deploy locks that the action's step has left."`
	RehearsalApp rehearsalAppCommand `cmd:"" hidden:"" help:"Serve the sample app of a rehearsal."`
}

// An app is one run of the program.
type app struct {
	Process
	env    map[string]string
	lookup lookup
	rest   []string // what stands behind --, and whether there was one
	dashes bool
	system ci.System
	gate   *gate.Gate // all that leaves, leaves by it
	Stdout *gate.Stream
	Stderr *gate.Stream
	reaper *supervise.Reaper

	helpers *helpers // what starts the CI system's own; nil where nothing does

	answers *bufio.Reader // of whoever sits at the terminal; nil before a question

	shown logFlags
	dir   string // that the places of problems are relative to

	cancel func()       // says that the run is cancelled
	cause  func() error // what has ended the run; nil where no run has begun

	line  []string // the command line, and the flags that it may have
	flags []*kong.Flag

	again func(destination string) (*grammar, error) // the line, with the project file's options of a destination

	connectHost string            // of the Connect server in use
	left        deploy.SavedLocks // for the command post
	reviewEnv   []string          // likewise: of the preview that was being deployed
}

// exitStatus is an error that ends the program with a status of its own and
// nothing to say: what there was to say has been said.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Main runs the program and gives its exit status: see package problem for what
// each of them means.
//
// What loses its parent becomes our child, in a container where we are PID 1 and
// elsewhere where main has made us a subreaper: it is waited for while we run, and
// what lives at the end is ended.
func Main(p Process) int {
	cancelled := make(chan struct{})
	env := environ.List(p.Env).Map()
	own := &helpers{p.Env, p.Dir}
	way := gate.New(gate.Options{Env: env, Stdout: p.Stdout, Stderr: p.Stderr, Cancelled: cancelled, Run: own.run})
	defer way.Close()
	p.Stdout, p.Stderr = nil, nil // from here on there is the gate
	a := &app{
		Process: p, env: env, gate: way, Stdout: way.Stdout(), Stderr: way.Stderr(), reaper: supervise.StartReaper(), helpers: own,
		cancel: sync.OnceFunc(func() { close(cancelled) }),
	}
	a.withhold(kamal.IsCredential)
	defer a.reaper.Close(time.Second)
	defer onepassword.Settle()
	if p.Name == postName {
		return a.post()
	}
	status := a.main(p.Args, noForm)
	ci.End(a.system, status)
	return status
}

// tellRefused tells what the system has refused, each once: an action's command, or the
// post step's, is a second line.
func (a *app) tellRefused() {
	for _, err := range a.Refused {
		a.system.Warning(problem.New(err.Error(), ""))
	}
	a.Refused = nil
}

// withhold keeps variables from all that is started from here on, and from whoever
// may look at our environment. What the program itself has of them stays in a.env.
func (a *app) withhold(names func(string) bool) {
	a.Env = environ.List(a.Env).Without(names)
	if a.helpers != nil {
		a.helpers.env = environ.List(a.helpers.env).Without(names)
	}
	if a.Forget == nil {
		return
	}
	if err := a.Forget(names); err != nil {
		a.Refused, a.Forget = append(a.Refused, err), nil // it would be refused again
	}
}

// main parses and runs one command line. As an action the inputs take part, as a
// plugin the settings.
func (a *app) main(args []string, f form) int {
	a.lookup = lookup{env: a.env, form: f}
	a.system = a.detect(a.Stderr)
	a.tellRefused()
	if a.DirErr != nil {
		return a.fail(problem.Usagef("change into a directory that is there", "the working directory is not known: %v", a.DirErr), "")
	}
	if i := slices.Index(args, "--"); i >= 0 {
		args, a.rest, a.dashes = args[:i], args[i+1:], true
	}
	args = a.meant(args)
	a.line = args
	g, kctx, exited, err := a.parseWithFile(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		name := g.name(args)
		if kctx != nil {
			name = kctx.Command()
		}
		return a.fail(err, name)
	}
	a.flags = kctx.Flags()
	a.takeVariables(kctx)
	a.maskVariables(kctx)
	a.tellRefused()
	if err := a.lookup.file.variables().Err(); err != nil && kctx.Command() != "config" {
		return a.fail(err, kctx.Command())
	}
	if err := a.behindDashes(kctx.Command()); err != nil {
		return a.fail(err, kctx.Command())
	}
	a.again = func(destination string) (*grammar, error) { return a.parseFor(args, destination) }
	if names := a.lookup.file.unconfirmed(); len(names) > 0 && !slices.Contains([]string{"config", "doctor"}, kctx.Command()) {
		a.system.Notice(problem.New(projectfile.Name+" gives "+strings.Join(names, ", ")+": that counts from there only with --trust-project-file",
			"give that, or the options themselves"))
	}
	a.tellMistyped(kctx)
	keep, err := numbers(g.KeepFD)
	if err != nil {
		return a.fail(err, kctx.Command())
	}
	supervise.CloseInherited(keep)
	return a.run(kctx)
}

// meant is a command line as it is meant where it names no command, or asks for the
// version behind one.
func (a *app) meant(args []string) []string {
	switch {
	case len(args) == 0 && !a.dashes:
		return []string{"--help"}
	case asksVersion(args) && args[0] == "version":
		return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--version" })
	case asksVersion(args):
		return []string{"version"}
	}
	return args
}

// run runs the command, and returns the exit status.
func (a *app) run(kctx *kong.Context) int {
	run := func() error { return kctx.Run(a) }
	var err error
	if name, _, _ := strings.Cut(kctx.Command(), " "); slices.Contains(startNothing, name) {
		err = promptly(a.cancel, run)
	} else {
		err = run()
	}
	a.system.Status("") // of a command that has been waiting for something
	var status exitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	return a.fail(err, kctx.Command())
}

// parseWithFile parses a command line, with the options of the project file.
func (a *app) parseWithFile(args []string) (g *grammar, kctx *kong.Context, exited int, err error) {
	g, kctx, exited, err = a.parse(args)
	if exited >= 0 || err != nil {
		return g, kctx, exited, err
	}
	a.takeVariables(kctx) // git, which may be asked for the file, has no use for them
	// Where the project is, and which destination is meant, the line has said.
	if a.lookup.file, err = a.readProjectFile(kctx); err != nil {
		a.maskVariables(kctx)
		return g, kctx, exited, err
	}
	if a.lookup.file.file != nil {
		g, kctx, _, err = a.parse(args)
	}
	return g, kctx, exited, err
}

// parseFor makes a grammar of a command line as it would be with a destination's options
// of the project file.
func (a *app) parseFor(args []string, destination string) (*grammar, error) {
	other := *a
	other.lookup.file.destination = destination
	if err := other.lookup.file.variables().Err(); err != nil {
		return nil, err
	}
	g, _, _, err := other.parse(args)
	return g, other.blamed(err)
}

// numbers are the numbers of descriptors.
func numbers(list lines) (fds []int, err error) {
	for _, l := range list {
		for _, text := range strings.Fields(strings.ReplaceAll(l.text, ",", " ")) {
			fd, err := strconv.Atoi(text)
			if err != nil || fd < 3 {
				return nil, problem.Usagef("give the number of an inherited descriptor, from 3 up", "%s: %q is no such number", l.origin, text)
			}
			fds = append(fds, fd)
		}
	}
	return fds, nil
}

// fail tells every problem of err, to the log and to the CI system, and gives the
// exit status. `kamal-op run` answers with the child's status or 125, so that a
// script can tell the two apart (as env(1) and docker run do).
func (a *app) fail(err error, command string) int {
	if err == nil {
		return problem.Done
	}
	if status, cancelled := a.cancelled(err); cancelled {
		a.tell(uncancelled(err), command)
		return status
	}
	a.tell(err, command)
	if strings.HasPrefix(command, "run") {
		return problem.RunOwn
	}
	return problem.Status(err)
}

// tell tells every problem of err. One that says nothing of where more is written leads
// to the command's page, where it is not the command line that is wrong.
func (a *app) tell(err error, command string) {
	for _, p := range problem.Of(a.blamed(err)) {
		if p.Status == problem.Found || p.Status == problem.Done {
			p.Help = cmp.Or(p.Help, pageOf(command))
		}
		a.system.Error(p)
	}
}

// name is the command of a line that did not parse.
func (grammar) name(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// notices tells what is not wrong but should be known.
func (a *app) notices(texts ...string) {
	for _, t := range texts {
		if t != "" {
			a.system.Notice(problem.New(t, ""))
		}
	}
}

// detect is the CI system or terminal that we run on, with our own lines on out.
func (a *app) detect(out *gate.Stream) ci.System {
	return ci.Detect(a.env, a.gate, out, ci.Options{
		Commands: a.Stderr,
		Terminal: out.IsTerminal(),
		Width:    out.Width,
		JSON:     a.shown.JSON, Plain: a.shown.Plain, Dir: a.dir,
	})
}
