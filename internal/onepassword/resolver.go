package onepassword

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// Options of a Resolver.
type Options struct {
	Deadline time.Duration    // of a batch, retries included; 0 is DefaultDeadline
	Now      func() time.Time // for one-time passwords; nil is time.Now

	// AllowEmpty are names whose empty value is wanted, however they are declared.
	AllowEmpty []string
}

// A Resolver gives references their values. It may be used from several
// goroutines. What it has fetched it keeps for its life: lists, items, files and
// failures; so a run sees one state of the vault, and asks for nothing twice.
type Resolver struct {
	backend    Backend
	deadline   time.Duration
	now        func() time.Time
	allowEmpty []string

	// fetching is held by the one goroutine that talks to the backend, and outage
	// is its.
	fetching chan struct{}
	outage   outage

	mu     sync.RWMutex
	failed error // the first failure of the batch that is under way
	vaults *listResult[Vault]
	items  map[string]*listResult[Overview] // by vault id
	byKey  map[itemKey]*itemOutcome         // as it was asked for
	byID   map[[2]string]*itemOutcome       // vault id, item id
	files  map[[3]string]*fileOutcome
	envs   map[string]*listResult[Variable]
}

// itemKey is an itemName in lower case, but for what has the form of an id.
type itemKey struct{ vault, item string }

type listResult[T any] struct {
	all []T
	err error
}

type itemOutcome struct {
	item *Item
	err  error // a *problem.Problem without the name of a secret, or a backend's error
}

type fileOutcome struct {
	content []byte
	err     error
}

// NewResolver makes a resolver over a backend. Nothing is asked yet.
func NewResolver(b Backend, o Options) *Resolver {
	if o.Deadline <= 0 {
		o.Deadline = DefaultDeadline
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Resolver{
		backend: b, deadline: o.Deadline, now: o.Now, allowEmpty: o.AllowEmpty,
		fetching: make(chan struct{}, 1),
		items:    map[string]*listResult[Overview]{},
		byKey:    map[itemKey]*itemOutcome{},
		byID:     map[[2]string]*itemOutcome{},
		files:    map[[3]string]*fileOutcome{},
		envs:     map[string]*listResult[Variable]{},
	}
}

// Backend is the backend that the resolver reads from.
func (r *Resolver) Backend() Backend { return r.backend }

// Prefetch fetches every item that the references name, in one batch with as few
// requests as the backend allows. What fails is kept, and reported to whoever asks for
// it afterwards. The error is the context's.
func (r *Resolver) Prefetch(ctx context.Context, refs ...Reference) error {
	names := make([]itemName, len(refs))
	for i, ref := range refs {
		names[i] = ref.itemName()
	}
	return r.fetch(ctx, names)
}

// Resolve gives every declaration its value, in the order of declaration. A whole
// item gives one secret a field, in the item's order. An error is a problem.List
// of all that failed, in the order of declaration, or the context's.
func (r *Resolver) Resolve(ctx context.Context, declared []Declaration) ([]mask.Secret, error) {
	ctx = context.WithValue(ctx, deadlineKey{}, time.Now().Add(r.deadline))
	var refs []Reference
	for _, d := range declared {
		if d.FromVault() && d.Environment == "" {
			refs = append(refs, d.Ref)
		}
	}
	if err := r.Prefetch(ctx, refs...); err != nil {
		return nil, err
	}
	if err := r.prefetchFiles(ctx, declared); err != nil {
		return nil, err
	}
	var (
		secrets []mask.Secret
		failed  failures
		origin  = map[string]Declaration{}
		twice   collisions
	)
	for _, d := range declared {
		found, err := r.resolveOne(ctx, d)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failed.add(d, err)
		for _, s := range found {
			if earlier, declared := origin[s.Name()]; declared {
				if p := twice.add(s.Name(), earlier, d); p != nil {
					failed.add(d, p)
				}
				continue
			}
			origin[s.Name()] = d
			secrets = append(secrets, s)
		}
	}
	if err := failed.list(); err != nil {
		return nil, err
	}
	return secrets, nil
}

// from is the declaration with where it stands.
func (d Declaration) from() string {
	text := d.title()
	switch {
	case d.Variable != "":
		text = VariableText(d.Variable)
	case d.Environment == "":
		text = quoteReference(d.Ref.String())
	}
	if d.Origin != "" {
		text += " (" + d.Origin + ")"
	}
	return text
}

func (r *Resolver) resolveOne(ctx context.Context, d Declaration) ([]mask.Secret, error) {
	switch {
	case d.Environment != "":
		return r.resolveEnvironment(ctx, d)
	case d.Variable != "":
		s := mask.NewSecret(d.Name, d.Value.Reveal())
		if err := r.checkValue(d, s, VariableText(d.Variable)+" has no value"); err != nil {
			return nil, err
		}
		return []mask.Secret{s}, nil
	case d.Name == "":
		return r.resolveItem(ctx, d)
	}
	s, err := r.read(ctx, d.Ref, d.Name)
	if err != nil {
		return nil, err
	}
	s = mask.NewSecret(d.Name, s.Reveal())
	if err := r.checkValue(d, s, quoteReference(d.Ref.String())+" has no value"); err != nil {
		return nil, err
	}
	return []mask.Secret{s}, nil
}

// checkValue is the problem that a value cannot be one of an environment variable,
// or is empty without having been allowed to.
func (r *Resolver) checkValue(d Declaration, s mask.Secret, empty string) error {
	switch {
	case s.Len() == 0 && !d.AllowEmpty && !slices.Contains(r.allowEmpty, s.Name()):
		where := "fill it in in 1Password"
		if d.Variable != "" {
			where = "have the earlier step load it (on GitHub an output that is not there is empty)"
		}
		return &problem.Problem{
			Message: s.Name() + " is empty: " + empty,
			Hint:    where + ", or allow it with --allow-empty " + s.Name(), Status: problem.Found,
			Help: problem.EmptySecret,
		}
	case strings.ContainsRune(s.Reveal(), 0):
		where := quoteReference(d.Ref.String())
		switch {
		case d.Environment != "":
			where = d.title()
		case d.Variable != "":
			where = VariableText(d.Variable)
		}
		return &problem.Problem{
			Message: fmt.Sprintf("%s has a NUL byte in it, which no environment variable can hold: %s", s.Name(), where),
			Hint:    "store it as base64", Status: problem.Found, Help: problem.AsItIs,
		}
	}
	return nil
}

// resolveEnvironment declares the variables of a 1Password Environment.
func (r *Resolver) resolveEnvironment(ctx context.Context, d Declaration) ([]mask.Secret, error) {
	variables, err := r.Environment(ctx, d.Environment)
	if err != nil {
		return nil, err
	}
	var (
		secrets  []mask.Secret
		problems problem.List
	)
	for _, v := range variables {
		name := v.Value.Name()
		if !IsEnvironmentName(name) {
			problems = append(problems, &problem.Problem{
				Message: fmt.Sprintf("%s: the variable %s is not the name of an environment variable", d.title(), quote(name)),
				Hint:    "rename the variable in 1Password", Status: problem.Found, Help: problem.Reference,
			})
			continue
		}
		if err := r.checkValue(d, v.Value, d.title()+" has no value for it"); err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		secrets = append(secrets, v.Value)
	}
	return secrets, problems.Err()
}

// resolveItem declares the fields of a whole item under their labels.
func (r *Resolver) resolveItem(ctx context.Context, d Declaration) ([]mask.Secret, error) {
	item, err := r.itemOf(ctx, d.Ref, d.title())
	if err != nil {
		return nil, err
	}
	return r.declared(item, d)
}

// Item gives a whole item by names or ids, each fetched once. The error is a
// *problem.Problem.
func (r *Resolver) Item(ctx context.Context, vault, item string) (*Item, error) {
	ref := Reference{Vault: vault, Item: item}
	if err := r.Prefetch(ctx, ref); err != nil {
		return nil, err
	}
	return r.itemOf(ctx, ref, ref.String())
}

// Read gives the value of one reference to a field. Empty values pass. The error
// is a *problem.Problem.
func (r *Resolver) Read(ctx context.Context, ref Reference) (mask.Secret, error) {
	if ref.WholeItem() {
		return mask.Secret{}, problem.Usagef("name the field: "+ref.String()+"/field", "%s names an item, not a field", quoteReference(ref.String()))
	}
	if err := r.Prefetch(ctx, ref); err != nil {
		return mask.Secret{}, err
	}
	return r.read(ctx, ref, quoteReference(ref.String()))
}

func (r *Resolver) read(ctx context.Context, ref Reference, name string) (mask.Secret, error) {
	item, err := r.itemOf(ctx, ref, name)
	if err != nil {
		return mask.Secret{}, err
	}
	chosen, err := item.choose(ref)
	if err != nil {
		return mask.Secret{}, named(name, ref, err)
	}
	value, err := r.value(ctx, item, chosen, ref)
	if err != nil {
		return mask.Secret{}, named(name, ref, err)
	}
	return mask.NewSecret(ref.String(), value), nil
}

// named puts the name of the secret before a problem of its reference, or makes a
// problem of a backend's error. The error it was made of is its cause.
func named(name string, ref Reference, err error) *problem.Problem {
	text := quoteReference(ref.String())
	what := name
	if name != text {
		what += " (" + text + ")"
	}
	var p *problem.Problem
	if !errors.As(err, &p) {
		return problemOf(what, err)
	}
	told := *p
	told.Message = what + ": " + p.Message
	told.Cause = err
	return &told
}

// absent marks problems that say that something is not there.
var errAbsent = errors.New("not there")

func isAbsent(err error) bool { return errors.Is(err, errAbsent) }

// itemOf is the fetched item of a reference.
func (r *Resolver) itemOf(ctx context.Context, ref Reference, name string) (*Item, error) {
	r.mu.RLock()
	o := r.byKey[ref.itemName().key()]
	r.mu.RUnlock()
	if o == nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("reading %s: it was not fetched", ref)
	}
	if o.err != nil {
		return nil, named(name, ref, o.err)
	}
	return o.item, nil
}

// Vaults lists the vaults of the credentials. The error is a *problem.Problem.
func (r *Resolver) Vaults(ctx context.Context) ([]Vault, error) {
	var vaults []Vault
	err := r.hold(ctx, func(ctx context.Context) (err error) {
		vaults, err = r.listVaults(ctx)
		return err
	})
	return vaults, asProblem("listing the vaults", err)
}

// Items lists the items of a vault, by its name or id. The error is a
// *problem.Problem.
func (r *Resolver) Items(ctx context.Context, vault string) ([]Overview, error) {
	var items []Overview
	err := r.hold(ctx, func(ctx context.Context) error {
		v, err := r.findVault(ctx, vault)
		if err != nil {
			return err
		}
		items, err = r.listItems(ctx, v.ID)
		return err
	})
	return items, asProblem("listing the items of "+quote(vault), err)
}

// Environment gives the variables of a 1Password Environment. The error is a
// *problem.Problem.
func (r *Resolver) Environment(ctx context.Context, id string) ([]Variable, error) {
	var variables []Variable
	err := r.hold(ctx, func(ctx context.Context) error {
		l := r.envs[id]
		if l == nil {
			l = &listResult[Variable]{}
			l.all, l.err = r.backend.Environment(ctx, id)
			r.note(l.err)
			if ctx.Err() != nil {
				return l.err
			}
			r.envs[id] = l
		}
		variables = l.all
		return l.err
	})
	return variables, asProblem("Environment "+quote(id), err)
}

func asProblem(what string, err error) error {
	var p *problem.Problem
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &p):
		return p
	}
	return problemOf(what, err)
}
