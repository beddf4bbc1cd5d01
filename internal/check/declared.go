package check

import (
	"context"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Declared is a secret that is declared to kamal-op: it needs no line in a
// secrets file.
type Declared struct {
	Name   string                // "" where it is a whole item, or a 1Password Environment
	Ref    onepassword.Reference // the zero one where the value's place is not known
	Origin string                // who declares it: the flag, the input, the workflow
	Found  bool                  // it has been read already

	// Variable is the variable of the deploy's environment that its value comes from,
	// "" where it comes from 1Password. No vault is asked for it.
	Variable string

	allowed bool // where it is declared, the name is allowed though programs follow it
}

// KeyOrigin is the origin of an SSH key.
const KeyOrigin = "--ssh-key"

// from is who declares it, and the variable that it comes from.
func (d Declared) from() string {
	if d.Variable == "" {
		return d.Origin
	}
	return d.Origin + ", " + onepassword.VariableText(d.Variable)
}

// source is where a name that a secrets file passes on gets its value: who declares
// it, and what is known of it in the vault.
func (c *destinationCheck) source(name string) (from string, vault State) {
	d, declared := c.declaration(name)
	if declared && d.Origin != byWorkflow {
		return d.from(), c.declaredState(d)
	}
	if value, ok := environ.List(c.o.Env).Lookup(name); ok && value != "" {
		return "environment", None
	}
	if declared {
		return d.from(), c.declaredState(d)
	}
	if w := c.perhapsDeclared(); w != nil {
		return w.from(), w.state
	}
	if ref, ok := c.deployInputs().declared[name]; ok {
		return byWorkflow, c.declaredState(Declared{Name: name, Ref: ref, Origin: byWorkflow})
	}
	if variable, ok := c.deployInputs().loaded[name]; ok {
		return Declared{Origin: byWorkflow, Variable: variable}.from(), None
	}
	if c.deployInputs().mentioned[name] {
		return byWorkflow, Unknown
	}
	return "", Unknown
}

// declaration is what is declared under a name.
func (c *destinationCheck) declaration(name string) (Declared, bool) {
	for _, d := range c.declarations {
		if d.Name == name {
			return d, true
		}
	}
	return Declared{}, false
}

// declaredState is what is known of a declared secret in the vault.
func (c *destinationCheck) declaredState(d Declared) State {
	switch {
	case d.Variable != "":
		return None
	case d.Found:
		return Yes
	}
	if state, ok := c.inVault[declaredWanted(d)]; ok {
		return state
	}
	return Unknown
}

// declaredWanted is a declaration as a field that a file asks for. Its place is that
// of no file.
func declaredWanted(d Declared) kamal.Wanted {
	return kamal.Wanted{
		Vault: d.Ref.Vault, Item: d.Ref.Item, Field: strings.Trim(d.Ref.Section+"."+d.Ref.Field, "."),
		Reference: d.Ref.String(),
	}
}

// toAsk are the declarations whose fields the vault is to be asked for: those of
// the options, and those of a workflow for what the files pass on.
func (c *destinationCheck) toAsk() []Declared {
	var all []Declared
	for _, d := range slices.Concat(c.declarations, c.o.Keys) {
		if !d.Found && d.Ref.Item != "" {
			all = append(all, d)
		}
	}
	for _, name := range c.passedOn() {
		ref, ok := c.deployInputs().declared[name]
		if _, twice := c.declaration(name); ok && !twice {
			all = append(all, Declared{Name: name, Ref: ref, Origin: byWorkflow})
		}
	}
	return all
}

// passedOn are the variables that the secrets files pass on and do not define.
func (c *destinationCheck) passedOn() []string {
	var names []string
	for _, d := range c.definitions() {
		for i := range d.Parts {
			p := &d.Parts[i]
			if p.Kind != kamal.PassThrough {
				continue
			}
			if _, ok := c.index.before(d, p.Name); !ok {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// checkNames looks for declared names that programs follow, which a run refuses.
func (c *destinationCheck) checkNames() {
	for _, d := range c.declarations {
		if d.allowed || !kamal.ReservedName(d.Name) || slices.Contains(c.o.AllowNames, d.Name) {
			continue
		}
		p := kamal.ReservedNameProblem(d.Name)
		if d.Found && d.Ref.Item == "" && d.Variable == "" { // a field of an item that is declared whole
			p = kamal.ReservedFieldProblem(d.Name)
		}
		before := len(c.findings)
		c.report(RuleReserved, Error, d.Name, p, problem.Place{})
		c.reportOnce(before, d)
	}
}

// checkDeclared asks the vault for what is declared.
func (c *destinationCheck) checkDeclared(ctx context.Context) {
	for _, d := range c.toAsk() {
		w := declaredWanted(d)
		if _, done := c.inVault[w]; done {
			continue
		}
		before := len(c.findings)
		c.checkWanted(ctx, &kamal.Definition{Name: d.Name}, w)
		c.reportOnce(before, d)
	}
}

// checkSources tells which variables the files pass on that nothing here gives a
// value: what starts the deploy may. All of one file are reported together.
func (c *destinationCheck) checkSources() {
	type missing struct {
		at    problem.Place
		names []string
	}
	var files []*missing
	for _, d := range c.definitions() {
		for i := range d.Parts {
			p := &d.Parts[i]
			if p.Kind != kamal.PassThrough || !c.used(d.Name) || len(d.Shell) > 0 {
				continue
			}
			if _, ok := c.index.before(d, p.Name); ok {
				continue
			}
			if from, _ := c.source(p.Name); from != "" {
				continue
			}
			if len(files) == 0 || files[len(files)-1].at.File != p.Place.File {
				files = append(files, &missing{at: p.Place})
			}
			last := files[len(files)-1]
			if !slices.Contains(last.names, "$"+p.Name) {
				last.names = append(last.names, "$"+p.Name)
			}
		}
	}
	looked := "no option, no workflow and not this environment"
	if c.o.Env == nil {
		looked = "no option and no workflow"
	}
	if unseen := c.o.deployments().unseen; len(unseen) > 0 && !c.o.Run {
		looked += "; the " + strings.Join(unseen, ", and the ") + ", masked or not, are not seen here"
	}
	if unread := c.o.unreadWorkflows(); len(files) > 0 && len(unread) > 0 {
		looked += "; " + strings.Join(unread, ", ") + ", which a workflow calls, is of another repository and is not read"
	}
	for _, m := range files {
		first := strings.TrimPrefix(m.names[0], "$")
		c.report(RuleNoSource, Note, first, problem.New(
			"nothing that was looked at gives a value to "+strings.Join(m.names, ", ")+": "+looked,
			"declare it to kamal-op ("+first+"=op://Vault/Item/field), or set it where the deploy is started"), m.at)
	}
}

// unreadWorkflows are the workflows of other repositories that may deploy the project.
func (o Options) unreadWorkflows() (names []string) {
	if o.Run {
		return nil
	}
	for _, job := range WorkflowJobs(o.Dir, givesNothing) {
		if job.Unread != "" && !slices.Contains(names, job.Unread) {
			names = append(names, job.Unread)
		}
	}
	return names
}
