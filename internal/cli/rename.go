package cli

import "github.com/kamal-op/kamal-op/internal/edit"

// renameCommand is `kamal-op rename OLD NEW`.
type renameCommand struct {
	changeFlags
	Old             string `arg:"" name:"old" help:"Name of the secret." complete:"secret"`
	New             string `arg:"" name:"new" help:"Name that it is to have."`
	destinationFlag `set:"destination=Rename it in this destination's own files alone (default all files)."`
}

// Run renames a secret in all its places.
func (c renameCommand) Run(a *app) error {
	o, err := c.options(a, c.Destination)
	if err != nil {
		return err
	}
	plan, err := edit.Rename(o, c.Old, c.New)
	if err != nil {
		return err
	}
	return c.carryOut(a, o.Dir, plan)
}
