package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
	"github.com/kamal-op/kamal-op/mask"
	"github.com/kamal-op/kamal-op/sshagent"
)

// A Process is what a run may know of the process it runs in.
type Process struct {
	Env        []string
	Executable string // this program, by its absolute path
	Stdin      *os.File
	Gate       *gate.Gate
	Stdout     *gate.Stream
	Stderr     *gate.Stream
	Signals    <-chan os.Signal // that come after the one which ended the context
	Reaper     *supervise.Reaper
	System     ci.System
	Foreign    bool // the workspace is somebody else's, as in a container action
}

// A Vault is where secrets come from: the way in, and what to mask of it.
type Vault struct {
	Open        func() (onepassword.Backend, error) // sends nothing yet
	Prepare     func()                              // begins in the background what takes long; may be nil
	Credentials []mask.Secret

	// Resolver is one that has asked already, and is asked on: its backend is not
	// opened, nor closed. nil is the usual.
	Resolver *onepassword.Resolver

	// Op is the person's own op that secrets come from, "" where they come from
	// elsewhere. It may ask the person for leave: it is called for what is needed
	// and for no more, and it answers the op commands that we do not know.
	Op string
}

// prepare begins what takes long.
func (v Vault) prepare() {
	if v.Prepare != nil {
		v.Prepare()
	}
}

// OpenPrepared is the way in for who only asks: what takes long is begun, and nothing sent.
func (v Vault) OpenPrepared() (onepassword.Backend, error) {
	v.prepare()
	return v.Open()
}

// Wanted is what a run needs: out of the vault, and of what an earlier step has loaded.
type Wanted struct {
	Secrets    []onepassword.Declaration
	Keys       []Value                 // SSH keys
	Passphrase Value                   // of the keys; the zero Value for none
	Certs      []Certificate           // SSH certificates of the keys, beside those of their items
	Public     map[string]bool         // names whose values are no secret, and are not masked
	AllowEmpty []string                // names whose empty value is wanted
	AllowNames []string                // declared names that are taken though they change what programs run
	References []string                // names whose value may be a secret reference
	Users      []string                // users that the keys may log in as; empty is any
	Forward    bool                    // the agent may be used through a forwarded connection
	AnyPeer    bool                    // --allow-any-peer: the sockets serve what the run has not started, too
	Pins       *hosts.Pins             // host keys that were given as text; nil for none
	PinRefs    []onepassword.Reference // of fields that hold host keys

	// items are those that the project's own files name: they come with the rest
	// in the one batch, and what is wrong with them is told where they are asked
	// for.
	items []onepassword.Reference
}

// references is everything that is to be fetched.
func (w Wanted) references() []onepassword.Reference {
	refs := slices.Clone(w.PinRefs)
	for _, v := range append(slices.Clone(w.Keys), w.Passphrase) {
		if v.Ref.Item != "" {
			refs = append(refs, v.Ref)
		}
	}
	for _, d := range w.Secrets {
		if d.FromVault() && d.Environment == "" {
			refs = append(refs, d.Ref)
		}
	}
	for _, c := range w.Certs {
		if c.Ref.Item != "" {
			refs = append(refs, c.Ref)
		}
	}
	return append(refs, w.items...)
}

// AsksBeyond reports whether the vault is asked for something that another run does not ask
// it for.
func (w Wanted) AsksBeyond(other Wanted) bool {
	known := other.references()
	return slices.ContainsFunc(w.references(), func(r onepassword.Reference) bool { return !slices.Contains(known, r) })
}

// resources are what a child needs: the secrets, the agent, the private directory. All
// of them are gone at the end.
type resources struct {
	Process
	dir              *runDir
	backend          onepassword.Backend   // nil where nothing is wanted of 1Password
	resolver         *onepassword.Resolver // likewise
	agent            *sshagent.Agent       // nil without a key
	users            []string              // that the agent signs for; empty is any
	signaturesLogged bool                  // the signatures were logged
	secrets          []mask.Secret         // the declared ones, in order
	keys             []*sshagent.Key
	buildKey         mask.Secret // made of the first key, for labels of images; empty without
	docker           []string    // the variables of docker's configuration in the run; nil before there is one

	mu       sync.Mutex
	refusals []string // of the agent, and of lookups
	uses     useLog
	locks    *locks      // nil in a run without Kamal
	pins     *hosts.Pins // the only host keys that count; nil takes any
}

// newResources makes the private directory, and masks the credentials before
// anything can print them. What the vault needs long for begins at once, beside all
// that comes before it is asked. Whoever made the resources ends them.
func newResources(p Process, v Vault) (*resources, error) {
	v.prepare()
	s := &resources{Process: p}
	if err := s.mask(v.Credentials...); err != nil {
		return s, err
	}
	env := environ.List(p.Env).Map()
	if n := sweep(env, time.Now()); n > 0 {
		p.System.Info(fmt.Sprintf("removed what killed runs had left: %d", n))
	}
	var err error
	if s.dir, err = newRunDir(env); err != nil {
		return s, problem.New(err.Error(), "free some space in /tmp, or set TMPDIR to a directory that can be written, and that no other user can change").About(problem.Other)
	}
	return s, nil
}

// start resolves what is wanted, masks it and starts the agent. Nothing has been
// changed anywhere when it fails.
func (s *resources) start(ctx context.Context, v Vault, w Wanted) error {
	if err := s.resolve(ctx, v, w); err != nil || len(s.keys) == 0 {
		return err
	}
	return s.startAgent(ctx, w)
}

// startAgent starts an agent with the keys. It outlives a cancellation: Kamal may
// have to log in once more to release its lock.
func (s *resources) startAgent(ctx context.Context, w Wanted) (err error) {
	s.users = w.Users
	s.agent, err = sshagent.Start(context.WithoutCancel(ctx), sshagent.Options{
		Keys: s.keys, Dir: s.dir.path, Users: w.Users, AllowForwarding: w.Forward, Log: s.handleAgentEvent,
		HostKeys: fingerprints(s.pins), Descendants: !w.AnyPeer,
	})
	return err
}

// resolve gets the declared secrets and the keys in one batch, and masks them
// before anything else is done with them. What is wrong with any of them is told
// together, in the order of declaration, keys last.
func (s *resources) resolve(ctx context.Context, v Vault, w Wanted) error {
	s.pins = w.Pins
	resolver, err := s.open(v, w)
	if err != nil {
		return err
	}
	refs := w.references()
	if v.Open == nil {
		refs = nil // the project's files may name some: who asks is told
	}
	if len(refs)+len(w.Secrets)+len(w.Keys) == 0 {
		return nil // Kamal may still ask
	}
	if err := resolver.Prefetch(ctx, refs...); err != nil {
		return err
	}
	secrets, err := resolver.Resolve(ctx, w.Secrets)
	problems := problem.Of(err)
	masked, wrong := s.readKeys(ctx, resolver, w)
	problems = append(problems, wrong...)
	if len(s.keys) == len(w.Keys) { // else it is not known whose they are
		problems = append(problems, s.certify(ctx, w.Certs)...)
	}
	problems = append(problems, reservedNames(w, secrets)...)
	problems = append(problems, s.pin(ctx, w)...)
	s.secrets = secrets
	s.warnBlank(secrets)
	for _, secret := range secrets {
		if !w.Public[secret.Name()] {
			masked = append(masked, secret)
		}
	}
	return errors.Join(s.mask(masked...), problems.Err())
}

// open opens the vault, where there is one. The resolver that is given reads what is
// loaded as well; without a vault it is for nothing else, and the resources keep none.
func (s *resources) open(v Vault, w Wanted) (*onepassword.Resolver, error) {
	o := onepassword.Options{AllowEmpty: w.AllowEmpty}
	if v.Open == nil {
		if w.AsksVault() {
			return nil, problem.Usagef("", "no credentials for 1Password are given").About(problem.NoCredentials)
		}
		return onepassword.NewResolver(nil, o), nil
	}
	if s.resolver = v.Resolver; s.resolver != nil {
		return s.resolver, nil
	}
	var err error
	if s.backend, err = v.Open(); err != nil {
		return nil, err
	}
	s.resolver = onepassword.NewResolver(s.backend, o)
	return s.resolver, nil
}

// readKeys gets the SSH keys and their passphrase, and gives what of them is to be
// masked.
func (s *resources) readKeys(ctx context.Context, r *onepassword.Resolver, w Wanted) (masked []mask.Secret, problems problem.List) {
	var passphrase mask.Secret
	if w.Passphrase.given() {
		var err error
		if passphrase, err = w.Passphrase.read(ctx, r); err != nil {
			problems = append(problems, problem.Of(err)...)
		}
		masked = append(masked, passphrase)
	}
	for _, v := range w.Keys {
		from, err := v.sshKey(ctx, r)
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		masked = append(masked, from.Private)
		key, err := parseKey(from, v, passphrase, w.Passphrase)
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		for _, repair := range key.Repairs() {
			s.System.Info("the SSH key of " + keyItem(from, v) + " is fine, though " + repair)
		}
		if len(s.keys) == 0 {
			s.buildKey = buildKey(from.Private)
		}
		s.keys = append(s.keys, key)
	}
	return masked, problems
}

// warnBlank warns of values that are nothing but white space. They arrive as they
// are: only whoever put them there knows whether they are meant.
func (s *resources) warnBlank(secrets []mask.Secret) {
	for _, secret := range secrets {
		if onepassword.IsBlank(secret) {
			s.System.Warning(problem.New(secret.Name()+" is nothing but white space",
				"if that is not meant, put the value into the field in 1Password"))
		}
	}
}

// mask keeps values out of every log, ours and that of the CI system.
func (s *resources) mask(secrets ...mask.Secret) error {
	s.Gate.Mask(secrets...)
	if err := s.System.Mask(secrets...); err != nil {
		return fmt.Errorf("having the CI system mask the secrets: %w", err)
	}
	for _, p := range s.Gate.Unmasked() {
		s.System.Notice(p)
	}
	return nil
}

// end removes the resources. A second call finds nothing to do.
func (s *resources) end() error {
	var errs []error
	if s.agent != nil {
		s.logSignatures()
		errs = append(errs, s.agent.Close())
		s.agent = nil
	}
	if s.backend != nil {
		errs = append(errs, s.backend.Close())
		s.backend = nil
	}
	if s.dir != nil {
		errs = append(errs, s.dir.remove())
		s.dir = nil
	}
	return errors.Join(errs...)
}
