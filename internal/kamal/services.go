package kamal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Service is a configuration in a project's config directory, by the name of its
// service.
type Service struct {
	Name       string
	ConfigFile string // relative to the project, as Kamal takes it
}

// Services are the services of a project that has a configuration for each: config/api.yml
// and config/deploy-web.yml, or config/deploy.yml alone. What only ERB decides has no name.
// A destination's file is none, unless it is a whole configuration by itself.
func Services(dir string) (found []Service) {
	folder := filepath.Dir(DefaultConfigFile)
	entries, err := os.ReadDir(inDir(dir, folder))
	if err != nil {
		return nil
	}
	there := func(name string) bool {
		return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == name })
	}
	cache := &Cache{}
	for _, entry := range entries {
		name, yml := strings.CutSuffix(entry.Name(), ".yml")
		if !yml {
			continue
		}
		file := folder + "/" + entry.Name()
		config, err := ReadConfig(ProjectOptions{Dir: dir, ConfigFile: file, Cache: cache})
		if err != nil {
			continue // of no service that anybody could name
		}
		service := config.Service.Or("")
		base, _, destination := cutLast(name, ".")
		if service == "" || destination && there(base+".yml") && len(config.Missing) > 0 {
			continue
		}
		found = append(found, Service{Name: service, ConfigFile: file})
	}
	return found
}

// cutLast is strings.Cut around the last separator.
func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}
