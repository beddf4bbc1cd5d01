package cli

import "github.com/kamal-op/kamal-op/internal/edit"

// migrateCommand is `kamal-op migrate [WORKFLOW]`.
type migrateCommand struct {
	Workflow  string `arg:"" optional:"" name:"workflow" help:"Workflow to change (default the one in .github/workflows that runs kamal)."`
	SSHKey    string `name:"ssh-key" placeholder:"op://VAULT/ITEM[/FIELD]" help:"SSH key, where the workflow has it from elsewhere than 1Password."`
	planFlags `set:"directory=Directory of the repository (default the current one)."`
}

// Run makes one step of a workflow's steps.
func (c migrateCommand) Run(a *app) error {
	change := changeFlags{planFlags: c.planFlags}
	o, err := change.options(a, "")
	if err != nil {
		return err
	}
	plan, err := edit.Migrate(o, edit.MigrateOptions{Workflow: c.Workflow, SSHKey: c.SSHKey})
	if err != nil {
		return err
	}
	return change.carryOut(a, o.Dir, plan)
}
