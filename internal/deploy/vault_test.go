package deploy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// What a vault needs long for is begun before it is asked, whoever asks.
func TestVault_BeginsBeforeItIsAsked(t *testing.T) {
	dir, place := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"config/deploy.yml": "service: a\nimage: a/a\nservers: [203.0.113.10]\nregistry: {username: a, password: [P]}\nbuilder: {arch: amd64}\n",
		".kamal/secrets":    "P=$P\n",
		"bin/kamal":         "#!/bin/sh\necho 2.12.0\n",
	} {
		ok(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700))
	}
	self, err := os.Executable()
	ok(t, err)
	way := gate.New(gate.Options{})
	var order []string
	vault := Vault{
		Prepare: func() { order = append(order, "begun") },
		Open: func() (onepassword.Backend, error) {
			order = append(order, "asked")
			return nil, errors.New("nobody is there")
		},
	}
	process := Process{
		Env: []string{"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + place, "HOME=" + place}, Gate: way, Stdout: way.Stdout(), Stderr: way.Stderr(),
		System: ci.Detect(nil, way, way.Stdout(), ci.Options{}), Executable: self,
	}
	job := Job{
		Process: process, Vault: vault, Check: CheckOff, Args: []string{"deploy"}, Kamal: "bin/kamal",
		Project: kamal.ProjectOptions{Dir: dir},
	}
	for name, do := range map[string]func(context.Context) error{
		"a command": func(ctx context.Context) error {
			_, err := Command{Process: process, Vault: vault, Argv: []string{"true"}, Dir: dir}.Run(ctx)
			return err
		},
		"a job":    func(ctx context.Context) error { _, err := job.Run(ctx); return err },
		"a series": func(ctx context.Context) error { _, err := job.Open(ctx); return err },
		"a question": func(ctx context.Context) error {
			_, err := job.Ask(ctx, Call{Title: "asking", Args: []string{"config"}})
			return err
		},
		"a comparison": func(ctx context.Context) error { _, _, err := job.Verify(ctx, kamal.ArgOptions{}); return err },
		"who reads":    func(context.Context) error { _, err := vault.Opened(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			order = nil
			if err := do(t.Context()); err == nil || !slices.Equal(order, []string{"begun", "asked"}) {
				t.Errorf("%v: %q", err, order)
			}
		})
	}
}
