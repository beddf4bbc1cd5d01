package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/promote"
	"github.com/kamal-op/kamal-op/internal/registry"
)

// registryLogin takes the login of a destination's registry, where it may be needed.
func (p *promotion) registryLogin(destination string) func(broker.RegistryLogin) {
	if !p.flags.CopyImage {
		return nil
	}
	return func(l broker.RegistryLogin) { p.logins.Store(destination, l) }
}

// asking is the environment of a Kamal that is asked.
func (p *promotion) asking() []string {
	env := []string{promote.KeyVariable + "=" + p.told.key}
	if p.flags.CopyImage {
		env = append(env, promote.CopyVariable+"=1")
	}
	return env
}

// findImage looks for the image on both sides of a copy, and changes nothing.
func (p *promotion) findImage(ctx context.Context, image promote.Image, to promote.Report) (*registry.Copy, error) {
	source, err := p.repository(p.choice.From, image.Repository)
	if err != nil {
		return nil, err
	}
	target, err := p.repository(p.choice.To, to.Repository)
	if err != nil {
		return nil, err
	}
	p.system.Info("asking both registries for the image")
	c, err := registry.Find(ctx, source, image.Digests, target, image.Version)
	return c, copying(ctx, err)
}

// repository is that of a destination, with the login that its Kamal has told.
func (p *promotion) repository(destination, name string) (registry.Repository, error) {
	login, told := p.logins.Load(destination)
	l, _ := login.(broker.RegistryLogin)
	if !told {
		return registry.Repository{}, problem.New("Kamal did not tell the login of the registry of "+promote.Name(destination)+": --copy-image does not work with it",
			"this Kamal does not load kamal-op's part: name another with --kamal, or leave the option away").About(problem.Copying)
	}
	return registry.Repository{Of: promote.Name(destination), Name: name, Username: l.Username, Password: l.Password}, nil
}

// copyImage copies the image to where To looks for it, where it is not there yet.
func (p *promotion) copyImage(ctx context.Context) error {
	c := p.told.Copy
	if c == nil || c.There {
		return nil
	}
	began := time.Now()
	p.system.Info(gate.Visible("copying " + c.From + " to " + c.To))
	if err := c.Run(ctx); err != nil {
		return copying(ctx, err)
	}
	p.system.Info(fmt.Sprintf("copied the image in %.1f s", time.Since(began).Seconds()))
	return nil
}

// copying is the error of a copy: in a run that is over, why it is.
func copying(ctx context.Context, err error) error {
	var late deploy.OutOfTime
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.As(context.Cause(ctx), &late):
		return late.Problem("while the image was copied")
	}
	return context.Cause(ctx)
}
