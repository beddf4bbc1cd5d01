//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/mask"
)

// An account is what kamal-op signs in to with a service account: a stand-in of
// 1Password's cloud that has what the rehearsal's Connect server has, and the SDK's core
// compiled, as the published image has it and every second run of others.
type account struct {
	cloud *standin.Cloud
	dir   string
}

// open starts the cloud and has the program compile the core.
func (a *account) open(ctx context.Context, program string, r rehearsal.DeployRequest) (err error) {
	vaults, err := vaultsOf(ctx, r)
	if err != nil {
		return err
	}
	if a.cloud, err = standin.StartCloud(ctx, standin.CloudOptions{Vaults: vaults, Latency: latency}); err != nil {
		return err
	}
	if a.dir, err = os.MkdirTemp("", "account"); err != nil {
		return err
	}
	if err := os.WriteFile(a.authority(), a.cloud.CA(), 0o600); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, program, "cache", "warm", a.core()).CombinedOutput(); err != nil {
		return fmt.Errorf("kamal-op cache warm: %w: %s", err, out)
	}
	return nil
}

func (a *account) authority() string { return filepath.Join(a.dir, "ca.pem") }

func (a *account) core() string { return filepath.Join(a.dir, "core") }

// env is what a run has in its environment to sign in.
func (a *account) env() []string {
	return []string{"OP_SERVICE_ACCOUNT_TOKEN=" + a.cloud.Token(), "HTTPS_PROXY=" + a.cloud.Proxy(), "SSL_CERT_FILE=" + a.authority()}
}

// close ends the cloud.
func (a *account) close() error {
	var errs []error
	if a.cloud != nil {
		errs = append(errs, a.cloud.Close())
	}
	if a.dir != "" {
		errs = append(errs, os.RemoveAll(a.dir))
	}
	return errors.Join(errs...)
}

// vaultsOf are the vaults of the rehearsal, read from its Connect server.
func vaultsOf(ctx context.Context, r rehearsal.DeployRequest) ([]standin.VaultSpec, error) {
	connect, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: r.ConnectHost, Token: mask.NewSecret("token", r.ConnectToken)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = connect.Close() }()
	resolver := onepassword.NewResolver(connect, onepassword.Options{})
	vaults, err := resolver.Vaults(ctx)
	if err != nil {
		return nil, err
	}
	var specs []standin.VaultSpec
	for _, v := range vaults {
		spec := standin.VaultSpec{Name: v.Name}
		items, err := resolver.Items(ctx, v.ID)
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			item, err := resolver.Item(ctx, v.ID, i.ID)
			if err != nil {
				return nil, err
			}
			one := standin.ItemSpec{Title: item.Title, Category: item.Category}
			for _, f := range item.Fields {
				one.Fields = append(one.Fields, standin.FieldSpec{ID: f.ID, Label: f.Label, Value: f.Value.Reveal(), Type: f.Type, Purpose: f.Purpose})
			}
			spec.Items = append(spec.Items, one)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}
