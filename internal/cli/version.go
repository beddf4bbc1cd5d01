package cli

import (
	"fmt"
	"runtime/debug"
)

// release is the version of a release, set by the linker:
// -ldflags "-X github.com/kamal-op/kamal-op/internal/cli.release=1.2.3".
var release = ""

// ReleaseVersion is the version of this program: the release's, else what the Go
// toolchain knows of the source it was built from.
func ReleaseVersion() string {
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
type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(a *app) error {
	_, err := fmt.Fprintln(a.Stdout, "kamal-op", ReleaseVersion())
	return err
}
