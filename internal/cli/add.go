package cli

import (
	"context"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/edit"
)

// addCommand is `kamal-op add NAME`.
type addCommand struct {
	credentialFlags
	changeFlags
	Name            string `arg:"" name:"name" help:"Name of the secret."`
	Item            string `name:"item" placeholder:"op://VAULT/ITEM[/FIELD]" help:"Item that has it as a field (default the one that the secrets file names)."`
	Alias           lines  `name:"alias" placeholder:"NAME" help:"Name of the variable in the container, where it is another. Repeatable."`
	destinationFlag `set:"destination=Add it for this destination alone (default all)."`
	Role            string `name:"role" placeholder:"ROLE" help:"Give it to this role of servers alone." complete:"role"`
	Accessory       string `name:"accessory" placeholder:"NAME" help:"Give it to this accessory." complete:"accessory"`
	Tag             string `name:"tag" placeholder:"TAG" help:"Give it to the hosts with this tag (env.tags)."`
	Builder         bool   `name:"builder" help:"Give it to the build of the image (builder.secrets)."`
	Account         string `name:"account" placeholder:"NAME" help:"Account for a fetch that is written anew, which Kamal asks for (default that of the others)."`
	Offline         bool   `name:"offline" help:"Do not look whether the field is in 1Password."`
}

// Run adds a secret in all its places.
func (c addCommand) Run(a *app) error {
	o, err := c.options(a, c.Destination)
	if err != nil {
		return err
	}
	add := func(ctx context.Context, vault check.Vault) error {
		o.Vault = vault
		plan, err := edit.Add(ctx, o, edit.Addition{
			Name: c.Name, Item: c.Item, Account: c.Account, Aliases: c.Alias.names(),
			Role: c.Role, Accessory: c.Accessory, Tag: c.Tag, Builder: c.Builder,
		})
		if err != nil {
			return err
		}
		return c.carryOut(a, o.Dir, plan)
	}
	if c.Offline {
		return add(context.Background(), nil)
	}
	return a.withVault(c.credentialFlags, add)
}
