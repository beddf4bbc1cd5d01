package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

type (
	// deployCommand are the options of every command that runs Kamal with all it needs.
	deployCommand struct {
		vaultFlags
		projectFlags
		timeFlags
		logFlags
		noiseFlags
	}
	// mainCommand are the options of the commands that change what runs on the servers.
	mainCommand struct {
		deployCommand
		gitHubEnvironmentFlag
	}
	// wholeCommand is `kamal-op deploy [flags] [-- extra kamal arguments]`.
	wholeCommand struct{ servicesCommand }
	// setupCommand is `kamal-op setup`.
	setupCommand struct{ servicesCommand }
	// redeployCommand is `kamal-op redeploy`.
	redeployCommand struct{ servicesCommand }
	// rollbackCommand is `kamal-op rollback VERSION`.
	rollbackCommand struct {
		mainCommand
		Previous bool   `name:"previous" short:"1" help:"Go back to the version before the one that runs, as the history on the hosts has it."`
		To       string `arg:"" optional:"" name:"version" help:"Version to go back to; -1 goes back to the one before."`
	}
	// kamalCommand is `kamal-op kamal -- ARGS`.
	kamalCommand struct {
		deployCommand
		FreshEnv bool     `name:"fresh-env" help:"Give a new container of app exec the secrets of now, in an env file of its own, and not those of the last boot."`
		Args     []string `arg:"" optional:"" passthrough:"" name:"args" help:"Kamal's command and its arguments."`
	}
)

// Run is `kamal deploy`.
func (c wholeCommand) Run(a *app) error { return c.main(a, "deploy") }

// Run is `kamal setup`.
func (c setupCommand) Run(a *app) error { return c.main(a, "setup") }

// Run is `kamal redeploy`.
func (c redeployCommand) Run(a *app) error { return c.main(a, "redeploy") }

// Run is `kamal rollback`.
func (c rollbackCommand) Run(a *app) error {
	switch {
	case strings.HasPrefix(c.To, "-"):
		return problem.Usagef("give the version as kamal-op rollback VERSION", "%q is not a version", c.To)
	case (c.To == "") != c.Previous:
		return problem.Usagef("kamal-op rollback VERSION, or kamal-op rollback -1 for the one before", "name one version: VERSION or -1").About(problem.GoingBack)
	}
	if c.Version != "" {
		return problem.Usagef("the version to go back to is the argument: kamal-op rollback VERSION",
			"--version and rollback's own version are given both")
	}
	more, err := c.begin(a)
	if err != nil {
		return err
	}
	j, err := c.fill(a, deploy.Job{}, true)
	if err != nil {
		return err
	}
	ctx, signals, stop := c.context(a) // of the question too: it is one run
	defer stop()
	j.Process = a.process(signals)
	c.Version = c.To
	if c.Previous {
		if c.Version, err = c.previous(ctx, j); err != nil {
			return a.explainConnect(err)
		}
		a.system.Info("going back to " + c.Version)
	}
	j.Args = c.args(a, "rollback", more)
	return c.tell(ctx, a, j)
}

// previous is the version before the one that runs, as the hosts that the job is for have it.
func (c rollbackCommand) previous(ctx context.Context, j deploy.Job) (string, error) {
	j.CheckHosts, j.Check = false, deploy.CheckOff
	h, err := askHistory(ctx, j, kamal.ArgOptions{Destination: c.Destination, ConfigFile: c.ConfigFile, Hosts: commas(c.Hosts), Roles: commas(c.Roles)})
	if err != nil {
		return "", err
	}
	return h.Previous()
}

// main is one of the commands that change what runs on the servers, and first ask nothing
// of them.
func (c mainCommand) main(a *app, command string) error {
	more, err := c.begin(a)
	if err != nil {
		return err
	}
	j, err := c.filled(a, deploy.Job{Args: c.args(a, command, more), Builds: !skipsPush(a.rest)}, true)
	if err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	j.Process = a.process(signals)
	return c.tell(ctx, a, j)
}

// tell runs the job, and tells GitHub of it where that is asked for.
func (c mainCommand) tell(ctx context.Context, a *app, j deploy.Job) (err error) {
	if j.Deployment, err = a.deployment(ctx, c.gitHubEnvironmentFlag, j, kamal.DeclaredVersion(j.Args, a.env)); err != nil {
		return err
	}
	defer j.Deployment.Close()
	return c.run(ctx, a, j)
}

// begin has the log as the flags say, and gives the arguments that make Kamal say more.
func (c deployCommand) begin(a *app) (more []string, err error) {
	if err := a.show(c.logFlags, c.WorkingDirectory, true); err != nil {
		return nil, err
	}
	return a.hush(c.noiseFlags, false)
}

// args are Kamal's arguments for one of the commands that change what runs.
func (c deployCommand) args(a *app, command string, more []string) []string {
	return kamal.Args(command, kamal.ArgOptions{
		Destination: c.Destination, ConfigFile: c.ConfigFile, Version: c.Version,
		Hosts: commas(c.Hosts), Roles: commas(c.Roles), Extra: append(more, a.rest...),
	})
}

// Run is any other Kamal command, with a terminal where we have one.
func (c kamalCommand) Run(a *app) error {
	args := slices.Concat(c.Args, a.rest)
	if len(args) == 0 {
		return problem.Usagef("such as kamal-op kamal -- app logs -f", "no Kamal command is given")
	}
	flags := kamal.Args("", kamal.ArgOptions{
		Destination: c.Destination, ConfigFile: c.ConfigFile, Version: c.Version,
		Hosts: commas(c.Hosts), Roles: commas(c.Roles),
	})[1:]
	// Kamal takes its options behind the command's words, and not behind a --.
	end := len(args)
	if i := slices.Index(args, "--"); i >= 0 {
		end = i
	}
	if err := a.show(c.logFlags, c.WorkingDirectory, false); err != nil {
		return err
	}
	more, err := a.hush(c.noiseFlags, true)
	if err != nil {
		return err
	}
	flags = append(flags, more...)
	j := deploy.Job{Args: slices.Insert(args, end, flags...), Lenient: true, FreshEnv: c.FreshEnv}
	j.Apart = !a.runnerReorders() && !c.JSON
	return c.job(a, j, false)
}

// job runs a Kamal command with what the flags say. Credentials are needed where
// something is declared, and always where servers are changed: a deploy without
// any is a mistake in the workflow.
func (c deployCommand) job(a *app, j deploy.Job, needed bool) error {
	j, err := c.filled(a, j, needed)
	if err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	j.Process = a.process(signals)
	return c.run(ctx, a, j)
}

// filled is the job with what the flags say, or all that is wrong with it.
func (c deployCommand) filled(a *app, j deploy.Job, needed bool) (deploy.Job, error) {
	j, err := c.fill(a, j, needed)
	if err != nil && !j.Lenient { // what is wrong with the project's files is told with it
		_, projectErr := kamal.OpenProject(j.Project)
		err = errors.Join(projectErr, err)
	}
	return j, err
}

// run runs the job, and tells how it ended.
func (c deployCommand) run(ctx context.Context, a *app, j deploy.Job) error {
	if !c.JSON && (!c.Quiet || j.Lenient) {
		j.Terminal = a.terminal()
	}
	begun := time.Now()
	status, err := j.Run(ctx)
	if a.lookup.form != inputs { // the action does so by itself, whatever it has run
		a.returnFiles(begun)
	}
	return a.ended(status, a.explainConnect(err), "")
}

// fill puts into a job what the flags say.
func (c deployCommand) fill(a *app, j deploy.Job, needed bool) (deploy.Job, error) {
	err := a.withEnv(c.Env)
	if err != nil {
		return j, err
	}
	j.Project = kamal.ProjectOptions{Dir: a.dir, ConfigFile: c.ConfigFile, Destination: c.Destination, Env: a.Env}
	if j.Wanted, j.Vault, err = a.wanted(c.vaultFlags, needed); err != nil {
		return j, err
	}
	if j.Wanted.Pins, j.Wanted.PinRefs, err = hostKeys(c.HostKeys, a.loaded); err != nil {
		return j, err
	}
	if len(j.Wanted.PinRefs) > 0 && j.Vault.Open == nil {
		return j, noCredentials()
	}
	j.CheckHosts = c.CheckHosts == "on"
	if j.Locks, err = c.locks(a); err != nil {
		return j, err
	}
	if j.ExactValues, err = c.exact(); err != nil {
		return j, err
	}
	j.Kamal = c.Kamal
	j.Check = deploy.CheckLevel(c.Check)
	j.AnyVault, j.Choices = c.OpScope == "any", c.Choices
	if deploys := []string{"deploy", "redeploy", "setup"}; len(j.Args) > 0 && slices.Contains(deploys, j.Args[0]) {
		j.FreshEnv = !c.NoFreshEnv
	}
	return j, nil
}

// wanted is what the flags ask of 1Password and of the environment, and the way in. All that is wrong
// with the declarations is told together.
func (a *app) wanted(f vaultFlags, needed bool) (w deploy.Wanted, v deploy.Vault, err error) {
	w, v, ok, err := a.asked(f)
	if err == nil && !ok && (w.AsksVault() || needed && !w.Loaded()) {
		return deploy.Wanted{}, v, noCredentials()
	}
	return w, v, err
}

// asked is wanted, where it may be that there are no credentials: ok says whether.
func (a *app) asked(f vaultFlags) (w deploy.Wanted, v deploy.Vault, ok bool, err error) {
	w, err = a.wants(f)
	vault, ok, vaultErr := a.vault(f.credentialFlags)
	if problems := append(problem.Of(vaultErr), problem.Of(err)...); len(problems) > 0 {
		return deploy.Wanted{}, v, false, problems
	}
	return w, vault, ok, nil
}

// wants is what the options want of 1Password, whatever there is to ask it with.
func (a *app) wants(f vaultFlags) (deploy.Wanted, error) {
	declared, declaredErr := f.declarations(a.loaded)
	keys, keysErr := f.keys(a.loaded)
	certificates, certificatesErr := f.certificates(a.loaded)
	passphrase, passphraseErr := f.passphrase(a.loaded)
	public, publicErr := nameSet("public", f.Public)
	return deploy.Wanted{
		Secrets: declared, Keys: keys, Passphrase: passphrase, Public: public, AllowEmpty: f.AllowEmpty.names(),
		AllowNames: f.AllowName.names(), References: f.AllowReference.names(),
		Certs: certificates, Users: f.SSHUser.names(), Forward: f.ForwardAgent, AnyPeer: f.AllowAnyPeer,
	}, errors.Join(declaredErr, keysErr, certificatesErr, passphraseErr, publicErr)
}

// noCredentials is what is wrong where something is wanted of 1Password and there
// is no way in.
func noCredentials() *problem.Problem {
	return problem.Usagef(
		"set OP_SERVICE_ACCOUNT_TOKEN (in the action: service-account-token), or OP_CONNECT_HOST and OP_CONNECT_TOKEN; in a terminal, 1Password's own op will do",
		"no credentials for 1Password are given").About(problem.NoCredentials)
}

// directory is a directory that an option names, absolute.
func (a *app) directory(option, dir string) (string, error) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(a.Dir, dir)
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return "", problem.Usagef("give a directory that is there, relative to where the command is run",
			"%s %s is not a directory", option, dir)
	}
	return dir, nil
}

// process is what a run may know of ours.
func (a *app) process(signals <-chan os.Signal) deploy.Process {
	return deploy.Process{
		Env: a.Env, Executable: a.Executable, Stdin: a.Stdin, Gate: a.gate, Stdout: a.Stdout, Stderr: a.Stderr,
		Signals: signals, Reaper: a.reaper, System: a.system, Foreign: a.dubious(),
	}
}

// terminal is our terminal, if standard input is one.
func (a *app) terminal() *deploy.Terminal {
	if !isTerminal(a.Stdin) {
		return nil
	}
	return &deploy.Terminal{File: a.Stdin, Stdout: a.Stdout.IsTerminal(), Stderr: a.Stderr.IsTerminal()}
}

// ended tells what was wrong and gives the status as an error of main's.
func (a *app) ended(status int, err error, command string) error {
	a.tell(err, command)
	if err != nil && status == problem.Done {
		// It is done, but its log is not whole, or something of it is left.
		status = problem.Partial
	}
	return exitStatus(status)
}

// commas is a list as Kamal takes it.
func commas(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
}

// skipsPush tells whether Kamal's own arguments say that no image is built: the last of
// them that says anything about it.
func skipsPush(args []string) (skips bool) {
	for _, option := range kamal.Options(args) {
		if option.Name == "--skip-push" {
			skips = !option.Off
		}
	}
	return skips
}
