package check

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A destinationCheck is the check of one destination.
type destinationCheck struct {
	o            Options
	destination  string
	project      *kamal.Project
	base         *kamal.Config // without the destination's file; nil without a destination
	index        *index
	findings     []Finding
	hooks        map[string]bool        // every word of the project's hooks; nil where they were not read
	inVault      map[kamal.Wanted]State // what of the vault is known
	declarations []Declared             // what is declared, of whole items each field that is known
	whole        []*wholeItem           // what is declared without names
	reported     map[string]bool        // what was said of declarations
	compared     int                    // names that a similar one was looked for
	plain        *plainFile             // that Kamal passes over here; nil where there is none
}

func openDestination(o Options, destination string) (*destinationCheck, error) {
	if o.For != nil {
		var err error
		if o, err = o.For(o, destination); err != nil {
			return nil, err
		}
	}
	project, err := o.project(destination)
	if err != nil {
		return nil, err
	}
	c := &destinationCheck{o: o, destination: destination, project: project, index: newIndex(project, o.common), inVault: map[kamal.Wanted]State{}, reported: map[string]bool{}}
	for _, d := range o.DeclaredFor(destination) {
		if d.Name == "" {
			c.whole = append(c.whole, &wholeItem{Declared: d})
		} else {
			c.declarations = append(c.declarations, d)
		}
	}
	c.plain = c.openPlain()
	if destination != "" {
		if c.base, err = o.base(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// deployInputs is what the files that start this destination's deploys give to it.
func (c *destinationCheck) deployInputs() *deployInputs {
	return c.o.deployments().inputsOf(c.o, c.destination)
}

// references are the items that the secrets files name.
func (c *destinationCheck) references() []onepassword.Reference {
	var refs []onepassword.Reference
	for _, w := range c.project.Secrets.Wanted() {
		if w.Vault != "" && w.Item != "" {
			refs = append(refs, onepassword.Reference{Vault: w.Vault, Item: w.Item})
		}
	}
	for _, d := range c.whole {
		if d.Ref.Item != "" {
			refs = append(refs, onepassword.Reference{Vault: d.Ref.Vault, Item: d.Ref.Item})
		}
	}
	for _, d := range c.toAsk() {
		refs = append(refs, onepassword.Reference{Vault: d.Ref.Vault, Item: d.Ref.Item})
	}
	return refs
}

func (c *destinationCheck) check(ctx context.Context) {
	c.checkWhole(ctx)
	c.checkVault(ctx)
	c.checkNames()
	c.checkRefused()
	c.checkUses()
	c.checkPlain()
	c.checkPerhaps()
	c.checkDefinitions()
	c.checkSources()
	c.checkLists()
	c.checkFiles()
	c.dropConsequences()
}

// dropConsequences takes back that a name is fetched for nothing where something
// else is wrong with the same name: one mistake is reported once.
func (c *destinationCheck) dropConsequences() {
	wrong, lost := map[string]bool{}, map[string]bool{}
	for _, f := range c.findings {
		lost[f.Secret] = lost[f.Secret] || f.Rule == RuleNotExtracted
		if f.Level == Error && f.Rule != RuleNotExtracted {
			wrong[f.Secret] = true
		}
	}
	for i := range c.findings {
		f := &c.findings[i]
		if f.Rule == RuleUndefined && lost[f.Secret] {
			f.Problem.Hint = "it is fetched: only the line that extracts it is missing in " + c.fileToEdit()
		}
	}
	c.findings = slices.DeleteFunc(c.findings, func(f Finding) bool { return f.Rule == RuleNotExtracted && wrong[f.Secret] })
}

// report adds a finding.
func (c *destinationCheck) report(rule string, level Level, secret string, p *problem.Problem, at problem.Place) {
	p.Place, p.Status = at, problem.Found
	p.Help = cmp.Or(p.Help, help(rule))
	c.findings = append(c.findings, Finding{Rule: rule, Level: level, Secret: secret, Problem: p})
}

// definition is the definition that holds for a name.
func (c *destinationCheck) definition(name string) (*kamal.Definition, bool) {
	d, ok := c.index.byName[name]
	return d, ok
}

// declared reports whether a name is declared to kamal-op, or may be, with a whole item.
func (c *destinationCheck) declared(name string) bool {
	_, ok := c.declaration(name)
	return ok || c.perhapsDeclared() != nil
}

// used reports whether the configuration uses a name as a secret.
func (c *destinationCheck) used(name string) bool { return c.index.used[name] }

// mayUse reports whether the configuration uses a name where ERB leaves that in.
func (c *destinationCheck) mayUse(name string) bool {
	return slices.ContainsFunc(c.project.Config.Perhaps, func(u kamal.Use) bool { return u.Name == name })
}

// definitions are those that hold, in the order of the files.
func (c *destinationCheck) definitions() []*kamal.Definition { return c.index.effective }

// fetchOf is the fetch whose result an extract takes its value from; ok is false
// where it is not known.
func (c *destinationCheck) fetchOf(d *kamal.Definition, extract *kamal.Part) (fetch *kamal.Part, ok bool) {
	if extract.Source == "" {
		return nil, false
	}
	source, found := c.index.before(d, extract.Source)
	if !found || source.Kind != kamal.Fetch || len(source.Parts) != 1 {
		return nil, false
	}
	return &source.Parts[0], source.Parts[0].Known
}

// FieldOf is the field of an item that a file asks for: by its label or id, with
// its section before a dot or a slash. The op CLI joins them with a dot.
func FieldOf(item *onepassword.Item, name string) *onepassword.Field {
	same := func(f *onepassword.Field, label string) bool {
		return strings.EqualFold(f.Label, label) || f.ID == label
	}
	for i := range item.Fields {
		if same(&item.Fields[i], name) {
			return &item.Fields[i]
		}
	}
	for _, cut := range []string{".", "/"} {
		section, label, ok := strings.Cut(name, cut)
		if !ok {
			continue
		}
		for i := range item.Fields {
			f := &item.Fields[i]
			if same(f, label) && (strings.EqualFold(item.SectionLabel(f.Section), section) || f.Section == section) {
				return f
			}
		}
	}
	return nil
}
