package edit

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A secret that a secrets file passes on (NAME=$NAME) comes from the environment of
// Kamal: from what is declared to kamal-op, from the env of a workflow, from a
// shell. Only the declarations in this repository's workflows are ours to rename,
// and only where nothing else reads or sets the variable.

// declaresSecrets is where another CI system's file begins to declare secrets.
var declaresSecrets = lazy.Regexp(`(?m)^\s*(?:KAMAL_OP_SECRETS?|secrets):`)

// givesVariable tells whether the variable of the environment can be renamed too:
// every step of kamal-op in the workflows declares it, and nothing else of the
// project names it.
func (e *editor) givesVariable(from, to string) bool {
	if e.alone {
		return false
	}
	declared := !slices.ContainsFunc(e.destinations, func(d string) bool { return !declares(e.names().declared(d), from) })
	fromFile := declared
	for _, f := range e.allWorkflows() {
		names := 0
		for _, l := range declarations(f.text) {
			if l.name == from {
				names++
			}
			if l.name == to {
				return false
			}
		}
		if slices.ContainsFunc(inlineDeclarations(f.text), func(one inlineName) bool { return one.name == from || one.name == to }) {
			return false // which is not changed
		}
		steps := strings.Count(f.text, oneStep)
		if steps == 0 && names > 0 {
			steps = len(declaresSecrets().FindAllString(f.text, -1)) // another CI system's
		}
		if fromFile && names == 0 && !declaresSecrets().MatchString(f.text) {
			steps = 0 // it takes what the project file declares
		}
		if names != steps || strings.Count(f.text, "--secret") > 0 {
			return false
		}
		declared = declared || names > 0
	}
	return declared && len(e.namers(from)) == 0 && !e.readsVariable(to)
}

func declares(words []projectWord, name string) bool {
	return slices.ContainsFunc(words, func(w projectWord) bool { return w.name == name })
}

// readsVariable tells whether a secrets file takes a variable of the environment.
func (e *editor) readsVariable(name string) bool {
	for _, f := range e.secretFiles() {
		for _, def := range f.secrets.File().Definitions {
			for _, p := range def.Parts {
				if p.Kind == kamal.PassThrough && p.Name == name || slices.Contains(p.Variables, name) {
					return true
				}
			}
		}
	}
	return false
}

// namers are the places that name a variable of the environment, beside the
// declarations and the secrets that are to be renamed.
func (e *editor) namers(name string) []problem.Place {
	var places []problem.Place
	put := func(file, text string) {
		if at := wordAt(text, name); at.Line > 0 {
			at.File = file
			places = append(places, at)
		}
	}
	for _, f := range e.allWorkflows() {
		text := f.text
		for _, l := range slices.Backward(declarations(text)) {
			if l.name == name {
				text = text[:l.at] + strings.Repeat(" ", l.to-l.at-1) + "\n" + text[l.to:]
			}
		}
		put(f.name, text)
	}
	for _, f := range e.files {
		switch {
		case f.config != nil:
			if at := f.config.Environment(name); at.Line > 0 {
				places = append(places, at)
			}
		case f.secrets != nil:
			for _, def := range f.secrets.File().Definitions {
				for _, p := range def.Parts {
					rest := strings.NewReplacer("${"+name+"}", "", "$"+name, "").Replace(p.Text)
					if p.Kind == kamal.Command && wordAt(rest, name).Line > 0 {
						places = append(places, p.Place)
					}
				}
			}
		}
	}
	for _, pattern := range settingFiles {
		names, _ := filepath.Glob(filepath.Join(e.o.Dir, filepath.FromSlash(pattern)))
		for _, at := range names {
			info, err := os.Stat(at)
			if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
				continue
			}
			text, err := os.ReadFile(at)
			if rel, relErr := filepath.Rel(e.o.Dir, at); err == nil && relErr == nil && e.file(filepath.ToSlash(rel)) == nil {
				put(filepath.ToSlash(rel), string(text))
			}
		}
	}
	return places
}

// settingFiles are where projects set variables for a deploy, or read them.
var settingFiles = [...]string{
	".env*", ".envrc", "mise.toml", ".mise.toml", "Makefile", "justfile", "Justfile", "Rakefile", "Taskfile.yml", "lib/tasks/*.rake",
	"bin/*", "script/*", "scripts/*", "*.sh", ".kamal/hooks/*", ".gitlab-ci.yml", "bitbucket-pipelines.yml", "Jenkinsfile",
	".circleci/*.yml", ".buildkite/*.yml", ".drone.yml", ".woodpecker.yml", ".github/actions/*/action.yml", ".github/actions/*/action.yaml",
}

// setBy is who sets a variable, as far as the project says.
func (e *editor) setBy(name string) string {
	var places []string
	for _, at := range e.namers(name) {
		places = append(places, at.String())
	}
	for _, f := range e.allWorkflows() {
		for _, l := range declarations(f.text) {
			if l.name == name {
				at := problem.Place{File: f.name, Line: strings.Count(f.text[:l.at], "\n") + 1, Column: l.in + 1}
				places = append(places, at.String())
			}
		}
	}
	if at := e.namedInProject(name, (*projectList).declares); at.Line > 0 {
		places = append(places, at.String())
	}
	if len(places) == 0 {
		return "no file of the project, so a shell or a CI setting"
	}
	return strings.Join(places, ", ")
}

// otherConfigs are the configurations of other services beside this one that read
// the same secrets files and use a name: people deploy them with --config-file.
func (e *editor) otherConfigs(name string) []*workFile {
	if e.alone {
		return nil // a destination's own secrets file is read by no other service's
	}
	base := e.projects[e.destinations[0]].Config
	dir := path.Dir(filepath.ToSlash(base.Files[0]))
	found, _ := filepath.Glob(filepath.Join(inProject(e.o.Dir, filepath.FromSlash(dir)), "*.yml"))
	var files []*workFile
	for _, at := range found {
		file := path.Join(dir, filepath.Base(at))
		if e.file(file) != nil {
			continue
		}
		other, err := kamal.ReadConfig(kamal.ProjectOptions{Dir: e.o.Dir, ConfigFile: file})
		if err != nil || other.SecretsPath.Or(kamal.DefaultSecretsPath) != base.SecretsPath.Or(kamal.DefaultSecretsPath) {
			continue
		}
		f, err := e.tree.read(file)
		if err != nil || f.opaque {
			continue
		}
		if f.config, err = kamal.EditConfig(file, f.old); err != nil {
			continue
		}
		if slices.ContainsFunc(f.config.PossibleUses(), func(u kamal.Use) bool { return u.Name == name }) {
			files = append(files, f)
		}
	}
	return files
}

// otherSecrets are the secrets files that the editor has not opened: those of
// destinations that are not asked for.
func (e *editor) otherSecrets() []*workFile {
	var files []*workFile
	stem := e.projects[e.destinations[0]].Config.SecretsPath.Or(kamal.DefaultSecretsPath)
	names, _ := filepath.Glob(inProject(e.o.Dir, stem) + "*")
	for _, name := range names {
		name = stem + strings.TrimPrefix(name, inProject(e.o.Dir, stem))
		if e.file(name) != nil {
			continue
		}
		if f, err := e.tree.read(name); err == nil && f.exists && !f.opaque {
			f.secrets = kamal.EditSecrets(f.name, f.old, e.o.Env)
			files = append(files, f)
		}
	}
	return files
}

// givesMore tells whether a fetch gives more than its arguments name, and the file
// takes it: a secret of AWS that is JSON, or all of a project of Bitwarden's.
func givesMore(f *workFile, fetch kamal.Definition) bool {
	if !fetch.Parts[0].KeysUnknown() {
		return false
	}
	return slices.ContainsFunc(f.secrets.File().Definitions, func(d kamal.Definition) bool {
		return slices.ContainsFunc(d.Parts, func(p kamal.Part) bool {
			return p.Kind == kamal.Extract && p.Source == fetch.Name && !check.Fetches(fetch.Parts[0], p.Name)
		})
	})
}
