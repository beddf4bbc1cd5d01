package check

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// deployments is what the files that start a deploy say of it: workflows, the
// pipelines of other CIs, and the scripts that people keep for it. They are read as
// text, nothing of them is run.
type deployments struct {
	destinations map[string]bool // named by --destination
	configs      map[string]bool // named by --config-file, by their base name
	pipelines    []*pipeline
	sources      map[string]*deployInputs // by destination, of those that were asked for
	unseen       []string                 // what gives variables to them that no file shows

	indirect indirectStarts
}

// Where deploys are started from, in the project and at the root of its repository: by
// a CI system, and by people.
var (
	pipelineFiles = []string{
		".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitea/workflows/*.y*ml", ".forgejo/workflows/*.y*ml",
		".github/actions/*/action.y*ml", gitlabFile, ".circleci/*.y*ml", ".buildkite/*.y*ml", ".woodpecker.y*ml", ".woodpecker/*.y*ml", ".drone.y*ml",
		"bitbucket-pipelines.yml", "azure-pipelines.yml", "Jenkinsfile",
	}
	scriptFiles = []string{
		"Makefile", "Rakefile", "lib/tasks/*.rake", "justfile", "Justfile", "Taskfile.y*ml", "mise.toml", "package.json",
		"bin/*", "script/*", "scripts/*",
	}
)

var (
	namesDestination = lazy.Regexp(`(?:(?:^|\s)-d[ =]?|--destination[ =]|\bdestination:\s*|\bKAMAL_OP_DESTINATION(?:["']?:\s*|=))["']?([A-Za-z0-9_-]+)`)
	namesConfig      = lazy.Regexp(`(?:(?:^|\s)-c[ =]?|--config-file[ =]|\bconfig-file:\s*|\bconfig_file:\s*|\bKAMAL_OP_CONFIG_FILE(?:["']?:\s*|=))["']?([^\s"']+\.ya?ml)`)
)

// maxDeployFile is beyond every workflow that a person writes.
const maxDeployFile = 1 << 20

// readDeployments reads what starts deploys of the project in dir.
func readDeployments(dir string) *deployments {
	d := &deployments{destinations: map[string]bool{}, configs: map[string]bool{}, sources: map[string]*deployInputs{}}
	places := []string{dir}
	if root := repositoryRoot(dir); root != "" && root != filepath.Clean(dir) {
		places = append(places, root)
	}
	for _, place := range places {
		d.readAll(place, pipelineFiles, true)
		for _, name := range GitlabIncluded(place) {
			if before := len(d.pipelines); d.read(place, filepath.Join(place, filepath.FromSlash(name)), true) > before {
				d.addUnseen(unseenSystem(gitlabFile))
			}
		}
		d.readAll(place, scriptFiles, false)
	}
	d.readIndirect()
	return d
}

func (d *deployments) readAll(dir string, patterns []string, arePipelines bool) {
	for _, pattern := range patterns {
		names, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern))) // the patterns are well-formed
		for _, name := range names {
			d.read(dir, name, arePipelines)
		}
	}
}

// read reads a file, and says how many pipelines there are then.
func (d *deployments) read(top, name string, isPipeline bool) int {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxDeployFile {
		return len(d.pipelines) // what it says is not known, and nothing is concluded from that
	}
	bytes, err := os.ReadFile(name)
	if err != nil {
		return len(d.pipelines)
	}
	if !strings.Contains(string(bytes), "kamal") {
		if isPipeline {
			d.indirect.waiting = append(d.indirect.waiting, startFile{top, name, string(bytes)})
		}
		return len(d.pipelines)
	}
	d.indirect.add(top, name, string(bytes))
	d.takeFile(startFile{top, name, string(bytes)}, isPipeline)
	return len(d.pipelines)
}

// takeFile takes what a file that starts deploys says.
func (d *deployments) takeFile(f startFile, isPipeline bool) {
	if rel, err := filepath.Rel(f.top, f.name); isPipeline && err == nil {
		d.addUnseen(unseenSystem(filepath.ToSlash(rel)))
	}
	take := func(pattern *regexp.Regexp, into map[string]bool) {
		for _, m := range pattern.FindAllStringSubmatch(f.text, -1) {
			into[filepath.Base(m[1])] = true
		}
	}
	take(namesDestination(), d.destinations)
	take(namesConfig(), d.configs)
	if isPipeline {
		d.pipelines = append(d.pipelines, newPipeline(f.text, f.top))
	}
}

// addUnseen notes what gives variables and is in no file.
func (d *deployments) addUnseen(system string) {
	if system != "" && !slices.Contains(d.unseen, system) {
		d.unseen = append(d.unseen, system)
	}
}

// repositoryRoot is the folder of the repository that dir is in, or "".
func repositoryRoot(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// examples are names of files that are copied, not deployed.
var examples = []string{"example", "sample", "template", "tmpl", "dist", "skeleton"}

// A configuration is one that a deploy may take.
type configuration struct {
	destination string
	deployed    bool   // it is one that people deploy, as far as the files say
	why         string // why it is not
	told        bool   // it may be one all the same
}

// configurations are the plain configuration and one for every file beside it that
// has the name of a destination's.
func (o Options) configurations() []configuration {
	started := o.deployments()
	base, err := o.base()
	plain := configuration{deployed: true}
	if err == nil {
		whole := len(base.Unknown) == 0 // else ERB may give what is missing
		switch {
		case base.RequireDestination:
			plain = configuration{why: "require_destination is true"}
		case base.MayRequire && len(kamal.Destinations(o.Dir, o.ConfigFile)) > 0:
			plain = configuration{why: "ERB decides whether it requires one (--erb has Kamal say it)", told: true}
		case whole && len(base.Hosts) == 0:
			plain = configuration{why: "it has no servers"}
		case whole && o.completedByDestination(base):
			plain = configuration{why: "it has no " + strings.Join(base.Missing, ", ")}
		case o.secretsAreDestinations(base):
			plain = configuration{why: "only destinations have the secrets that it names", told: true}
		}
	}
	all := []configuration{plain}
	for _, name := range kamal.Destinations(o.Dir, o.ConfigFile) {
		c := configuration{destination: name, deployed: true}
		if !started.destinations[name] {
			c.deployed, c.why = o.isDestination(name, base, started)
		}
		all = append(all, c)
	}
	if !slices.ContainsFunc(all, func(c configuration) bool { return c.deployed }) {
		all[0] = configuration{deployed: true} // Kamal, and check, say what is missing in it
	}
	return all
}

// completedByDestination reports whether the configuration lacks what Kamal wants and a
// destination's file has it: it is then never deployed alone.
func (o Options) completedByDestination(base *kamal.Config) bool {
	if len(base.Missing) == 0 {
		return false
	}
	return slices.ContainsFunc(kamal.Destinations(o.Dir, o.ConfigFile), func(name string) bool {
		merged, err := o.config(kamal.ProjectOptions{Dir: o.Dir, ConfigFile: o.ConfigFile, Destination: name, Cache: o.common.fileCache()})
		return err == nil && len(merged.Missing) == 0
	})
}

// secretsAreDestinations reports whether the configuration names secrets that it has no
// file for, and a destination has one: it is then deployed with a destination.
func (o Options) secretsAreDestinations(base *kamal.Config) bool {
	path := base.SecretsPath.Or(kamal.DefaultSecretsPath)
	has := func(name string) bool {
		if !filepath.IsAbs(name) {
			name = filepath.Join(o.Dir, name)
		}
		_, err := os.Stat(name)
		return err == nil
	}
	if has(path) || !slices.ContainsFunc(kamal.Destinations(o.Dir, o.ConfigFile), func(name string) bool { return has(path + "." + name) }) {
		return false
	}
	plain, err := o.project("")
	if err != nil {
		return false // which is told then
	}
	defined := newFiles(plain.Secrets.Files).byName
	return slices.ContainsFunc(base.Uses, func(u kamal.Use) bool { return defined[u.Name] == nil && !o.declares(u.Name) })
}

// declares reports whether a name is declared to kamal-op for the plain configuration,
// or may be, with a whole item.
func (o Options) declares(name string) bool {
	return slices.ContainsFunc(o.DeclaredFor(""), func(d Declared) bool { return d.Name == name || d.Name == "" })
}

// DeclaredFor is what is declared for a destination: by the options, and by the
// workflows that deploy it.
func (o Options) DeclaredFor(destination string) []Declared {
	all := slices.Clone(o.Declared)
	if o.Run {
		return all
	}
	for _, s := range o.deployments().steps(o, destination) {
		for _, d := range s.declared {
			if !slices.ContainsFunc(all, func(known Declared) bool { return known.Name == d.Name && (d.Name != "" || known.Ref == d.Ref) }) {
				all = append(all, d)
			}
		}
	}
	return all
}

// KeysFor are the SSH keys that the workflows name which deploy a destination.
func (o Options) KeysFor(destination string) []onepassword.Reference {
	var all []onepassword.Reference
	for _, s := range o.deployments().steps(o, destination) {
		all = append(all, s.keys...)
	}
	return all
}

// otherServices are the configurations beside this one, and those in config, that are
// not of this service: they read the same secrets files.
func (o Options) otherServices() []*kamal.Config {
	own := map[string]bool{inDir(o.Dir, cmp.Or(o.ConfigFile, kamal.DefaultConfigFile)): true}
	for _, c := range o.configurations() {
		if c.deployed && c.destination != "" {
			own[inDir(o.Dir, kamal.DestinationFile(o.ConfigFile, c.destination))] = true
		}
	}
	var all []*kamal.Config
	for _, file := range []string{cmp.Or(o.ConfigFile, kamal.DefaultConfigFile), kamal.DefaultConfigFile} {
		names, _ := filepath.Glob(filepath.Join(filepath.Dir(inDir(o.Dir, file)), "*.yml")) // a folder with a bracket in its name has none
		for _, name := range names {
			if own[name] {
				continue
			}
			own[name] = true
			if other, err := kamal.ReadConfig(kamal.ProjectOptions{Dir: o.Dir, ConfigFile: name, Cache: o.common.fileCache()}); err == nil {
				all = append(all, other) // one that is none of Kamal's names no secrets
			}
		}
	}
	return all
}

// inDir is the absolute path of a file that is given relative to a folder.
func inDir(dir, name string) string {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return filepath.Clean(name)
}

// isDestination reports whether a file beside the configuration is a destination's.
// It may be another service's, which people deploy with --config-file, or one to be
// copied.
func (o Options) isDestination(name string, base *kamal.Config, started *deployments) (bool, string) {
	file := kamal.DestinationFile(o.ConfigFile, name)
	switch {
	case started.configs[filepath.Base(file)]:
		return false, "it is deployed with --config-file"
	case slices.Contains(examples, name):
		return false, "it is a file to be copied"
	}
	own, err := kamal.ReadConfig(kamal.ProjectOptions{Dir: o.Dir, ConfigFile: file, Cache: o.common.fileCache()})
	if err != nil || base == nil || len(own.Missing) > 0 || !own.Service.Known || !base.Service.Known || own.Service.Text == base.Service.Text {
		return true, ""
	}
	return false, "it is the whole configuration of another service, " + own.Service.Text
}

// deployments is what starts deploys of the project, read once.
func (o Options) deployments() *deployments {
	if o.common == nil {
		return readDeployments(o.Dir)
	}
	if o.common.deployments == nil {
		o.common.deployments = readDeployments(o.Dir)
	}
	return o.common.deployments
}
