package deploy

import (
	"context"
	"path/filepath"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// listen puts op and the preload where Kamal finds them. Who asks waits until all is
// known.
func (r *runner) listen(ctx context.Context, j Job) (err error) {
	if r.bin, err = r.dir.sub("bin"); err != nil {
		return err
	}
	// It answers until Kamal is down, also while a cancelled run ends in order.
	r.broker, err = broker.Listen(context.WithoutCancel(ctx), r.brokerListenOptions(j, r.bin))
	return err
}

// brokerListenOptions is what the broker has to know before anything else is known.
func (s *resources) brokerListenOptions(j Job, dir string) broker.ListenOptions {
	return broker.ListenOptions{
		Dir: dir, Executable: j.Executable, AnyPeer: j.Wanted.AnyPeer,
		Notify: func(e broker.Event) {
			s.noteBrokerEvent(e)
			switch p := problem.New(e.Message, e.Hint).About(problem.Other); e.Kind {
			case broker.Warning:
				j.System.Warning(p)
			case broker.Notice:
				j.System.Notice(p)
			case broker.Failed:
				// What called op may say nothing of it, or go on without.
				if s.addRefusal(p.Message) {
					j.System.Notice(p)
				}
			}
		},
	}
}

// brokerOptions are what the job says of what Kamal may ask.
func (s *resources) brokerOptions(j Job, project *kamal.Project, hosts *broker.Hosts) broker.Options {
	o := broker.Options{
		Hosts: hosts, Project: project,
		AnyVault: j.AnyVault, AllowEmpty: j.Wanted.AllowEmpty, AllowReferences: j.Wanted.References, ForwardAgent: j.Wanted.Forward,
		Choices: j.Choices, FreshEnv: j.FreshEnv, ExactValues: j.ExactValues, BuildKey: s.buildKey, RealOp: j.Vault.Op, Locks: s.locks,
		Login:         func(server string) error { return keepLogin(filepath.Join(s.dir.path, dockerDir), server) },
		RegistryLogin: j.RegistryLogin,
		Mask:          func(secrets []mask.Secret) error { return s.mask(secrets...) },
	}
	if s.resolver != nil {
		o.Vault = s.resolver
	}
	for _, secret := range s.secrets {
		o.Declared = append(o.Declared, broker.DeclaredSecret{Secret: secret, Public: j.Wanted.Public[secret.Name()]})
	}
	for _, d := range j.Wanted.Secrets {
		if d.Environment != "" {
			o.Environments = append(o.Environments, d.Environment)
			continue
		}
		if d.FromVault() {
			o.Vaults = append(o.Vaults, d.Ref.Vault)
		}
	}
	return o
}
