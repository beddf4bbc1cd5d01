package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// References are the items that the project's secrets files name, to be fetched
// with the declared secrets in the one batch. Nothing is executed to find them.
func References(p *kamal.Project) []onepassword.Reference {
	if p == nil || p.Secrets == nil {
		return nil
	}
	var refs []onepassword.Reference
	for _, w := range p.Secrets.Wanted() {
		ref := onepassword.Reference{Vault: w.Vault, Item: w.Item}
		if parsed, err := onepassword.ParseReference(w.Reference); err == nil {
			ref.Vault, ref.Item = parsed.Vault, parsed.Item // percent-decoded
		}
		if !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// A scope is the vaults that may be asked.
type scope struct {
	any   bool
	names []string // as they were written, ids among them
}

func newScope(o Options) *scope {
	s := &scope{any: o.AnyVault}
	add := func(name string) {
		if name != "" && !slices.ContainsFunc(s.names, func(n string) bool { return strings.EqualFold(n, name) }) {
			s.names = append(s.names, name)
		}
	}
	for _, name := range o.Vaults {
		add(name)
	}
	for _, ref := range References(o.Project) {
		add(ref.Vault)
	}
	return s
}

func (s *scope) has(name string) bool {
	return s.any || slices.ContainsFunc(s.names, func(n string) bool { return strings.EqualFold(n, name) })
}

// allows reports whether the vault may be asked, by a name or an id that is not
// always the one that stands in the files.
func (s *scope) allows(ctx context.Context, v Vault, name string) *problem.Problem {
	if s.has(name) {
		return nil
	}
	vaults, err := v.Vaults(ctx)
	if err != nil {
		vaults = nil
	}
	for _, known := range vaults {
		if (strings.EqualFold(known.Name, name) || known.ID == name) && (s.has(known.Name) || s.has(known.ID)) {
			return nil
		}
	}
	p := problem.Newf("vault %q is not one of this run's", name).About(problem.OtherVault)
	if len(s.names) > 0 {
		p.Message += fmt.Sprintf(" (%s)", strings.Join(s.names, ", "))
	}
	if err != nil {
		p.Details = []string{"whether it is, by another name, is not known: " + problem.Of(err)[0].Error()}
	}
	p.Hint = "only vaults that the declared secrets and the secrets files name are served: allow every one with --op-scope any"
	return p
}
