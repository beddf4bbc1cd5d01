package cli

import (
	"context"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/edit"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// initCommand is `kamal-op init`.
type initCommand struct {
	credentialFlags
	changeFlags
	Vault       string `name:"vault" placeholder:"NAME" help:"Vault of the project (default the service's name, my-app as MyApp)."`
	Item        string `name:"item" placeholder:"NAME" help:"Item that has the app's secrets as fields (default Production, or the destination's name)."`
	KeyItem     string `name:"key-item" placeholder:"NAME" help:"Item that has the SSH key (default Server)."`
	Account     string `name:"account" placeholder:"NAME" help:"Account that Kamal's fetch names: the address of yours for people's own op CLI; kamal-op does not look at it (default my)."`
	Branch      string `name:"branch" placeholder:"NAME" default:"main" help:"Branch whose pushes are deployed."`
	CI          string `name:"ci" enum:"github,gitlab,circleci" default:"github" help:"CI system whose file is written: github, gitlab or circleci."`
	Review      bool   `name:"review" help:"Begin review apps too: config/deploy.review.yml and its secrets file."`
	ReviewVault string `name:"review-vault" placeholder:"NAME" default:"Previews" help:"Vault of the review apps: another than the project's, with a service account of its own."`
	Force       bool   `name:"force" help:"Write over a workflow that is there."`
	PinHosts    bool   `name:"pin-hosts" help:"Fetch the servers' host keys and write them into the project file, without asking whether they are right."`
	Offline     bool   `name:"offline" help:"Do not look which fields are in 1Password, nor ask Kamal or a server."`
}

// Run writes what a project begins with.
func (c initCommand) Run(a *app) error {
	o, err := c.options(a, "")
	if err != nil {
		return err
	}
	in := edit.InitOptions{
		Vault: c.Vault, Item: c.Item, KeyItem: c.KeyItem, Account: c.Account, Branch: c.Branch, CI: edit.CI(c.CI),
		Force: c.Force, ReviewVault: c.ReviewVault,
	}
	if c.Review {
		in.Review = review.Overlay
	}
	o.For = a.declaredInFile
	begin := func(ctx context.Context, vault check.Vault) error {
		o.Vault = vault
		if ask := a.question(ctx); ask != nil && !c.JSON {
			seen := &catalog{app: a, flags: c.credentialFlags, off: c.Offline}
			defer seen.close()
			in.Ask = func(q edit.Question) (string, error) { return seen.ask(ctx, ask, q) }
		}
		var err error
		if in.HostKeys, err = c.hostKeys(ctx, a, o); err != nil {
			return err
		}
		plan, err := edit.Init(ctx, o, in)
		if err != nil {
			return err
		}
		if err := c.carryOut(a, o.Dir, plan); err != nil || c.DryRun || c.Offline {
			return err
		}
		return c.askKamal(ctx, a, o)
	}
	if c.Offline {
		return begin(context.Background(), nil)
	}
	return a.withVault(c.credentialFlags, begin)
}

// declaredInFile gives the options of a destination what the project file declares for
// it.
func (a *app) declaredInFile(o check.Options, destination string) (check.Options, error) {
	p := a.lookup.file
	p.destination = destination
	given := vaultFlags{}
	given.Secret, given.SSHKey = p.values("secret"), p.values("ssh-key")
	err := given.toCheck(&o)
	return o, err
}

// askKamal asks the Kamal that is here, if there is one, whether it takes the
// configuration: the files are written then, so what it refuses is a deploy that is
// done in part.
func (c initCommand) askKamal(ctx context.Context, a *app, o check.Options) error {
	binary, err := kamal.Find(ctx, kamal.FindOptions{Dir: o.Dir, Env: a.Env})
	if err != nil {
		return nil //nolint:nilerr // there is none that could be asked
	}
	var problems problem.List
	for _, d := range o.AllDestinations() {
		if d == "review" { // its ERB asks for what only a pull request gives
			continue
		}
		err := kamal.Loads(ctx, binary, kamal.ProjectOptions{Dir: o.Dir, ConfigFile: o.ConfigFile, Destination: d}, a.Env)
		for _, p := range problem.Of(err) {
			p.Status = problem.Partial
			problems = append(problems, p)
		}
	}
	return problems.Err()
}
