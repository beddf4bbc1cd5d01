package kamal

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A ConfigFailure is why Kamal does not take a configuration, where the project's
// files say more of it than Kamal does.
type ConfigFailure struct {
	Variable     string        // that ERB reads and that is not set, or ""
	Place        problem.Place // where it is read
	Destination  bool          // a destination is to be named
	Destinations []string      // those that there are
}

var (
	missingKey  = lazy.Regexp(`key not found: "([A-Za-z_][A-Za-z0-9_]*)"`)
	wrongValue  = lazy.Regexp(`(?m)(?:^|[\s(])([a-z_]\w*(?:/[\w.-]+)*): (?:should be |is required)`)
	noServers   = lazy.Regexp(`No servers (?:or accessories )?specified`)
	wantsOne    = lazy.Regexp(`You must specify a destination|No servers (?:or accessories )?specified|Missing required configuration for (?:service|image)`)
	ofNil       = lazy.Regexp("undefined method [`']([^']+)' for nil|can't convert nil into|no implicit conversion (?:of|from) nil")
	lacking     = lazy.Regexp(`: is required|Builder arch not set|primary_role \S+ isn't defined|Must set a host|specify one of .host.`)
	environment = lazy.Regexp(`ENV(?:\[|\.fetch\(?\s*|\.dig\(?\s*)["']([A-Za-z_][A-Za-z0-9_]*)["']`)
	// guarded is what stands behind a reading that takes nil as well.
	guarded = lazy.Regexp(`^\s*(?:\|\||&\.|\.(?:to_s|to_i|nil\?|blank\?|present\?|presence)\b|==|!=|\?|\))|^\s*%>`)
)

// ExplainConfig explains what Kamal says of the configuration of a project. It is
// false where the files say no more.
func ExplainConfig(o ProjectOptions, said string) (f ConfigFailure, ok bool) {
	if key := missingKey().FindStringSubmatch(said); key != nil {
		return o.readsKey(key[1])
	}
	if o.Destination == "" {
		if f.Destinations = o.completing(said); len(f.Destinations) > 0 {
			f.Destination = true
			return f, true
		}
	}
	if value := wrongValue().FindStringSubmatch(said); value != nil {
		return o.readsAt(strings.Split(value[1], "/"))
	}
	if wantsOne().MatchString(said) && o.Destination == "" {
		f.Destination, f.Destinations = true, Destinations(o.Dir, o.ConfigFile)
		if len(f.Destinations) > 0 {
			return f, true
		}
	}
	if noServers().MatchString(said) {
		return o.readsAt([]string{"servers"})
	}
	if nothing := ofNil().FindStringSubmatch(said); nothing != nil {
		return o.readsNil(nothing[1])
	}
	return ConfigFailure{}, false
}

// completing are the destinations whose files have what Kamal finds lacking in the plain
// configuration.
func (o ProjectOptions) completing(said string) (names []string) {
	if !lacking().MatchString(said) {
		return nil
	}
	plain, err := ReadConfig(o)
	if err != nil || len(plain.Missing) == 0 || len(plain.Unknown) > 0 {
		return nil
	}
	for _, name := range Destinations(o.Dir, o.ConfigFile) {
		with := o
		with.Destination = name
		if merged, err := ReadConfig(with); err == nil && len(merged.Missing) == 0 {
			names = append(names, name)
		}
	}
	return names
}

// readsKey is where a variable is fetched.
func (o ProjectOptions) readsKey(name string) (f ConfigFailure, ok bool) {
	f.Variable = name
	f.Place = o.line(func(line string) (int, bool) {
		for _, m := range environment().FindAllStringSubmatchIndex(line, -1) {
			if line[m[2]:m[3]] == name {
				return m[2], true
			}
		}
		return 0, false
	})
	if f.Place.File == "" && name == strings.ToUpper(name) { // of the environment under another name
		f.Place = o.line(func(line string) (int, bool) {
			at := strings.Index(strings.ReplaceAll(line, "'", `"`), `"`+name+`"`)
			return at + 1, at >= 0 && strings.Contains(line, "fetch")
		})
	}
	return f, f.Place.File != "" // else of another hash than the environment
}

// readsAt is the variable that stands where Kamal finds a value wrong: at a key of the
// configuration, or the first below it.
func (o ProjectOptions) readsAt(path []string) (f ConfigFailure, ok bool) {
	for _, name := range slices.Backward(o.configFiles()) { // the destination's replaces
		file, err := o.config(name)
		if err != nil {
			continue // Kamal has read it
		}
		at := file.opened
		for _, key := range path {
			if n, err := strconv.Atoi(key); err == nil && at != nil && n < len(at.items) {
				at = at.items[n]
				continue
			}
			at = at.get(key)
		}
		for _, n := range at.ofERB() {
			if f, ok = o.readsBehind(n.place); ok {
				return f, true
			}
		}
	}
	return ConfigFailure{}, false
}

// ofERB are the scalars of a tree that ERB gives.
func (n *node) ofERB() (all []*node) {
	if n == nil {
		return nil
	}
	if n.erb && n.kind == scalar || n.erb && n.kind == null {
		all = append(all, n)
	}
	for _, e := range n.entries {
		all = append(all, e.value.ofERB()...)
	}
	for _, item := range n.items {
		all = append(all, item.ofERB()...)
	}
	return all
}

// readsBehind is the first variable without a value that a line reads from a place on.
func (o ProjectOptions) readsBehind(at problem.Place) (f ConfigFailure, ok bool) {
	n := 0
	f.Place = o.lineOf(at.File, func(line string) (int, bool) {
		if n++; n != at.Line {
			return 0, false
		}
		for _, m := range environment().FindAllStringSubmatchIndex(line, -1) {
			if len([]rune(line[:m[0]])) >= at.Column-1 && o.lacks(line[m[2]:m[3]]) {
				f.Variable = line[m[2]:m[3]]
				return m[2], true
			}
		}
		return 0, false
	})
	return f, f.Variable != ""
}

// readsNil is the variable without a value on which a method was called, or which was
// taken for a text or a number.
func (o ProjectOptions) readsNil(method string) (f ConfigFailure, ok bool) {
	for _, called := range []bool{true, false} {
		f.Place = o.line(func(line string) (int, bool) {
			for _, m := range environment().FindAllStringSubmatchIndex(line, -1) {
				after := strings.TrimPrefix(line[m[1]:], "]")
				calls := method != "" && strings.HasPrefix(after, "."+method)
				if strings.HasPrefix(line[m[0]:], "ENV[") && o.lacks(line[m[2]:m[3]]) && (calls || !called && !(method != "" && guarded().MatchString(after))) {
					f.Variable = line[m[2]:m[3]]
					return m[2], true
				}
			}
			return 0, false
		})
		if f.Variable != "" {
			return f, true
		}
	}
	return f, false
}

// lacks reports whether a variable is not set, as far as the environment is known. Kamal
// sets the destination itself.
func (o ProjectOptions) lacks(name string) bool {
	value, _ := environ.List(o.Env).Lookup(name)
	return value == "" && name != "KAMAL_DESTINATION"
}

// line is the place that find finds in a line of the configuration's files.
func (o ProjectOptions) line(find func(line string) (int, bool)) problem.Place {
	for _, name := range o.configFiles() {
		if at := o.lineOf(name, find); at.File != "" {
			return at
		}
	}
	return problem.Place{}
}

// lineOf is line in one file.
func (o ProjectOptions) lineOf(name string, find func(line string) (int, bool)) problem.Place {
	text, err := readBounded(inDir(o.Dir, name), maxConfigFile)
	if err != nil {
		return problem.Place{} // Kamal has read it
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if at, ok := find(line); ok {
			return problem.Place{File: name, Line: n, Column: len([]rune(line[:at])) + 1}
		}
	}
	return problem.Place{}
}

// configFiles are the files that Kamal reads, the destination's last.
func (o ProjectOptions) configFiles() []string {
	file := o.ConfigFile
	if file == "" {
		file = DefaultConfigFile
	}
	files := []string{file}
	if o.Destination != "" {
		files = append(files, DestinationFile(file, o.Destination))
	}
	return slices.DeleteFunc(files, func(name string) bool { _, err := os.Stat(inDir(o.Dir, name)); return err != nil })
}

// Only is the destination that is meant where none is named: the only one, or
// production.
func (f ConfigFailure) Only() (string, bool) {
	if len(f.Destinations) == 1 {
		return f.Destinations[0], true
	}
	return "production", slices.Contains(f.Destinations, "production")
}

// Message is what is wrong.
func (f ConfigFailure) Message() string {
	if f.Variable != "" {
		return "ERB in " + f.Place.File + " reads " + f.Variable + " from the environment, where it is not set"
	}
	return "the configuration needs a destination"
}

// Hint is the next step.
func (f ConfigFailure) Hint() string {
	if f.Variable != "" {
		return "set it, or give it: --env " + f.Variable + "=VALUE; where it is a secret, --secret " + f.Variable + "=op://Vault/Item/field"
	}
	return "name one with --destination: " + strings.Join(f.Destinations, ", ")
}
