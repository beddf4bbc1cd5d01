package check

import (
	"context"
	"slices"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// byWorkflow is the origin of what a pipeline's file declares.
const byWorkflow = "workflow"

// A wholeItem is a declaration of every field that an item has. Which those are, only
// the vault knows.
type wholeItem struct {
	Declared

	known bool  // its names are
	state State // of a name that it may have: No where the item is none
}

// checkWhole asks the vault for the names of what is declared whole.
func (c *destinationCheck) checkWhole(ctx context.Context) {
	for _, w := range c.whole {
		w.state = Unknown
		if c.o.Vault == nil || w.Ref.Item == "" {
			continue
		}
		names, err := c.o.Vault.Names(ctx, onepassword.Declaration{Ref: w.Ref, Origin: w.Origin})
		if err != nil {
			if c.o.common.refusals.Add(w.Ref.String(), err) || ctx.Err() != nil {
				continue
			}
			if _, err := c.o.Vault.Item(ctx, w.Ref.Vault, w.Ref.Item); err != nil {
				w.state = No // else the item is there, and something in it is wrong
			}
			before := len(c.findings)
			for _, p := range problem.Of(err) {
				q := *p
				c.report(RuleNotInVault, Error, "", &q, problem.Place{})
			}
			c.reportOnce(before, w.Declared)
			continue
		}
		w.known = true
		for _, name := range names {
			if _, twice := c.declaration(name); !twice {
				c.declarations = append(c.declarations, Declared{Name: name, Origin: w.Origin, Found: true})
			}
		}
	}
}

// perhapsDeclared is a declaration that may be one of any name; nil where there is
// none.
func (c *destinationCheck) perhapsDeclared() *wholeItem {
	if i := slices.IndexFunc(c.whole, func(w *wholeItem) bool { return !w.known }); i >= 0 {
		return c.whole[i]
	}
	return nil
}

// reportOnce puts before the findings from one on who declares it, since there is no line
// to point at. What was said of another declaration is not said again: an item that is
// not there is one mistake, however many of its fields are declared.
func (c *destinationCheck) reportOnce(from int, d Declared) {
	kept := c.findings[:from]
	for _, f := range c.findings[from:] {
		if c.reported[f.Problem.Message] {
			continue
		}
		c.reported[f.Problem.Message] = true
		f.Problem.Message = d.Origin + ": " + f.Problem.Message
		kept = append(kept, f)
	}
	c.findings = kept
}
