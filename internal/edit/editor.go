package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// An editor holds the files of a project that a plan may change, each once,
// whatever destinations read it.
type editor struct {
	o            check.Options
	tree         tree
	plan         Plan
	destinations []string
	projects     map[string]*kamal.Project
	files        []*workFile
	told         []problem.Place  // of names that stay, with a note
	given        map[string]given // what is declared for each destination
	alone        bool             // one destination was asked for: files of all others stay
}

// openEditor reads the project. All that is wrong with its files is told at once.
func openEditor(o check.Options, command string, names ...string) (*editor, error) {
	e := &editor{
		o: o, tree: newTree(o.Dir), plan: Plan{Command: command, Names: names}, projects: map[string]*kamal.Project{},
		destinations: o.AllDestinations(), alone: o.Destinations != nil && !slices.Contains(o.Destinations, ""),
	}
	if len(e.destinations) == 0 {
		e.destinations = []string{""} // nothing that deploys is known: its files are there all the same
	}
	var problems problem.List
	seen := map[string]bool{}
	tell := func(err error) {
		for _, p := range problem.Of(err) {
			if !seen[p.Error()] {
				seen[p.Error()] = true
				problems = append(problems, p)
			}
		}
	}
	for _, d := range e.destinations {
		project, err := kamal.OpenProject(kamal.ProjectOptions{Dir: o.Dir, ConfigFile: o.ConfigFile, Destination: d, Env: o.Env})
		if err != nil {
			tell(err)
			continue
		}
		e.projects[d] = project
		for _, name := range project.Config.Files {
			if err := e.open(name, true); err != nil {
				tell(err)
			}
		}
		for _, name := range project.Secrets.Names {
			if err := e.open(name, false); err != nil {
				tell(err)
			}
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if err := e.openWorkflows(); err != nil {
		return nil, err
	}
	return e, e.openProjectFile()
}

func (e *editor) open(name string, config bool) error {
	if e.file(name) != nil {
		return nil
	}
	f, err := e.tree.read(name)
	if err != nil {
		return err
	}
	if config {
		f.config, err = kamal.EditConfig(name, f.old)
	} else {
		f.secrets = kamal.EditSecrets(name, f.old, e.o.Env)
	}
	e.files = append(e.files, f)
	return err
}

func (e *editor) file(name string) *workFile {
	for _, f := range e.files {
		if f.name == name {
			return f
		}
	}
	return nil
}

// configFile and destinationFile are deploy.yml and the destination's file beside
// it; the latter is nil without a destination.
func (e *editor) configFile(d string) *workFile { return e.file(e.projects[d].Config.Files[0]) }

func (e *editor) destinationFile(d string) *workFile {
	if files := e.projects[d].Config.Files; len(files) > 1 {
		return e.file(files[1])
	}
	return nil
}

// secretsFiles are the files that a destination reads, in Kamal's order, whether
// they are there or not.
func (e *editor) secretsFiles(d string) []*workFile {
	var files []*workFile
	for _, name := range e.projects[d].Secrets.Names {
		files = append(files, e.file(name))
	}
	return files
}

// lookup is the definition of a name that holds for a destination now.
func (e *editor) lookup(d, name string) (kamal.Definition, *workFile, bool) {
	for _, f := range slices.Backward(e.secretsFiles(d)) {
		if def, ok := lastDefinition(f, name); ok {
			return def, f, true
		}
	}
	return kamal.Definition{}, nil, false
}

func lastDefinition(f *workFile, name string) (kamal.Definition, bool) {
	for _, def := range slices.Backward(f.secrets.File().Definitions) {
		if def.Name == name {
			return def, true
		}
	}
	return kamal.Definition{}, false
}

// fetchBefore is the fetch that an extract in a file takes its value from.
func fetchBefore(f *workFile, d kamal.Definition, extract kamal.Part) (kamal.Definition, bool) {
	s := kamal.Secrets{Files: []*kamal.SecretsFile{f.secrets.File()}}
	source, ok := s.Before(d, extract.Source)
	return source, ok && extract.Source != "" && source.Kind == kamal.Fetch && len(source.Parts) == 1
}

// secretFiles and configFiles are all that are there.
func (e *editor) secretFiles() []*workFile {
	return slices.DeleteFunc(slices.Clone(e.files), func(f *workFile) bool {
		return f.secrets == nil || !f.exists || f.opaque || e.alone && strings.HasSuffix(f.name, "-common")
	})
}

func (e *editor) configFiles() []*workFile {
	var files []*workFile
	for _, d := range e.destinations {
		for i, name := range e.projects[d].Config.Files {
			if f := e.file(name); !slices.Contains(files, f) && (i > 0 || !e.alone) {
				files = append(files, f)
			}
		}
	}
	return files
}

// finish is the plan, with every file that is to change: they must all be the
// project's own.
func (e *editor) finish() (Plan, error) {
	var problems problem.List
	for _, f := range e.files {
		c, ok := f.changeOf()
		if ok && f.foreign != nil {
			problems = append(problems, problem.Of(f.foreign)...)
		}
		if ok {
			e.plan.Changes = append(e.plan.Changes, c)
		}
	}
	if err := problems.Err(); err != nil {
		return Plan{}, err
	}
	return e.plan, nil
}

// wantedOf is the field of 1Password that a definition's value comes from.
func (e *editor) wantedOf(f *workFile, d kamal.Definition) (kamal.Wanted, bool) {
	for _, p := range d.Parts {
		switch p.Kind {
		case kamal.Read:
			if len(p.Wanted) > 0 {
				return p.Wanted[0], true
			}
		case kamal.Extract:
			fetch, ok := fetchBefore(f, d, p)
			if !ok {
				return kamal.Wanted{}, false
			}
			from := fetch.Parts[0]
			for _, w := range from.Wanted {
				if w.Field == "" {
					w.Field = p.Name
					return w, true
				}
				if w.Field == p.Name || check.Fetches(kamal.Part{From: from.From, Names: []string{strings.ReplaceAll(w.Field, ".", "/")}}, p.Name) {
					return w, true
				}
			}
		}
	}
	return kamal.Wanted{}, false
}

// validName is a usage problem where a text cannot be the name of a secret.
func validName(what, name string) error {
	if onepassword.IsEnvironmentName(name) {
		return nil
	}
	return problem.Usagef("a name has letters, digits and _, and does not begin with a digit", "%s %q cannot be the name of a secret", what, name)
}
