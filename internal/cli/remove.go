package cli

import "github.com/kamal-op/kamal-op/internal/edit"

// removeCommand is `kamal-op remove NAME`.
type removeCommand struct {
	changeFlags
	Name            string `arg:"" name:"name" help:"Name of the secret." complete:"secret"`
	destinationFlag `set:"destination=Take it out of this destination's own files alone (default all files)."`
}

// Run takes a secret out of all its places.
func (c removeCommand) Run(a *app) error {
	o, err := c.options(a, c.Destination)
	if err != nil {
		return err
	}
	plan, err := edit.Remove(o, c.Name)
	if err != nil {
		return err
	}
	return c.carryOut(a, o.Dir, plan)
}
