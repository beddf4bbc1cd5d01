package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/doctor"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

// doctorCommand is `kamal-op doctor`.
type doctorCommand struct{ lookFlags }

// lookFlags are the options of what looks, and changes nothing: doctor and watch.
type lookFlags struct {
	vaultFlags
	timeFlags
	destinationFlag
	configFileFlag
	envFlag
	kamalFlag
	directoryFlag
	hostKeysFlag `set:"host_keys="`
	opScopeFlag  `set:"op_scope="`
	exactFlag
	JSON bool `name:"json" help:"Print the report as JSON."`
}

// Run looks at all that a run needs and tells how it is. Nothing is changed, no lock is
// taken, and nothing is left behind.
func (c doctorCommand) Run(a *app) error {
	return c.look(a, (*doctorProject).checks, func(_ context.Context, _ *doctorProject, r doctor.Report) error { return reported(r) })
}

// reported is a report's status as an error.
func reported(r doctor.Report) error {
	if status := r.Status(); status != problem.Done {
		return exitStatus(status)
	}
	return nil
}

// look does the checks that pick picks, prints what they have found, and ends as then
// says.
func (c lookFlags) look(a *app, pick func(p *doctorProject) ([]doctor.Check, error), then func(ctx context.Context, p *doctorProject, r doctor.Report) error) error {
	if err := a.show(logFlags{}, c.WorkingDirectory, false); err != nil {
		return err
	}
	if err := a.withEnv(c.Env); err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	p := doctorProject{app: a, given: c, questions: doctor.Ask(ctx)}
	defer p.questions.Close()
	if err := p.prepare(a.process(signals)); err != nil {
		return err
	}
	defer p.close()
	checks, err := pick(&p)
	if err != nil {
		return err
	}
	r := doctor.Run(ctx, checks, a.system.Status)
	var late deploy.OutOfTime
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &late):
		return late.Problem("while it was looked at what a run needs")
	case cause != nil:
		return cause
	}
	r = gate.Cleaned(a.gate, r) // before anything in it is made visible
	if c.JSON {
		encoder := json.NewEncoder(a.Stdout.JSON())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
	} else {
		err = a.report(r.Text(a.colours(a.Stdout)))
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return then(ctx, &p, r)
}

// A doctorProject is the project that is looked at, with what its checks share: each asks
// 1Password, Kamal and the files through the same questions.
type doctorProject struct {
	*app
	given     lookFlags
	questions *doctor.Questions
	job       deploy.Job
	backend   onepassword.Backend // nil without credentials
	keyless   bool                // there are none, and an earlier step has loaded all that is wanted
	reviews   *reviewing          // the previews that are looked at; nil where there are none

	binary   func(ctx context.Context) (kamal.Binary, error)
	config   func(ctx context.Context) (configured, error)
	login    func(ctx context.Context) (doctor.Login, error)
	observed func(ctx context.Context) (doctor.Observed, error)
}

// configured is the project's configuration, and whether Kamal was asked for it: where
// ERB decides some of it.
type configured struct {
	*kamal.Config
	asked bool
}

// prepare makes the job that a run would be, and the questions. Only options that are
// wrong are an error.
func (p *doctorProject) prepare(process deploy.Process) error {
	wanted, vault, ok, err := p.asked(p.given.vaultFlags)
	if err != nil {
		return err
	}
	if wanted.Pins, wanted.PinRefs, err = hostKeys(p.given.HostKeys, p.loaded); err != nil {
		return err
	}
	if ok {
		if vault.Prepare != nil {
			vault.Prepare()
		}
		if p.backend, err = vault.Open(); err != nil {
			return err
		}
		vault.Resolver = onepassword.NewResolver(p.backend, onepassword.Options{AllowEmpty: wanted.AllowEmpty})
	}
	p.keyless = !ok && wanted.Loaded() && !wanted.AsksVault()
	exact, err := p.given.exact()
	if err != nil {
		return err
	}
	process.System = quiet{process.System}
	process.Stdout = p.Stderr // standard output is the report's
	p.job = deploy.Job{
		Process: process, Vault: vault, Wanted: wanted, Kamal: p.given.Kamal,
		Project: kamal.ProjectOptions{Dir: p.dir, ConfigFile: p.given.ConfigFile, Destination: p.given.Destination, Env: p.Env},
		Check:   deploy.CheckOff, AnyVault: p.given.OpScope == "any", ExactValues: exact,
	}
	p.binary = doctor.Share(p.questions, func(ctx context.Context) (kamal.Binary, error) {
		return kamal.Find(ctx, kamal.FindOptions{Dir: p.dir, Explicit: p.given.Kamal, Env: p.Env})
	})
	p.config = doctor.Share(p.questions, p.readConfig)
	p.login = doctor.Share(p.questions, p.readLogin)
	p.observed = doctor.Share(p.questions, p.observe)
	return nil
}

// close lets go of 1Password, when nobody asks any more.
func (p *doctorProject) close() {
	p.questions.Close()
	if p.reviews != nil {
		p.reviews.close()
	}
	if p.backend != nil {
		_ = p.backend.Close() // it was only read from
	}
}

// checks are all that apply here.
func (p *doctorProject) checks() ([]doctor.Check, error) {
	checks, err := p.serverChecks()
	if err != nil {
		return nil, err
	}
	checks = append(checks,
		doctor.CheckDocker(p.Env, p.dir, p.buildsHere),
		doctor.CheckBinary(p.binary),
		doctor.CheckPreload(p.observed),
	)
	var asked *github.Client // nil elsewhere than in a workflow
	if p.env["GITHUB_ACTIONS"] == "true" {
		client, err := p.githubClient("")
		if err != nil {
			return nil, err
		}
		run := github.Run{Job: p.env["GITHUB_JOB"], Runner: p.env["RUNNER_NAME"]}
		run.ID, _ = strconv.ParseInt(p.env["GITHUB_RUN_ID"], 10, 64) // 0 is no run's
		run.Attempt, _ = strconv.ParseInt(p.env["GITHUB_RUN_ATTEMPT"], 10, 64)
		checks = append(checks, doctor.CheckToken(client, run))
		if client != nil {
			checks = append(checks, doctor.CheckLimit(client))
		}
		asked = client
	}
	file := p.lookup.file
	checks = append(checks, doctor.CheckWorkflows(func() []check.WorkflowJob { return check.WorkflowJobs(p.dir, file.gives) }, asked))
	if file.file != nil {
		checks = append(checks, doctor.CheckProjectFile(projectfile.Name, file.unconfirmed(), file.weakening()))
	}
	return checks, nil
}

// serverChecks are those of the vault and the servers, wherever they are looked at from.
func (p *doctorProject) serverChecks() ([]doctor.Check, error) {
	compare, err := p.comparison()
	if err != nil {
		return nil, err
	}
	var checks []doctor.Check
	if !p.keyless {
		checks = append(checks, doctor.CheckCredentials(p.backend, p.vaults))
	}
	checks = append(checks,
		doctor.CheckSecrets(p.backend != nil || p.keyless, compare),
		doctor.CheckKeys(len(p.job.Wanted.Keys) > 0, p.login, time.Now),
		doctor.CheckHosts(doctor.HostLook{Servers: p.servers, Login: p.login, Observed: p.observed, Env: p.Env, Dir: p.dir}),
		doctor.CheckRegistries(p.observed),
	)
	return checks, nil
}

// vaults are those that the credentials may read.
func (p *doctorProject) vaults(ctx context.Context) ([]onepassword.Vault, error) {
	if p.job.Vault.Resolver == nil {
		return nil, noCredentials()
	}
	vaults, err := p.job.Vault.Resolver.Vaults(ctx)
	return vaults, p.explainConnect(err)
}

// comparison is what `kamal-op check` would say of the destination.
func (p *doctorProject) comparison() (func(ctx context.Context) (check.Report, error), error) {
	resolver := p.job.Vault.Resolver
	o := check.Options{Run: true, Dir: p.dir, ConfigFile: p.given.ConfigFile, Env: p.Env, Destinations: []string{p.given.Destination}}
	if err := p.given.toCheck(&o); err != nil {
		return nil, err
	}
	if resolver != nil {
		o.Vault = resolver
	}
	return func(ctx context.Context) (check.Report, error) {
		if config, err := p.config(ctx); err == nil && config.asked {
			o.Config = func(string) (*kamal.Config, error) { return config.Config, nil }
		}
		return check.Check(ctx, o)
	}, nil
}

// readConfig reads the configuration, and has Kamal say what ERB makes of it.
func (p *doctorProject) readConfig(ctx context.Context) (configured, error) {
	config, err := kamal.ReadConfig(p.job.Project)
	if err != nil || len(config.Unknown) == 0 {
		return configured{Config: config}, err
	}
	binary, err := p.binary(ctx)
	if err != nil {
		return configured{Config: config}, nil //nolint:nilerr // the check of Kamal tells it
	}
	if loaded, err := resolved.Load(ctx, binary, p.job.Project, p.Env); err == nil {
		return configured{Config: loaded, asked: true}, nil
	}
	return configured{Config: config}, nil
}

// servers are the hosts of the configuration.
func (p *doctorProject) servers(ctx context.Context) (doctor.Servers, error) {
	config, err := p.config(ctx)
	if err != nil {
		return doctor.Servers{}, err
	}
	targets, whole := deploy.Targets(ctx, config.Config, p.Env)
	return doctor.Servers{Targets: targets, Partly: !whole, OwnKeys: config.SSH.KeysOnly.Or("") == "true"}, nil
}

// buildsHere tells whether images are built with the engine of this machine. Where
// that is not known, they may be.
func (p *doctorProject) buildsHere(ctx context.Context) bool {
	config, err := p.config(ctx)
	return err != nil || !config.Builder.Remote.Known && !config.Builder.Remote.ERB
}

// readLogin gets the keys and the host keys. Beside an error are the host keys that the
// options give themselves.
func (p *doctorProject) readLogin(ctx context.Context) (doctor.Login, error) {
	wanted := p.job.Wanted
	wanted.Secrets = nil
	given := doctor.Login{Pins: wanted.Pins, PinsUnread: len(wanted.PinRefs) > 0}
	if p.backend == nil {
		switch {
		case wanted.AsksVault():
			return given, noCredentials()
		case !wanted.Loaded():
			return given, nil
		}
	}
	keys, pins, err := deploy.ReadLogin(ctx, p.job.Process, p.job.Vault, wanted)
	if err != nil {
		return given, p.explainConnect(err)
	}
	return doctor.Login{Keys: keys, Pins: pins}, nil
}

// observe has Kamal say what it makes of the project.
func (p *doctorProject) observe(ctx context.Context) (doctor.Observed, error) {
	if p.backend == nil && !p.keyless {
		return doctor.Observed{}, noCredentials()
	}
	out, err := p.job.Ask(ctx, deploy.Call{
		Title: "asking Kamal", Preload: doctor.Preload(),
		Args: kamal.Args(doctor.Command, kamal.ArgOptions{Destination: p.given.Destination, ConfigFile: p.given.ConfigFile}),
	})
	if err != nil {
		return doctor.Observed{}, p.explainConnect(err)
	}
	return doctor.Parse(out)
}

// quiet is where we run, without what a run tells as it goes: the report has it.
type quiet struct{ ci.System }

// Info tells nothing.
func (quiet) Info(string) {}

// Notice tells nothing.
func (quiet) Notice(*problem.Problem) {}

// Warning tells nothing.
func (quiet) Warning(*problem.Problem) {}

// Status leaves the line to the checks.
func (quiet) Status(string) {}
