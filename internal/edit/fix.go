package edit

import (
	"slices"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Fix plans what can be written of a report: names that deploy.yml uses are
// defined as the secrets file has its others, what is extracted is fetched, a
// fetch gets the --account that Kamal asks for, a destination's list names what
// it lost. What only a person can decide (whether a value in the clear is a
// secret, what an unused line is for) and what stands in the vault is left.
func Fix(o check.Options, r check.Report) (Plan, error) {
	e, err := openEditor(o, "fix")
	if err != nil {
		return Plan{}, err
	}
	for _, f := range r.Findings {
		for _, d := range f.Destinations {
			if e.projects[d] == nil {
				continue
			}
			for _, p := range problem.Of(e.fix(d, f)) {
				e.plan.note("%s stays: %s", f.Problem.Place, p.Message)
			}
		}
	}
	e.plan.Names = slices.Compact(slices.Sorted(slices.Values(e.plan.Names)))
	plan, err := e.finish()
	plan.Stays = r.Failed() && len(plan.Changes) == 0
	return plan, err
}

func (e *editor) fix(d string, f check.Finding) error {
	if f.Secret == "" {
		return nil // it is about a whole file
	}
	e.plan.Names = append(e.plan.Names, f.Secret)
	switch f.Rule {
	case check.RuleUndefined, check.RuleAlias:
		return e.addToSecrets(d, Addition{Name: f.Secret}, onepassword.Reference{})
	case check.RuleNotFetched:
		if def, file, ok := e.lookup(d, f.Secret); ok {
			return e.complete(d, file, def, onepassword.Reference{})
		}
	case check.RuleAccount:
		return e.giveAccount(d, f.Secret)
	}
	e.plan.Names = e.plan.Names[:len(e.plan.Names)-1]
	return nil
}

// giveAccount adds --account to a fetch: that of another, else a made-up one,
// which kamal-op does not look at.
func (e *editor) giveAccount(d, name string) error {
	def, f, ok := e.lookup(d, name)
	if !ok || def.Kind != kamal.Fetch || def.Parts[0].Account != "" {
		return nil
	}
	account, ok := e.accountOf(d, f)
	if !ok {
		account = defaultAccount
	}
	return f.secrets.AddAccount(def, account)
}
