package check

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
)

// inHooks reports whether a hook of the project names a secret: hooks get all of them
// (lib/kamal/cli/base.rb, run_hook), and so does every script that one starts. ERB
// in the configuration, and in the files of an accessory, may ask Kamal for one.
func (c *destinationCheck) inHooks(name string) bool {
	if c.hooks == nil {
		m := &mentions{root: c.o.Dir, words: map[string]bool{}, read: map[string]bool{}}
		dir := c.project.Config.HooksDir(c.o.Dir)
		entries, _ := os.ReadDir(dir) // none where there is no such folder
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), ".sample") {
				m.script(filepath.Join(dir, entry.Name()))
			}
		}
		config := cmp.Or(c.o.ConfigFile, kamal.DefaultConfigFile)
		m.template(filepath.Join(c.o.Dir, config))
		if c.destination != "" {
			m.template(filepath.Join(c.o.Dir, kamal.DestinationFile(c.o.ConfigFile, c.destination)))
		}
		c.hooks = m.words
	}
	return c.hooks[name]
}

// mentions are the words of scripts and templates, which may be names of secrets.
type mentions struct {
	root  string
	words map[string]bool
	read  map[string]bool // files that were
}

// maxScripts is beyond what the hooks of a project start.
const maxScripts = 200

// tasks are the files that have what these programs start.
var tasks = map[string][]string{
	"rake": {"Rakefile", "lib/tasks/*.rake"}, "rails": {"Rakefile", "lib/tasks/*.rake"}, "make": {"Makefile"}, "just": {"justfile", "Justfile"},
	"npm": {"package.json"}, "yarn": {"package.json"}, "pnpm": {"package.json"}, "task": {"Taskfile.yml", "Taskfile.yaml"},
}

// script takes the words of a script, and of the files of the project that it names.
func (m *mentions) script(name string) {
	text, ok := m.text(name)
	if !ok {
		return
	}
	for _, word := range aVariable().FindAllString(text, -1) {
		m.words[word] = true
		for _, pattern := range tasks[word] {
			files, _ := filepath.Glob(filepath.Join(m.root, filepath.FromSlash(pattern))) // the patterns are well-formed
			for _, file := range files {
				m.script(file)
			}
		}
	}
	for _, path := range aPath().FindAllString(text, -1) {
		for _, end := range pathEnds(path) { // what stands before may be a variable
			m.script(filepath.Join(m.root, end))
			m.script(filepath.Join(filepath.Dir(name), end))
			m.script(filepath.Join(filepath.Dir(name), end+".rb")) // require_relative
		}
	}
}

// template takes the words that stand in ERB, and those of the templates it names.
func (m *mentions) template(name string) {
	text, ok := m.text(name)
	if !ok {
		return
	}
	for _, tag := range erbTag().FindAllString(text, -1) {
		for _, word := range aVariable().FindAllString(tag, -1) {
			m.words[word] = true
		}
	}
	for _, path := range aPath().FindAllString(text, -1) {
		if strings.HasSuffix(path, ".erb") {
			m.template(filepath.Join(m.root, path))
		}
	}
}

// text is a file of the project that was not read before.
func (m *mentions) text(name string) (text string, ok bool) {
	if m.read[name] || len(m.read) >= maxScripts {
		return "", false
	}
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxDeployFile {
		return "", false
	}
	m.read[name] = true
	bytes, err := os.ReadFile(name)
	return string(bytes), err == nil // Kamal will say so
}

// pathEnds are a path and what stands behind its first slashes.
func pathEnds(path string) []string {
	ends := []string{path}
	for len(ends) < 8 {
		_, rest, ok := strings.Cut(path, "/")
		if !ok || rest == "" {
			break
		}
		ends, path = append(ends, rest), rest
	}
	return ends
}

var (
	aPath  = lazy.Regexp(`[\w.-]*(?:/[\w.-]+)+|[\w-]+\.(?:sh|rb|py|js|ts|mjs|pl)\b`)
	erbTag = lazy.Regexp(`(?s)<%.*?%>`)
)
