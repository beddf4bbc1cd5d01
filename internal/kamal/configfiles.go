package kamal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// DestinationFile is the name of the destination's file beside the configuration
// file ("" is Kamal's own), as Ruby's Pathname#sub_ext makes it.
func DestinationFile(configFile, destination string) string {
	if configFile == "" {
		configFile = DefaultConfigFile
	}
	return strings.TrimSuffix(configFile, filepath.Ext(configFile)) + "." + destination + ".yml"
}

// inDir is the path of a file that Kamal is given relative to its directory.
func inDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func missingConfig(o ProjectOptions, name string, destination bool, err error) *problem.Problem {
	if !errors.Is(err, fs.ErrNotExist) {
		p := problem.Newf("%s cannot be read: %v", name, errors.Unwrap(err)).About(problem.UnreadableFile)
		p.Cause = err
		return p
	}
	var p *problem.Problem
	switch {
	case destination:
		p = problem.Newf("%s is not there: there is no destination %s", name, o.Destination).About(problem.UnreadableFile)
		base := o.ConfigFile
		if base == "" {
			base = DefaultConfigFile
		}
		if found := Destinations(o.Dir, base); len(found) > 0 {
			p.Hint = "the destinations of this project are " + strings.Join(found, ", ")
		} else {
			p.Hint = "this project has no destinations: leave --destination away, or add the file"
		}
	case o.ConfigFile != "":
		p = problem.Newf("%s is not there", name).About(problem.UnreadableFile)
		p.Hint = "--config-file is relative to the project's directory (--working-directory)"
		if _, err := os.Stat(inDir(o.Dir, DefaultConfigFile)); err == nil {
			p.Hint = "did you mean " + DefaultConfigFile + "? " + p.Hint
		}
	default:
		p = problem.Newf("%s is not there: this is not the directory of a project that deploys with Kamal", name).About(problem.UnreadableFile)
		p.Hint = "check the repository out first, or name the project's directory with --working-directory, another file with --config-file; `kamal init` makes a new one"
	}
	p.Cause = err
	return p
}

// Destinations are the destinations that have a file beside the config file, in
// order.
func Destinations(dir, configFile string) []string {
	if configFile == "" {
		configFile = DefaultConfigFile
	}
	before, _ := strings.CutSuffix(DestinationFile(configFile, ""), ".yml") // with the dot
	entries, err := os.ReadDir(filepath.Dir(inDir(dir, configFile)))
	if err != nil {
		return nil
	}
	var found []string
	for _, entry := range entries {
		name, ok := strings.CutPrefix(entry.Name(), filepath.Base(before))
		if !ok {
			continue
		}
		if name, ok = strings.CutSuffix(name, ".yml"); ok && name != "" && !strings.Contains(name, ".") {
			found = append(found, name)
		}
	}
	return found
}
