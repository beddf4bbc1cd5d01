package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/edit"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// changeFlags are the options of the commands that change a project's files.
type changeFlags struct {
	configFileFlag
	planFlags
}

// planFlags say where the changes are made, and how they are told.
type planFlags struct {
	directoryFlag
	dryChangeFlag
	changesJSONFlag
}

// options are those of package edit. Names in the secrets files are looked up in
// no environment: what is written must hold on every machine.
func (c changeFlags) options(a *app, destination string) (check.Options, error) {
	if err := a.show(logFlags{}, c.WorkingDirectory, false); err != nil {
		return check.Options{}, err
	}
	o := check.Options{Dir: a.dir, ConfigFile: c.ConfigFile}
	if destination != "" {
		o.Destinations = []string{destination}
	}
	return o, nil
}

// carryOut writes a plan, unless it is only to be shown, and tells it.
func (c changeFlags) carryOut(a *app, dir string, p edit.Plan) error {
	if err := readsBack(p); err != nil {
		return err
	}
	if !c.DryRun {
		if err := p.Write(dir); err != nil {
			return err
		}
	}
	var err error
	if c.JSON {
		err = edit.WritePlanJSON(a.Stdout.JSON(), p, c.DryRun)
	} else {
		err = edit.WritePlan(a.Stdout, p, c.DryRun, a.colours(a.Stdout), a.folder(a.Stdout))
	}
	if err != nil {
		return fmt.Errorf("writing what was changed: %w", err)
	}
	return nil
}

// readsBack reads the project file that a plan writes as every command does: nothing is
// written where that would fail.
func readsBack(p edit.Plan) error {
	i := slices.IndexFunc(p.Changes, func(change edit.Change) bool { return change.File == projectfile.Name && !change.Deleted })
	if i < 0 {
		return nil
	}
	options := fileOptions(Grammar())
	_, err := projectfile.Parse(projectfile.Name, []byte(p.Changes[i].New), options, nearOption)
	if err == nil {
		return nil
	}
	hint := "mend " + projectfile.Name + " first"
	if p.Command == "migrate" {
		hint += ", or leave all in the workflow: kamal-op migrate --workflow-only"
	}
	q := problem.New("nothing is written: "+projectfile.Name+" could not be read then", hint).About(problem.ProjectFile)
	// What is wrong with it as it is has its lines as they are.
	if _, was := projectfile.Parse(projectfile.Name, []byte(p.Changes[i].Old), options, nearOption); was != nil {
		err = was
	}
	return append(problem.Of(err), q)
}

// withVault calls do with the vault to ask, or nil where no token is given.
func (a *app) withVault(f credentialFlags, do func(ctx context.Context, vault check.Vault) error) error {
	ctx, _, stop := supervise.Notify(context.Background())
	defer stop()
	vault, ok, err := a.vault(f)
	if err != nil {
		return err
	}
	if !ok || vault.Op != "" { // no person is asked for leave for a mere question
		return do(ctx, nil)
	}
	a.asking(vault)
	backend, err := vault.OpenPrepared()
	if err != nil {
		return err
	}
	defer func() { _ = backend.Close() }() // it was only read from
	return do(ctx, onepassword.NewResolver(backend, onepassword.Options{}))
}
