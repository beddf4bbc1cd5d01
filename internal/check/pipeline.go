package check

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A pipeline is the file of a CI system that calls kamal.
type pipeline struct {
	lines    []string // without those that are comments, which are empty here
	mappings []lineRange
	steps    []step
}

// A lineRange are lines, counted from 0; to is behind the last.
type lineRange struct{ from, to int }

// sources is what pipelines give to the deploys of one destination.
type sources struct {
	declared    map[string]onepassword.Reference
	loaded      map[string]string // declared as env://VARIABLE, with the variable
	mentioned   map[string]bool   // every word that could be a variable's name
	writesFiles bool              // a secrets file of the destination is written
}

var (
	runsKamal = lazy.Regexp(`\bkamal["']?\s+(?:deploy|setup|redeploy|rollback)\b`)
	// runsScript is a program of the project's that may deploy whatever.
	runsScript = lazy.Regexp(`(?:\b(?:make|just|rake|task|mise|npm|yarn)\s|\b(?:bin|scripts?|ci)/)\S*.*(?:deploy|release|ship)`)
	mayName    = lazy.Regexp(`(?:(?:^|\s)-[dc][ =]?|--destination[ =]|--config-file[ =]|\bdestination:\s*|\bconfig[-_]file:\s*)["']?\$`)
	// writes stands before the name of a file that is written.
	writes      = lazy.Regexp(`(?:>{1,2}\|?|\btee\b[^\n|;&]*|\b(?:cp|mv|install|ln)\b[^\n|;&]*\s|\bpath:|\bfile_?name:)\s*["']?\S*$`)
	inKamals    = lazy.Regexp(`\b(?:directory|dir|path):\s*["']?(?:\./)?\.kamal/?["']?\s*$`)
	aVariable   = lazy.Regexp(`[A-Za-z_][A-Za-z0-9_]*`)
	declaration = lazy.Regexp(`^[ \t]+(?:-[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=((?:op|env)://\S[^\r\n]*?)\s*$`)
)

func newPipeline(text, top string) *pipeline {
	p := &pipeline{lines: strings.Split(text, "\n")}
	for i, line := range p.lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			p.lines[i] = ""
		}
	}
	p.readYAML(text, top)
	return p
}

// linesOf are the lines of a mapping.
func (p *pipeline) linesOf(n ast.Node) lineRange {
	at := yamlfile.Pairs(n)[0].Key.GetToken().Position
	lines := lineRange{at.Line - 1, at.Line}
	if m, ok := n.(*ast.MappingNode); ok && m.IsFlowStyle {
		if m.End != nil {
			lines.to = m.End.Position.Line
		}
		return lines
	}
	for i := lines.to; i < len(p.lines); i++ {
		indented := strings.TrimLeft(p.lines[i], " ")
		if strings.TrimSpace(indented) == "" {
			continue
		}
		if len(p.lines[i])-len(indented) < at.Column-1 {
			break
		}
		lines.to = i + 1
	}
	return lines
}

// steps are what the pipelines hand to kamal-op for a destination.
func (d *deployments) steps(o Options, destination string) []step {
	var all []step
	for _, p := range d.pipelines {
		for _, s := range p.steps {
			if s.deploys(o, destination) {
				all = append(all, s)
			}
		}
	}
	return all
}

// sourcesOf is what the pipelines give to a destination.
func (d *deployments) sourcesOf(o Options, destination string) *sources {
	if s := d.sources[destination]; s != nil {
		return s
	}
	s := &sources{declared: map[string]onepassword.Reference{}, loaded: map[string]string{}, mentioned: map[string]bool{}}
	for _, p := range d.pipelines {
		s.read(p, o, destination)
	}
	d.sources[destination] = s
	return s
}

// read takes what a pipeline gives to a destination: all of its text but for what is
// there for others.
func (s *sources) read(p *pipeline, o Options, destination string) {
	others := make([]bool, len(p.lines)) // lines that are for others
	known := make([]bool, len(p.lines))  // lines whose declarations are known for what they are
	set := func(list []bool, lines lineRange) {
		for i := lines.from; i < min(lines.to, len(list)); i++ {
			list[i] = true
		}
	}
	for _, lines := range p.elsewhere(o, destination) {
		set(others, lines)
	}
	for _, one := range p.steps {
		set(known, one.lines)
		if !slices.ContainsFunc(p.steps, func(same step) bool { return same.lines == one.lines && same.deploys(o, destination) }) {
			set(others, one.lines)
		}
	}
	for i, line := range p.lines {
		if others[i] {
			continue
		}
		s.writesFiles = s.writesFiles || o.writesSecrets(line, destination)
		for _, word := range aVariable().FindAllString(line, -1) {
			s.mentioned[word] = true
		}
		m := declaration().FindStringSubmatch(line)
		if m == nil || known[i] {
			continue
		}
		if ref, err := onepassword.ParseReference(m[2]); err == nil {
			s.declared[m[1]] = ref
		} else if variable, err := onepassword.ParseVariable(m[2], ""); err == nil {
			s.loaded[m[1]] = variable
		}
	}
}

// writesSecrets tells whether a line of a pipeline writes a secrets file of a
// destination: it says so, or it names one that is not in the repository.
func (o Options) writesSecrets(line, destination string) bool {
	if inKamals().MatchString(line) {
		return true // by an action that writes into that folder
	}
	path := kamal.DefaultSecretsPath
	if base, err := o.base(); err == nil {
		path = strings.TrimPrefix(base.SecretsPath.Or(path), "./")
	}
	for rest := line; ; {
		at := strings.Index(rest, path)
		if at < 0 {
			return false
		}
		before := line[:len(line)-len(rest)+at]
		rest = rest[at+len(path):]
		end := strings.IndexFunc(rest, func(r rune) bool { return strings.ContainsRune(" \t\r\"';|&)", r) })
		suffix := rest
		if end >= 0 {
			suffix = rest[:end]
		}
		own := strings.TrimSuffix("."+destination, ".")
		if suffix != own && suffix != "-common" && !strings.Contains(suffix, "$") {
			continue
		}
		if strings.Contains(suffix, "$") {
			suffix = own
		}
		if _, err := os.Stat(inDir(o.Dir, path+suffix)); err != nil || writes().MatchString(before) {
			return true
		}
	}
}

// elsewhere are the mappings of a pipeline (a job, a step, all of the file) that deploy
// another destination, or another configuration, and not this one.
func (p *pipeline) elsewhere(o Options, destination string) []lineRange {
	destinations := kamal.Destinations(o.Dir, o.ConfigFile)
	config := filepath.Base(cmp.Or(o.ConfigFile, kamal.DefaultConfigFile))
	here, there := make([]int, len(p.lines)+1), make([]int, len(p.lines)+1) // how many lines above
	for i, line := range p.lines {
		here[i+1], there[i+1] = here[i], there[i]
		named, other := namesDestination().FindStringSubmatch(line), namesConfig().FindStringSubmatch(line)
		switch {
		case mayName().MatchString(line):
			here[i+1]++
		case other != nil && filepath.Base(other[1]) != config:
			there[i+1]++
		case named != nil && named[1] == destination:
			here[i+1]++
		case named != nil && slices.Contains(destinations, named[1]):
			there[i+1]++
		case runsScript().MatchString(line), runsKamal().MatchString(line) && (destination == "" || strings.Contains(line, "$")):
			here[i+1]++
		case runsKamal().MatchString(line):
			there[i+1]++
		}
	}
	return slices.DeleteFunc(slices.Clone(p.mappings), func(m lineRange) bool {
		m.to = min(m.to, len(p.lines))
		return here[m.to] > here[m.from] || there[m.to] == there[m.from]
	})
}
