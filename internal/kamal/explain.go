package kamal

import (
	"os"
	"regexp"
	"slices"
	"strings"

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
	noString    = lazy.Regexp(`\benv(?:/\S*?)?/clear/(\S+): should be a string`)
	wantsOne    = lazy.Regexp(`You must specify a destination|No servers (?:or accessories )?specified|Missing required configuration for (?:service|image)`)
	environment = lazy.Regexp(`ENV(?:\[|\.fetch\(?\s*|\.dig\(?\s*)["']([A-Za-z_][A-Za-z0-9_]*)["']`)
)

// ExplainConfig explains what Kamal says of the configuration of a project. It is
// false where the files say no more.
func ExplainConfig(o ProjectOptions, said string) (f ConfigFailure, ok bool) {
	switch key, value := missingKey().FindStringSubmatch(said), noString().FindStringSubmatch(said); {
	case key != nil:
		f.Variable = key[1]
		f.Place = o.line(func(line string) (int, bool) {
			for _, m := range environment().FindAllStringSubmatchIndex(line, -1) {
				if line[m[2]:m[3]] == key[1] {
					return m[2], true
				}
			}
			return 0, false
		})
		return f, f.Place.File != "" // of another hash than the environment
	case value != nil:
		entry := regexp.MustCompile(`(?:^|[\s{,-])["']?` + regexp.QuoteMeta(value[1]) + `["']?:\s`)
		f.Place = o.line(func(line string) (int, bool) {
			at := entry.FindStringIndex(line)
			if at == nil {
				return 0, false
			}
			m := environment().FindStringSubmatchIndex(line[at[1]:])
			if m == nil {
				return 0, false
			}
			f.Variable = line[at[1]+m[2] : at[1]+m[3]]
			return at[1] + m[2], true
		})
		return f, f.Variable != ""
	case wantsOne().MatchString(said) && o.Destination == "":
		f.Destination, f.Destinations = true, Destinations(o.Dir, o.ConfigFile)
		return f, len(f.Destinations) > 0
	}
	return f, false
}

// line is the place that find finds in a line of the configuration's files.
func (o ProjectOptions) line(find func(line string) (int, bool)) problem.Place {
	for _, name := range o.configFiles() {
		text, err := readBounded(inDir(o.Dir, name), maxConfigFile)
		if err != nil {
			continue // Kamal has read it
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			if at, ok := find(line); ok {
				return problem.Place{File: name, Line: n, Column: len([]rune(line[:at])) + 1}
			}
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
