package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
	"github.com/kamal-op/kamal-op/sshagent"
)

// A Process is what a run may know of the process it runs in.
type Process struct {
	Env        []string
	Executable string // this program, by its absolute path
	Stdin      *os.File
	Stdout     io.Writer
	Stderr     io.Writer
	Signals    <-chan os.Signal // that come after the one which ended the context
	System     ci.System
}

// A Vault is where secrets come from: the way in, and what to mask of it.
type Vault struct {
	Open        func() (onepassword.Backend, error) // sends nothing yet
	Prepare     func()                              // begins in the background what takes long; may be nil
	Credentials []mask.Secret
}

// Wanted is what a run needs out of the vault.
type Wanted struct {
	Secrets []onepassword.Declaration
	Keys    []onepassword.Reference // of SSH keys
	Public  map[string]bool         // names whose values are no secret, and are not masked
}

// A session is what a child runs in: the secrets, the agent, the private
// directory. It holds all that has to be gone at the end.
type session struct {
	Process
	masker  *mask.Masker
	dir     *runDir
	agent   *sshagent.Agent // nil without a key
	secrets []mask.Secret   // the declared ones, in order
	keys    []*sshagent.Key
}

// begin resolves what is wanted, masks it and starts the agent. Nothing has been
// changed anywhere when it fails, and nothing is left.
func begin(ctx context.Context, p Process, v Vault, w Wanted) (s *session, err error) {
	s = &session{Process: p, masker: mask.New()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.end())
		}
	}()
	for _, c := range v.Credentials {
		s.masker.AddSecret(c)
	}
	if err := p.System.Mask(v.Credentials...); err != nil {
		return s, err
	}
	if err := s.resolve(ctx, v, w); err != nil {
		return s, err
	}
	env := environment(p.Env)
	if n := sweep(env, time.Now()); n > 0 {
		p.System.Info(fmt.Sprintf("removed what %d killed runs had left in memory", n))
	}
	if s.dir, err = newRunDir(env); err != nil {
		return s, problem.New(err.Error(), "free some space in /tmp, or set TMPDIR to a directory that can be written")
	}
	if len(s.keys) == 0 {
		return s, nil
	}
	s.agent, err = sshagent.Start(ctx, sshagent.Options{Keys: s.keys, Dir: s.dir.path})
	return s, err
}

// resolve gets the declared secrets and the keys in one batch, and masks them
// before anything else is done with them. What is wrong with any of them is told
// together, in the order of declaration, keys last.
func (s *session) resolve(ctx context.Context, v Vault, w Wanted) error {
	if len(w.Secrets) == 0 && len(w.Keys) == 0 {
		return nil
	}
	backend, err := v.Open()
	if err != nil {
		return err
	}
	defer func() { _ = backend.Close() }()
	resolver := onepassword.NewResolver(backend, onepassword.Options{})
	refs := append([]onepassword.Reference(nil), w.Keys...)
	for _, d := range w.Secrets {
		refs = append(refs, d.Ref)
	}
	if err := resolver.Prefetch(ctx, refs...); err != nil {
		return err
	}
	secrets, err := resolver.Resolve(ctx, w.Secrets)
	problems := problem.Of(err)
	masked := make([]mask.Secret, 0, len(secrets)+len(w.Keys))
	for _, ref := range w.Keys {
		from, err := resolver.SSHKey(ctx, ref)
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		masked = append(masked, from.Private)
		key, err := parseKey(from)
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		s.keys = append(s.keys, key)
	}
	s.secrets = secrets
	for _, secret := range secrets {
		if !w.Public[secret.Name()] {
			masked = append(masked, secret)
		}
	}
	return errors.Join(s.mask(masked...), problems.Err())
}

// mask keeps values out of every log, ours and that of the CI system.
func (s *session) mask(secrets ...mask.Secret) error {
	for _, secret := range secrets {
		s.masker.AddSecret(secret)
	}
	if err := s.System.Mask(secrets...); err != nil {
		return fmt.Errorf("having the CI system mask the secrets: %w", err)
	}
	return nil
}

// end takes away all that the session holds. A second call finds nothing to do.
func (s *session) end() error {
	var errs []error
	if s.agent != nil {
		errs = append(errs, s.agent.Close())
		s.agent = nil
	}
	if s.dir != nil {
		errs = append(errs, s.dir.remove())
		s.dir = nil
	}
	return errors.Join(errs...)
}
