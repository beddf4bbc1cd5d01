package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/reference"
	"github.com/kamal-op/kamal-op/internal/review"
)

// A projectOptions is what .kamal/kamal-op.yml says for one command line. The zero one
// says nothing.
type projectOptions struct {
	file        *projectfile.File
	destination string
	trusted     bool // somebody beside the file says that all of it counts
	confirmed   map[string]bool
}

// values are those of an option that count.
func (p projectOptions) values(option string) []line {
	if p.confirmed[option] && !p.trusted {
		return nil
	}
	return p.lines(option)
}

// lines are the values of an option, whether they count or not.
func (p projectOptions) lines(option string) (list []line) {
	for _, l := range p.file.Values(option, p.destination) {
		list = append(list, line{text: l.Text, origin: p.file.Origin(l)})
	}
	return list
}

// gives tells whether the file gives an option, for whichever destination.
func (p projectOptions) gives(option string) bool {
	if p.file == nil {
		return false
	}
	return len(p.file.Values(option, "")) > 0 || slices.ContainsFunc(p.file.Destinations(), func(l projectfile.Line) bool {
		return len(p.file.Values(option, l.Text)) > 0
	})
}

// unconfirmed are the options that the file gives and that do not count.
func (p projectOptions) unconfirmed() []string {
	if p.trusted {
		return nil
	}
	return p.weakening()
}

// weakening are the options that the file gives and that need somebody to confirm them.
func (p projectOptions) weakening() (names []string) {
	for name, needed := range p.confirmed {
		if needed && len(p.lines(name)) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// fileOptions are all options that may stand in the file.
func fileOptions(g reference.Grammar) (options []projectfile.Option) {
	for _, o := range reference.InFile(g) {
		options = append(options, projectfile.Option{
			Name: o.Name, Other: o.Input, List: o.Kind == reference.List || o.Kind == reference.Selection, Confirmed: o.File == "confirmed",
		})
	}
	return options
}

// readProjectFile reads the file for a command line that has been parsed without it.
// Commands that ask no vault know nothing of it.
func (a *app) readProjectFile(kctx *kong.Context) (projectOptions, error) {
	flag := func(name string) (value any, there bool) {
		for _, f := range kctx.Flags() {
			if f.Name == name {
				return kctx.FlagValue(f), true
			}
		}
		return nil, false
	}
	trusted, reads := flag("trust-project-file")
	if !reads {
		return projectOptions{}, nil
	}
	text := func(name string) (value string) {
		if v, ok := flag(name); ok {
			value, _ = v.(string)
		}
		return value
	}
	var p projectOptions
	p.trusted, _ = trusted.(bool)
	p.destination = text("destination")
	switch command, _, _ := strings.Cut(kctx.Command(), " "); {
	case p.destination != "":
	case command == "promote":
		p.destination = text("to")
	case command == "review":
		p.destination = review.DefaultDestination
	case command == "post" && len(a.left.Places) > 0:
		p.destination = a.left.Places[0].Destination // of the main step, whose options hold here
	}
	dir := a.path(text("working-directory"))
	found, bases, err := a.projectFile(dir, kctx.Command())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		if bases {
			return p, nil
		}
		return p, a.missingProjectFile(dir)
	}
	if err != nil {
		return p, &problem.Problem{Message: projectfile.Name + " cannot be read: " + err.Error(), Status: problem.Found, Cause: err, Help: problem.ProjectFile}
	}
	options := fileOptions(Grammar())
	p.confirmed = map[string]bool{}
	for _, o := range options {
		p.confirmed[o.Name] = o.Confirmed
	}
	if p.file, err = projectfile.Parse(projectfile.Name, found, options, nearOption); err != nil {
		return p, err
	}
	unknown := unknownDestinations(p.file, dir, text("config-file"))
	if bases { // what is wrong with it is not this pull request's to mend, nor are the files beside it
		for _, u := range unknown {
			a.system.Notice(u)
		}
		return p, nil
	}
	return p, unknown.Err()
}

// misplaced is where the file is put by mistake.
var misplaced = [...]string{
	".kamal/kamal-op.yaml", ".kamal/kamal_op.yml", "kamal-op.yml", "kamal-op.yaml", ".kamal-op.yml", ".kamal-op.yaml", "config/kamal-op.yml", "config/kamal-op.yaml",
}

// missingProjectFile tells of a file that somebody takes for the project's, which has none
// then: what it says, such as the servers' host keys, would not hold.
func (a *app) missingProjectFile(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, projectfile.Name)); err == nil {
		if _, err := os.Stat(filepath.Join(dir, projectfile.Name)); err != nil {
			return problem.New(projectfile.Name+" is a link to a file that is not there", "mend the link, or take it away").About(problem.ProjectFile)
		}
	}
	for _, name := range misplaced {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			a.system.Notice(problem.New(name+" is not read: the project file is "+projectfile.Name, "move it there").About(problem.ProjectFile))
		}
	}
	return nil
}

// unknownDestinations are those of the file that Kamal does not have: what stands there
// would hold for nothing, and what holds for all would hold for the one that is meant.
func unknownDestinations(f *projectfile.File, dir, configFile string) (problems problem.List) {
	base := configFile
	if base == "" {
		base = kamal.DefaultConfigFile
	}
	if !filepath.IsAbs(base) {
		base = filepath.Join(dir, base)
	}
	info, err := os.Stat(base)
	if there := err == nil && info.Mode().IsRegular(); !there {
		return nil // there is no Kamal here that could have destinations
	}
	known := kamal.Destinations(dir, configFile)
	beside, _ := os.ReadDir(filepath.Dir(base)) // it has the base in it
	for _, d := range f.Destinations() {
		// One of another service of the project, which has a configuration of its own,
		// counts too: a file is for all of them.
		if slices.ContainsFunc(beside, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), "."+d.Text+".yml") }) {
			continue
		}
		hint := "name it as its file: " + kamal.DestinationFile(kamal.DefaultConfigFile, "NAME")
		if near := nearOption(d.Text, known); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		p := problem.Newf("%s: there is no destination %q", projectfile.Name, d.Text).About(problem.ProjectFile)
		p.Hint, p.Place = hint, f.Place(d)
		problems = append(problems, p)
	}
	return problems
}

// readSmall reads a regular file that is not larger than a person writes it.
func readSmall(path string) ([]byte, error) {
	// Opening a pipe that nobody writes to would wait for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read only
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	return io.ReadAll(io.LimitReader(f, projectfile.MaxSize+1))
}

// nearOption is the option that is meant by a name that is none: one that is spelt
// almost like it, or begins like it.
func nearOption(wrong string, names []string) string {
	if near := check.Nearest(wrong, names); near != "" {
		return near
	}
	const enough = 3
	for _, name := range names {
		if len(wrong) >= enough && strings.HasPrefix(name, wrong[:enough]) {
			return name
		}
	}
	return ""
}
