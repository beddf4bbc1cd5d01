package cli

import "github.com/kamal-op/kamal-op/internal/edit"

// migrateCommand is `kamal-op migrate [WORKFLOW]`.
type migrateCommand struct {
	Workflow     string `arg:"" optional:"" name:"workflow" help:"Workflow to change, .gitlab-ci.yml or .circleci/config.yml (default the one that runs kamal)."`
	SSHKey       string `name:"ssh-key" placeholder:"op://VAULT/ITEM[/FIELD]" help:"SSH key, where the workflow has it from elsewhere than 1Password."`
	WorkflowOnly bool   `name:"workflow-only" help:"Leave all options in the workflow, and write no project file."`
	planFlags    `set:"directory=Directory of the repository (default the current one)."`
}

// Run makes one step of a workflow's steps, or a job of kamal-op's.
func (c migrateCommand) Run(a *app) error {
	change := changeFlags{planFlags: c.planFlags}
	o, err := change.options(a, "")
	if err != nil {
		return err
	}
	plan, err := edit.Migrate(o, edit.MigrateOptions{Workflow: c.Workflow, SSHKey: c.SSHKey, Share: !c.WorkflowOnly})
	if err != nil {
		return err
	}
	return change.carryOut(a, o.Dir, plan)
}
