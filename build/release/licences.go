package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const licencesName = "THIRD-PARTY-LICENSES"

// licenceFile is what files with terms are called in modules.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense|notice|patents)([.-].*)?$`)

// A linked is a module whose code is in a binary.
type linked struct{ path, version, dir string }

// thirdParty is one text with the terms of everything that is linked on any of the
// platforms, Go's own library first, then the modules by path. A module without
// terms is an error: nobody may pass it on.
func thirdParty(platforms []platform) ([]byte, error) {
	modules, err := linkedModules(platforms)
	if err != nil {
		return nil, err
	}
	goRoot, err := output("go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	goVersion, err := output("go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	text := bytes.NewBufferString("The binary kamal-op holds code of others, which is under these terms.\n")
	for _, m := range append([]linked{{"The Go standard library", goVersion, goRoot}}, modules...) {
		if err := m.addTerms(text); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// linkedModules are the modules of all packages that are built, sorted.
func linkedModules(platforms []platform) ([]linked, error) {
	var modules []linked
	for _, p := range platforms {
		const format = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}"
		cmd := exec.Command("go", "list", "-deps", "-f", format, modulePath)
		cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("listing what is linked: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if words := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(words) == 3 {
				if words[2] == "" { // vendored, as without network
					words[2] = filepath.Join("vendor", filepath.FromSlash(words[0]))
				}
				modules = append(modules, linked{words[0], words[1], words[2]})
			}
		}
	}
	slices.SortFunc(modules, func(a, b linked) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(modules), nil
}

// addTerms writes the terms that lie in the module's directory.
func (m linked) addTerms(text *bytes.Buffer) error {
	entries, err := os.ReadDir(m.dir) // sorted
	if err != nil {
		return fmt.Errorf("%s: %w", m.path, err)
	}
	found := false
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !licenceFile.MatchString(entry.Name()) || filepath.Ext(entry.Name()) == ".go" {
			continue
		}
		terms, err := os.ReadFile(filepath.Join(m.dir, entry.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		found = true
		fmt.Fprintf(text, "\n%s\n%s %s: %s\n\n%s\n", strings.Repeat("=", 80), m.path, m.version, entry.Name(), bytes.TrimSpace(terms))
	}
	if !found {
		return fmt.Errorf("%s %s has no file with its terms: it may not be passed on", m.path, m.version)
	}
	return nil
}
