package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/promote"
	"github.com/kamal-op/kamal-op/internal/registry"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// promoteCommand is `kamal-op promote --from DESTINATION [--to DESTINATION]`.
type promoteCommand struct {
	vaultFlags
	timeFlags
	configFileFlag
	versionFlag `set:"version=Version to promote, where --from runs several (default the one that it runs)."`
	kamalFlag
	directoryFlag
	envFlag
	lockFlags
	checkFlag
	hostKeysFlag
	checkHostsFlag
	opScopeFlag
	exactFlag
	broker.Choices
	gitHubEnvironmentFlag
	dryChangeFlag `set:"dry_run=Show what would be deployed, and deploy nothing."`
	From          string `name:"from" placeholder:"DESTINATION" help:"Destination that runs what is deployed." complete:"destination"`
	To            string `name:"to" placeholder:"DESTINATION" help:"Destination to deploy to (default Kamal's configuration without one)." complete:"destination"`
	AcceptBuildOf string `name:"accept-build-of" placeholder:"DESTINATION" help:"Deploy what was built for this destination (--from), though the configuration of --to would have had it built otherwise." complete:"destination"`
	CopyImage     bool   `name:"copy-image" help:"Copy the image by its digest, where --to has another repository or another registry than --from." note:"See docs/promote.md."`
	JSON          bool   `name:"json" help:"Print what is promoted, and what runs then, as JSON."`
}

// A promotion is one run of the command.
type promotion struct {
	*app
	flags  promoteCommand
	choice promote.Choice
	told   promoted
	logins sync.Map // destination to broker.RegistryLogin: of registries, where the image may be copied
}

// promoted is the report as a program reads it.
type promoted struct {
	From        string         `json:"from"`
	To          string         `json:"to"`
	Promoted    bool           `json:"promoted"` // all of To runs the image now
	DryRun      bool           `json:"dry_run"`
	Image       *promote.Image `json:"image"`       // null where it is not known which
	Differences []string       `json:"differences"` // of the builds, by their names
	Copy        *registry.Copy `json:"copy"`        // null where the image is not to be copied
	Plan        *plan.Plan     `json:"plan"`        // null where it did not come to that
	key         string
}

// Run deploys to one destination what another runs.
func (c promoteCommand) Run(a *app) error {
	if err := c.usage(a); err != nil {
		return err
	}
	if err := a.show(logFlags{}, c.WorkingDirectory, !c.JSON); err != nil {
		return err
	}
	if err := a.withEnv(c.Env); err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	p := &promotion{
		app: a, flags: c, choice: promote.Choice{From: c.From, To: c.To, Version: c.Version, AcceptBuildOf: c.AcceptBuildOf, CopyImage: c.CopyImage},
		told: promoted{From: c.From, To: c.To, DryRun: c.DryRun, Differences: []string{}, key: rand.Text()},
	}
	process := a.process(signals)
	if c.JSON {
		process.Stdout = a.Stderr // standard output is the report's
	}
	status, err := p.run(ctx, process)
	err = a.explainConnect(err)
	if errors.As(err, new(supervise.Signalled)) {
		err = nil // whoever sent it knows
	}
	a.tell(err, "promote")
	if err != nil && status == problem.Done {
		status = problem.Partial // it is done, but something of it is left
	}
	if err := p.write(status); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return exitStatus(status)
}

// usage is what is wrong with the options by themselves.
func (c promoteCommand) usage(a *app) error {
	var problems problem.List
	if destination, origin, given := a.lookup.value("destination"); given && strings.TrimSpace(destination) != c.To {
		problems = append(problems, problem.Usagef("name it with --to", "%s: a promotion has two destinations, and %s is not that of --to", origin, strings.TrimSpace(destination)))
	}
	switch {
	case c.From == "":
		problems = append(problems, problem.Usagef("such as kamal-op promote --from staging --to production", "what is to be promoted is not said: --from names the destination that runs it"))
	case c.From == c.To:
		problems = append(problems, problem.Usagef("name two destinations", "--from and --to are both %s", c.From))
	}
	if c.AcceptBuildOf != "" && c.AcceptBuildOf != c.From {
		problems = append(problems, problem.Usagef("it names the destination of --from, or is left away", "--accept-build-of is %s, and what is promoted was built for %s", c.AcceptBuildOf, c.From))
	}
	for _, p := range problems {
		p.Help = problem.Promoting
	}
	return append(problems, overrides(a.rest)...).Err()
}

// overrides are the options behind -- with which Kamal would deploy something else, or
// elsewhere, than what is looked at and shown.
func overrides(args []string) (problems problem.List) {
	for _, option := range kamal.Options(args) {
		var hint string
		switch option.Name {
		case "--version":
			hint = "choose one of the versions that --from runs with --version before the --"
		case "--destination":
			hint = "name it with --to"
		case "--config-file":
			hint = "give --config-file before the --"
		case "--skip-push":
			hint = "leave it away: a promotion builds nothing"
		default:
			continue
		}
		problems = append(problems, problem.Usagef(hint, "%s behind the --: a promotion gives Kamal %s itself", option.Text, option.Name))
	}
	return problems
}

// run looks at both destinations, tells and deploys. status is that of the run.
func (p *promotion) run(ctx context.Context, process deploy.Process) (status int, err error) {
	ended := func(err error) (int, error) {
		var signalled supervise.Signalled
		if errors.As(context.Cause(ctx), &signalled) {
			return signalled.Status(), err
		}
		return problem.Status(err), err
	}
	job, err := p.flags.job(p.app, process, p.choice.To)
	if err == nil {
		_, err = kamal.ReadConfig(job.Project) // what is wrong with its files is told before anybody is asked
	}
	if err != nil {
		return ended(err)
	}
	job.RegistryLogin = p.registryLogin(p.choice.To)
	if !p.flags.JSON {
		job.Terminal = p.terminal()
	}
	from, image, err := p.source(ctx, process)
	if err != nil {
		return ended(err)
	}
	p.told.Image = &image
	if job.Deployment, err = p.deployment(ctx, p.flags.gitHubEnvironmentFlag, job, image.Version); err != nil {
		return ended(err)
	}
	defer job.Deployment.Close()
	series, err := job.Open(ctx)
	if err != nil {
		return ended(err)
	}
	defer func() { err = errors.Join(err, series.Close()) }()
	to, err := p.target(ctx, series, from)
	if err != nil {
		return ended(err)
	}
	if err := p.tell(from, to); err != nil {
		return problem.Found, err
	}
	p.told.Promoted = image.Everywhere(to)
	if p.flags.DryRun || p.told.Promoted {
		return problem.Done, nil
	}
	if err := p.copyImage(ctx); err != nil {
		return ended(err)
	}
	status, err = p.deploy(ctx, series, to)
	if status != problem.Done {
		return status, err
	}
	after, lookErr := p.look(ctx, series, p.choice.To)
	if lookErr == nil {
		lookErr = p.runs(after)
	}
	if lookErr != nil {
		status, _ = ended(lookErr)
	}
	return status, errors.Join(err, lookErr)
}

// source is what --from runs, and the image that is promoted of it.
func (p *promotion) source(ctx context.Context, process deploy.Process) (from promote.Report, image promote.Image, err error) {
	g, err := p.again(p.choice.From)
	if err != nil {
		return from, image, err
	}
	job, err := g.Promote.job(p.app, process, p.choice.From)
	if err != nil {
		return from, image, err
	}
	// It is asked, and not deployed to: what is declared for it is read only where Kamal has
	// to know a secret, and none is handed over.
	job.Check, job.CheckHosts, job.FreshEnv, job.RollbackOnFailure = deploy.CheckOff, false, false, false
	job.ExactValues, job.RegistryLogin = kamal.ExactValues{}, p.registryLogin(p.choice.From)
	if !p.takesSecrets(job.Project) {
		job.Wanted.Secrets = nil
	}
	series, err := job.Open(ctx)
	if err != nil {
		return from, image, err
	}
	defer func() { err = errors.Join(err, series.Close()) }()
	if from, err = p.look(ctx, series, p.choice.From); err != nil {
		return from, image, err
	}
	image, err = p.choice.Image(from)
	return from, image, err
}

// takesSecrets says whether Kamal has to know secrets of the one destination to tell what
// it builds, to log in, or for the image to be copied. Where ERB decides, it may.
func (p *promotion) takesSecrets(o kamal.ProjectOptions) bool {
	config, err := kamal.ReadConfig(o)
	if err != nil || len(config.Unknown) > 0 {
		return true
	}
	for _, u := range config.Uses {
		if u.Key == "builder.secrets" || u.Key == "ssh.key_data" || p.flags.CopyImage && strings.HasPrefix(u.Key, "registry.") {
			return true
		}
	}
	return false
}

// job is what Kamal needs of a destination, by the options that hold for it.
func (c promoteCommand) job(a *app, process deploy.Process, destination string) (j deploy.Job, err error) {
	j = deploy.Job{
		Process: process, Kamal: c.Kamal, Check: deploy.CheckLevel(c.Check), CheckHosts: c.CheckHosts == "on",
		AnyVault: c.OpScope == "any", Choices: c.Choices, FreshEnv: !c.NoFreshEnv,
		Project: kamal.ProjectOptions{Dir: a.dir, ConfigFile: c.ConfigFile, Destination: destination, Env: a.Env},
	}
	err = a.complete(&j, c.vaultFlags, c.hostKeysFlag, c.exactFlag, c.lockFlags)
	return j, err
}

// look asks what a destination runs.
func (p *promotion) look(ctx context.Context, series *deploy.Session, destination string) (promote.Report, error) {
	out, err := series.Ask(ctx, deploy.Call{
		Title: "asking what " + promote.Name(destination) + " runs", Preload: promote.Preload(), Env: p.asking(),
		Args: kamal.Args(promote.LookCommand, kamal.ArgOptions{Destination: destination, ConfigFile: p.flags.ConfigFile}),
	})
	if err != nil {
		return promote.Report{}, err
	}
	return promote.Parse(out)
}

// target is what --to runs and what the deploy would change there, where the image may be
// deployed to it.
func (p *promotion) target(ctx context.Context, series *deploy.Session, from promote.Report) (to promote.Report, err error) {
	image := *p.told.Image
	out, err := series.Ask(ctx, deploy.Call{
		Title: "asking what a deploy would change", Preload: promote.Preload(), Env: p.asking(),
		Args: kamal.Args(promote.PlanCommand, kamal.ArgOptions{Destination: p.choice.To, ConfigFile: p.flags.ConfigFile, Version: image.Version}),
	})
	if err != nil {
		return to, err
	}
	observed, err := plan.Parse(out)
	if err != nil {
		return to, err
	}
	if to, err = promote.Parse(out); err != nil {
		return to, err
	}
	would := plan.Of(observed)
	p.told.Plan = &would
	if p.told.Differences, err = p.choice.Check(image, from, to, would); p.told.Differences == nil {
		p.told.Differences = []string{}
	}
	if p.choice.Copies(image, to) && !image.Everywhere(to) {
		var copyErr error
		p.told.Copy, copyErr = p.findImage(ctx, image, to)
		err = errors.Join(err, copyErr)
	}
	switch c := p.told.Copy; {
	case c != nil && !c.There:
		would.Image.State, would.Image.Why = plan.Promoted, "copied by its digest from "+c.From+", as "+p.choice.From+" runs it, and is not built"
	case c != nil || would.Image.State != plan.ToBeBuilt:
		would.Image.State, would.Image.Why = plan.Promoted, "as "+p.choice.From+" runs it ("+image.Short()+"), and is not built"
	}
	return to, err
}

// tell shows what is to be deployed before it is.
func (p *promotion) tell(from, to promote.Report) error {
	image := *p.told.Image
	if len(p.told.Differences) > 0 {
		p.system.Notice(problem.New("--accept-build-of "+p.choice.From+": built otherwise than "+promote.Name(p.choice.To)+" would have been: "+strings.Join(p.told.Differences, ", "), ""))
	}
	if here := from.Version; here != "" && here != image.Version {
		p.system.Notice(problem.New("deploy.yml is here as in version "+here+", and "+image.Version+" is promoted: the hosts, the proxy and the variables are those of here",
			"check out "+image.Version+" to deploy it as it was tested"))
	}
	if copied := p.choice.CopyLine(image, to); copied != "" && !p.flags.CopyImage {
		p.system.Notice(problem.New(promote.Name(p.choice.To)+" takes the image from "+to.Repository+", where it must be by the same digest", "--copy-image copies it, and so does "+copied))
	}
	if p.flags.JSON {
		return nil
	}
	err := p.report(gate.Cleaned(p.gate, *p.told.Plan).Text(p.colours(p.Stdout)))
	return err
}

// deploy is Kamal's deploy of the version, which builds nothing.
func (p *promotion) deploy(ctx context.Context, series *deploy.Session, to promote.Report) (int, error) {
	env, err := p.choice.Environment(*p.told.Image, to)
	if err != nil {
		return problem.Found, err
	}
	return series.Main(ctx, "promote", deploy.Call{
		Preload: promote.Hold(), Env: env, Found: promote.Stopped,
		Args: kamal.Args("deploy", kamal.ArgOptions{
			Destination: p.choice.To, ConfigFile: p.flags.ConfigFile, Version: p.told.Image.Version, SkipPush: true, Extra: p.rest,
		}),
	})
}

// runs holds what --to runs after the deploy against what was promoted.
func (p *promotion) runs(after promote.Report) error {
	var problems problem.List
	for _, other := range p.told.Image.Elsewhere(after) {
		what := "nothing"
		if other.Name != "" {
			what = other.Name
		}
		problems = append(problems, &problem.Problem{
			Message: fmt.Sprintf("on %s the role %s runs %s after the deploy, and not what was promoted", other.Host, other.Role, what),
			Hint:    "somebody else has deployed meanwhile, or the host was left out: promote again", Status: problem.Partial,
		})
	}
	for _, u := range after.Unreached {
		problems = append(problems, &problem.Problem{Message: "what " + u.Host + " runs after the deploy is not known: " + u.Why, Status: problem.Partial})
	}
	p.told.Promoted = p.told.Image.Everywhere(after)
	return problems.Err()
}

// write writes the report. As text the plan has been told before; here is how it ended.
func (p *promotion) write(status int) error {
	if p.flags.JSON {
		encoder := json.NewEncoder(p.Stdout.JSON())
		encoder.SetIndent("", "  ")
		return encoder.Encode(p.told)
	}
	if status != problem.Done {
		return nil // why is told
	}
	text := fmt.Sprintf("%s runs %s as %s does, %s", promote.Name(p.choice.To), p.told.Image.Version, p.choice.From, p.told.Image.Short())
	if p.flags.DryRun && !p.told.Promoted {
		text = "nothing was deployed"
	}
	return p.report(gate.Visible(text) + "\n")
}
