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
	top      string   // the folder that it belongs to
	lines    []string // without those that are comments, which are empty here
	mappings []lineRange
	steps    []step
}

// A lineRange are lines, counted from 0; to is behind the last.
type lineRange struct{ from, to int }

// deployInputs is what pipelines give to the deploys of one destination.
type deployInputs struct {
	declared    map[string]onepassword.Reference
	loaded      map[string]string // declared as env://VARIABLE, with the variable
	mentioned   map[string]bool   // every word that could be a variable's name
	writesFiles bool              // a secrets file of the destination is written
}

var (
	runsKamal = lazy.Regexp(`\bkamal["']?\s+(?:deploy|setup|redeploy|rollback)\b`)
	// runsScript is a program of the project's that may deploy whatever.
	runsScript  = lazy.Regexp(`(?:\b(?:make|just|rake|task|mise|npm|yarn)\s|\b(?:bin|scripts?|ci)/)\S*.*(?:deploy|release|ship)`)
	mayName     = lazy.Regexp(`(?:(?:^|\s)-[dc][ =]?|--destination[ =]|--config-file[ =]|\bdestination:\s*|\bconfig[-_]file:\s*)["']?\$`)
	namesFolder = lazy.Regexp(`(?:\bworking[-_]directory:\s*|\bcd\s+)["']?([^\s"';&|]+)`)
	// writes stands before the name of a file that is written.
	writes      = lazy.Regexp(`(?:>{1,2}\|?|\btee\b[^\n|;&]*|\b(?:cp|mv|install|ln)\b[^\n|;&]*\s|\bpath:|\bfile_?name:)\s*["']?\S*$`)
	inKamals    = lazy.Regexp(`\b(?:directory|dir|path):\s*["']?(?:\./)?\.kamal/?["']?\s*$`)
	aVariable   = lazy.Regexp(`[A-Za-z_][A-Za-z0-9_]*`)
	declaration = lazy.Regexp(`^[ \t]+(?:-[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=((?:op|env)://\S[^\r\n]*?)\s*$`)
)

func newPipeline(text, top string) *pipeline {
	p := &pipeline{top: top, lines: strings.Split(text, "\n")}
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

// inputsOf is what the pipelines give to a destination.
func (d *deployments) inputsOf(o Options, destination string) *deployInputs {
	if s := d.sources[destination]; s != nil {
		return s
	}
	s := &deployInputs{declared: map[string]onepassword.Reference{}, loaded: map[string]string{}, mentioned: map[string]bool{}}
	for _, p := range d.pipelines {
		s.read(p, o, destination)
	}
	d.sources[destination] = s
	return s
}

// read takes what a pipeline gives to a destination: all of its text but for what is
// there for others.
func (s *deployInputs) read(p *pipeline, o Options, destination string) {
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

// writesSecrets reports whether a line of a pipeline writes a secrets file of a
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

// A lineTally counts the lines above each line that speak of this deploy, and those that
// speak of another.
type lineTally struct{ here, there []int }

func newLineTally(lines int) lineTally { return lineTally{make([]int, lines+1), make([]int, lines+1)} }

// line counts a line by what it speaks of: 1 of this deploy, -1 of another.
func (t lineTally) line(i, of int) {
	t.here[i+1], t.there[i+1] = t.here[i]+max(of, 0), t.there[i]-min(of, 0)
}

// others reports whether lines speak of other deploys alone.
func (t lineTally) others(lines lineRange) bool {
	return t.here[lines.to] == t.here[lines.from] && t.there[lines.to] > t.there[lines.from]
}

// elsewhere are the mappings of a pipeline (a job, a step, all of the file) that deploy
// another destination, another configuration or another project, and not this one.
func (p *pipeline) elsewhere(o Options, destination string) []lineRange {
	destinations := kamal.Destinations(o.Dir, o.ConfigFile)
	config := filepath.Base(cmp.Or(o.ConfigFile, kamal.DefaultConfigFile))
	deploys, folders := newLineTally(len(p.lines)), newLineTally(len(p.lines))
	for i, line := range p.lines {
		named, other := namesDestination().FindStringSubmatch(line), namesConfig().FindStringSubmatch(line)
		of := 0
		switch {
		case mayName().MatchString(line):
			of = 1
		case other != nil && filepath.Base(other[1]) != config:
			of = -1
		case named != nil && named[1] == destination:
			of = 1
		case named != nil && slices.Contains(destinations, named[1]):
			of = -1
		case runsScript().MatchString(line), runsKamal().MatchString(line) && (destination == "" || strings.Contains(line, "$")):
			of = 1
		case runsKamal().MatchString(line):
			of = -1
		}
		deploys.line(i, of)
		folders.line(i, p.folder(o, line))
	}
	return slices.DeleteFunc(slices.Clone(p.mappings), func(m lineRange) bool {
		m.to = min(m.to, len(p.lines))
		return !deploys.others(m) && !folders.others(m)
	})
}

// ForOthers tells whether what stands in a line of a CI system's file is known to be for
// other deploys than those of a destination. Lines are counted from 0; top is the folder
// that the file belongs to.
func (o Options) ForOthers(text, top string, line int, destination string) bool {
	p := newPipeline(text, top)
	within := func(lines lineRange) bool { return lines.from <= line && line < lines.to }
	if slices.ContainsFunc(p.elsewhere(o, destination), within) {
		return true
	}
	around := slices.DeleteFunc(p.steps, func(s step) bool { return !within(s.lines) })
	return len(around) > 0 && !slices.ContainsFunc(around, func(s step) bool { return s.other || s.deploys(o, destination) })
}

// folder is whether a line of a repository's pipeline speaks of the project's folder,
// 1, or of that of another one, -1.
func (p *pipeline) folder(o Options, line string) int {
	own, top := inDir(o.Dir, ""), inDir(p.top, "")
	if own == top {
		return 0 // whose folder is not named
	}
	m := namesFolder().FindStringSubmatch(line)
	switch {
	case m == nil && runsScript().MatchString(line), m != nil && strings.Contains(m[1], "$"):
		return 1 // it may be any
	case m == nil:
		return 0
	case inDir(top, m[1]) == own:
		return 1
	}
	if found, _ := filepath.Glob(filepath.Join(inDir(top, m[1]), "config", "deploy*.yml")); len(found) > 0 { // the pattern is well-formed
		return -1
	}
	return 0
}
