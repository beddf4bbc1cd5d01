package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/reference"
)

// What a release says of itself is set by the linker: the bytes of a build do not
// depend on whether it is made in a repository.
// -ldflags "-X github.com/kamal-op/kamal-op/internal/cli.release=1.2.3".
var (
	release  = "" // the version
	commit   = "" // what it was built from
	modified = "" // "true" where it was built from more
)

// releaseVersion is the version of this program: the release's, else what the Go
// toolchain knows of the source it was built from.
func releaseVersion() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// versionCommand is `kamal-op version`.
type versionCommand struct {
	JSON bool `name:"json" help:"Print a JSON document: also commit, Go, the Kamal that is tested, and 1Password's SDK."`
}

// versions is the version as a program reads it. What is not known is "".
type versions struct {
	Version  string       `json:"version"`
	Commit   string       `json:"commit"`
	Modified bool         `json:"modified"` // built from more than the commit
	Go       string       `json:"go"`
	Platform string       `json:"platform"`
	Module   module       `json:"module"`
	Kamal    testedKamal  `json:"kamal"`
	SDK      onePasswords `json:"onepassword_sdk"`
}

// A module is a Go module that is part of the program. As `go install` builds it, ours
// has the version that was asked for.
type module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

type testedKamal struct {
	Tested []string `json:"tested"`
}

type onePasswords struct {
	module
	Core string `json:"core_sha256"` // of its WebAssembly, which is not open source
}

// Run prints the version.
func (c versionCommand) Run(a *app) error {
	var err error
	if c.JSON {
		encoder := json.NewEncoder(a.Stdout.JSON())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(readVersions())
	} else {
		_, err = fmt.Fprintln(a.Stdout, "kamal-op", releaseVersion())
	}
	if err != nil {
		return fmt.Errorf("writing the version: %w", err)
	}
	return nil
}

// readVersions reads what the linker and the Go toolchain have put into the program.
func readVersions() versions {
	v := versions{
		Version: releaseVersion(), Commit: commit, Modified: modified == "true", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Kamal: testedKamal{Tested: []string{kamal.TestedVersion}},
		SDK:   onePasswords{module: module{Path: onepassword.SDKModule}, Core: onepassword.CoreSHA256},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Module = module{Path: info.Main.Path, Version: info.Main.Version}
	for _, dep := range info.Deps {
		if dep.Path == v.SDK.Path {
			v.SDK.Version = dep.Version
		}
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && v.Commit == "":
			v.Commit = s.Value
		case s.Key == "vcs.modified" && commit == "":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// asksVersion tells whether a line asks for the version of this program: by --version before
// any command, or among the options of one whose --version is not Kamal's, of the app. What
// stands behind a command that runs others is theirs.
func asksVersion(args []string) bool {
	at := slices.Index(args, "--version")
	if at <= 0 {
		return at == 0
	}
	if at+1 < len(args) && !strings.HasPrefix(args[at+1], "-") {
		return false // a version is given, to a command that takes none
	}
	command, found := reference.Command{}, false
	for _, c := range Grammar().Commands {
		if line := strings.Join(args[:at], " ") + " "; strings.HasPrefix(line, c.Name+" ") && len(c.Name) > len(command.Name) {
			command, found = c, true
		}
	}
	runs := slices.Contains([]string{"run", "kamal", "complete"}, command.Name) && command.Name != strings.Join(args[:at], " ")
	return found && !runs && !slices.ContainsFunc(command.Options, func(o reference.Option) bool { return o.Name == "version" })
}
