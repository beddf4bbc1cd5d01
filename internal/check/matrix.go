package check

import (
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// A State is what is known of one place of a secret.
type State string

// The states of a place.
const (
	Yes     State = "yes"     // it is there
	No      State = "no"      // it is missing
	None    State = "none"    // it needs no such place
	Unknown State = "unknown" // not known here
)

// A Matrix is every secret of one destination, by place.
type Matrix struct {
	Destination string
	Rows        []Row
}

// A Row is one secret: whether it is in the vault, in a fetch, in an extract (or
// another line that gives it a value), and in deploy.yml.
type Row struct {
	Secret string
	Vault  State
	Fetch  State
	File   State  // its line in a secrets file
	Config State  // deploy.yml
	From   string // what gives a variable that is passed on its value: --secret, workflow, environment; "" where nothing is known to
}

// matrix is the table of this destination, in the order of deploy.yml, then of
// the secrets files.
func (c *destinationCheck) matrix() Matrix {
	m := Matrix{Destination: c.destination}
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, u := range c.project.Config.Uses {
		add(u.Name)
	}
	for _, u := range c.project.Config.Perhaps {
		add(u.Name)
	}
	for _, d := range c.definitions() {
		if d.Kind != kamal.Fetch && (!keyword().MatchString(d.Name) || c.used(d.Name)) {
			add(d.Name)
		}
	}
	for _, name := range names {
		m.Rows = append(m.Rows, c.row(name))
	}
	return m
}

func (c *destinationCheck) row(name string) Row {
	r := Row{Secret: name, Vault: Unknown, Fetch: None, File: Yes, Config: No}
	switch {
	case c.used(name):
		r.Config = Yes
	case len(c.project.Config.Unknown) > 0:
		r.Config = Unknown
	}
	d, ok := c.definition(name)
	if !ok {
		r.File, r.Vault = No, Unknown
		if len(c.whole) > 0 {
			r.Vault = No // of the items that are declared, all that they have is known
		}
		if c.pipe() != "" {
			r.File = Unknown
		}
		if c.declared(name) {
			r.File = None
			r.From, r.Vault = c.source(name)
		}
		return r
	}
	for i := range d.Parts {
		p := &d.Parts[i]
		switch p.Kind {
		case kamal.Literal:
			if len(d.Parts) == 1 {
				r.Vault = None
			}
		case kamal.PassThrough:
			if _, ok := c.index.before(d, p.Name); !ok {
				r.From, r.Vault = c.source(p.Name)
			}
		case kamal.Read:
			r.Vault = c.vaultState(p.Wanted)
		case kamal.Extract:
			r.Fetch, r.Vault = c.fetchState(d, p)
		}
	}
	return r
}

// fetchState is whether an extract's fetch has its name, and whether the vault
// has the field.
func (c *destinationCheck) fetchState(d *kamal.Definition, extract *kamal.Part) (fetch, vault State) {
	from, ok := c.fetchOf(d, extract)
	if !ok {
		return Unknown, Unknown
	}
	fetched := c.index.of(from)
	switch {
	case fetched.gives(extract.Name):
	case fetched.opaque:
		return Unknown, Unknown
	default:
		return No, Unknown
	}
	return Yes, c.vaultState(fetched.of(extract.Name))
}

func (c *destinationCheck) vaultState(wanted []kamal.Wanted) State {
	if len(wanted) == 0 {
		return Unknown
	}
	state := Yes
	for _, w := range wanted {
		switch c.inVault[w] {
		case No:
			return No
		case Yes:
		default:
			state = Unknown
		}
	}
	return state
}
