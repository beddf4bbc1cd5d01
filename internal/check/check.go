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

// Options say what to check.
type Options struct {
	Dir        string
	ConfigFile string   // "" is Kamal's own
	Env        []string // that commands in the secrets files may name; nil where it is not known

	// Destinations are the destinations to check, "" for the plain
	// configuration; nil for all that have a file.
	Destinations []string

	// Declared is what is declared to kamal-op, to a check of no run beside what the
	// workflows declare.
	Declared []Declared
	// Run says that these are the options of a run: what the workflows declare is
	// then not declared.
	Run bool
	// For gives the options of a destination where they differ; nil where they do not.
	For func(o Options, destination string) (Options, error)
	// Keys are what else the options name in 1Password: SSH keys and their
	// passphrase. The vault is asked for them.
	Keys []Declared

	// AllowEmpty are names whose empty value is wanted, AllowReference those whose
	// value may be a secret reference.
	AllowEmpty, AllowReference []string
	// AllowNames are declared names that are taken although programs follow them.
	AllowNames []string

	// Vault is asked for items, or nil where nothing is to be asked.
	Vault Vault

	// Config gives the configuration of a destination where the files' own text is
	// not to do: as Kamal loads it, ERB run. nil reads the text.
	Config func(destination string) (*kamal.Config, error)

	common *sharedState // what the destinations have in common

	// NoPrivileges leaves out whether the credentials can read more than is
	// needed, which takes a request of its own.
	NoPrivileges bool
}

// A Vault answers what an item has. *onepassword.Resolver is one.
type Vault interface {
	Prefetch(ctx context.Context, refs ...onepassword.Reference) error
	Item(ctx context.Context, vault, item string) (*onepassword.Item, error)
	Vaults(ctx context.Context) ([]onepassword.Vault, error)
	Names(ctx context.Context, d onepassword.Declaration) ([]string, error)
}

// A Level says how grave a finding is.
type Level string

// The levels, under SARIF's names (SARIF 2.1.0, 3.27.10).
const (
	Error   Level = "error"
	Warning Level = "warning"
	Note    Level = "note" // may well be meant
)

// rank puts the gravest first.
func (l Level) rank() int { return slices.Index([]Level{Error, Warning, Note}, l) }

// A Finding is one thing that is wrong.
type Finding struct {
	Rule         string // the rule's name, as RuleUndefined
	Level        Level
	Secret       string   // the name it is about, or ""
	Destinations []string // in which it is so; "" is the plain configuration
	Problem      *problem.Problem

	// The secrets files that a name was looked for in, and the one where it belongs: the
	// files of each destination are others, and the name that is missing is one.
	lookedIn, belongs []string
}

// Breaks reports whether a deploy would fail for it, or ship an empty secret that
// the configuration uses.
func (f Finding) Breaks() bool {
	switch f.Rule {
	case RuleUndefined, RuleAlias, RuleNotFetched, RuleNotInVault, RuleEmpty, RuleAccount, RuleReference, RuleShell, RuleReserved, RuleRefused:
		return f.Level == Error
	}
	return false
}

// A Report is what a check found.
type Report struct {
	Matrices []Matrix // one a destination
	Findings []Finding
	Unknown  []problem.Place // ERB: what depends on it is not known
	Skipped  []Skipped

	known map[string]int // Findings by what they say
}

// Failed reports whether something is wrong that would break a deploy or empty a
// secret.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Error })
}

// Check checks a project. The error is a problem with its files as a whole, which
// are not there or no YAML, or that 1Password refused to answer.
func Check(ctx context.Context, o Options) (Report, error) {
	o.common = &sharedState{}
	checks, err := openDestinations(o)
	if err != nil {
		return Report{}, err
	}
	var wanted []onepassword.Reference
	for _, c := range checks {
		wanted = append(wanted, c.references()...)
	}
	if o.Vault != nil && len(wanted) > 0 {
		if err := o.Vault.Prefetch(ctx, wanted...); err != nil {
			return Report{}, err
		}
	}
	var report Report
	for _, c := range checks {
		c.check(ctx)
		if ctx.Err() != nil {
			return Report{}, context.Cause(ctx) // what was not answered is not missing
		}
		report.Matrices = append(report.Matrices, c.matrix())
		for _, f := range c.findings {
			report.add(f, c.destination)
		}
		for _, place := range c.project.Config.Unknown {
			if !slices.Contains(report.Unknown, place) {
				report.Unknown = append(report.Unknown, place)
			}
		}
	}
	if err := o.common.refusals.Err(); err != nil {
		return Report{}, err
	}
	report.Skipped = o.skipped()
	if slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Rule == RuleUnused }) {
		report.dropUsedByOthers(o.otherServices())
	}
	report.dropUsedElsewhere(o, checks)
	report.sort()
	return report, nil
}

// openDestinations reads what belongs to each destination, or reports all that is wrong with
// the files, each once.
func openDestinations(o Options) (checks []*destinationCheck, err error) {
	var problems problem.List
	seen := map[string]bool{}
	for _, d := range o.AllDestinations() {
		c, err := openDestination(o, d)
		for _, p := range problem.Of(err) {
			if !seen[p.Error()] {
				seen[p.Error()] = true
				problems = append(problems, p)
			}
		}
		if err == nil {
			checks = append(checks, c)
		}
	}
	return checks, problems.Err()
}

// sort puts what stops a deploy first, and the rest by its place.
func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Level.rank(), b.Level.rank()),
			cmp.Compare(a.Problem.Place.File, b.Problem.Place.File),
			cmp.Compare(a.Problem.Place.Line, b.Problem.Place.Line),
			cmp.Compare(a.Problem.Place.Column, b.Problem.Place.Column))
	})
}

// AllDestinations are those to look at: the ones that are named, else every one that
// people deploy, as far as the files say.
func (o Options) AllDestinations() []string {
	if o.Destinations != nil {
		return o.Destinations
	}
	var all []string
	for _, c := range o.configurations() {
		if c.deployed {
			all = append(all, c.destination)
		}
	}
	return all
}

// A Skipped is a configuration that was not checked.
type Skipped struct{ File, As, Why string }

// skipped are the configurations that were not checked.
func (o Options) skipped() []Skipped {
	if o.Destinations != nil {
		return nil
	}
	var all []Skipped
	for _, c := range o.configurations() {
		switch {
		case c.deployed:
		case c.destination != "":
			all = append(all, Skipped{kamal.DestinationFile(o.ConfigFile, c.destination), "as a destination", c.why})
		case c.told:
			all = append(all, Skipped{cmp.Or(o.ConfigFile, kamal.DefaultConfigFile), "without a destination", c.why})
		}
	}
	return all
}

// add adds a finding, or its destination to the same finding of another.
func (r *Report) add(f Finding, destination string) {
	message, hint := f.withoutFiles()
	said := strings.Join([]string{f.Rule, f.Secret, f.Problem.Place.String(), message}, "\x00")
	if len(f.lookedIn) > 0 {
		said += "\x00" + hint
	}
	if i, ok := r.known[said]; ok {
		if before := &r.Findings[i]; !slices.Contains(before.Destinations, destination) {
			before.Destinations = append(before.Destinations, destination)
			before.alsoIn(f)
		}
		return
	}
	if r.known == nil {
		r.known = map[string]int{}
	}
	r.known[said] = len(r.Findings)
	f.Destinations = []string{destination}
	r.Findings = append(r.Findings, f)
}

// dropUsedElsewhere takes back that a definition is unused where another
// destination that reads the same file uses it, or may: one that was not looked at.
func (r *Report) dropUsedElsewhere(o Options, checks []*destinationCheck) {
	unseen := o.Destinations != nil && slices.ContainsFunc(kamal.Destinations(o.Dir, o.ConfigFile), func(d string) bool {
		return !slices.Contains(o.Destinations, d)
	})
	shared := func(file string) bool {
		return unseen && slices.ContainsFunc(checks, func(c *destinationCheck) bool { return c.project.Secrets.Names[0] == file })
	}
	readers := func(file string) int {
		n := 0
		for _, c := range checks {
			if slices.ContainsFunc(c.project.Secrets.Files, func(f *kamal.SecretsFile) bool { return f.Path == file }) {
				n++
			}
		}
		return n
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		file := f.Problem.Place.File
		return (f.Rule == RuleUnused || f.Rule == RuleNotExtracted) && (shared(file) || len(f.Destinations) < readers(file))
	})
}

// dropUsedByOthers takes back that a definition is unused where another service uses
// it.
func (r *Report) dropUsedByOthers(services []*kamal.Config) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		return f.Rule == RuleUnused && slices.ContainsFunc(services, func(s *kamal.Config) bool { return slices.Contains(s.Used(), f.Secret) })
	})
}

// base is the configuration without a destination.
func (o Options) base() (*kamal.Config, error) {
	if o.common != nil && o.common.base != nil {
		return o.common.base, nil
	}
	config, err := o.config(kamal.ProjectOptions{Dir: o.Dir, ConfigFile: o.ConfigFile, Cache: o.common.fileCache()})
	if err == nil && o.common != nil {
		o.common.base = config
	}
	return config, err
}

// config is the configuration of a destination.
func (o Options) config(p kamal.ProjectOptions) (*kamal.Config, error) {
	if o.Config != nil {
		return o.Config(p.Destination)
	}
	return kamal.ReadConfig(p)
}

// project is what the files say of a destination.
func (o Options) project(destination string) (*kamal.Project, error) {
	p := kamal.ProjectOptions{Dir: o.Dir, ConfigFile: o.ConfigFile, Destination: destination, Env: o.Env, Cache: o.common.fileCache()}
	if o.Config == nil {
		return kamal.OpenProject(p)
	}
	config, err := o.Config(destination)
	if err != nil {
		return nil, err
	}
	secrets, err := kamal.ReadSecrets(p, config.SecretsPath.Or(kamal.DefaultSecretsPath))
	if err != nil {
		return nil, err
	}
	return &kamal.Project{ProjectOptions: p, Config: config, Secrets: secrets}, nil
}
