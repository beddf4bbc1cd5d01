package cli

import (
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// cacheCommand is `kamal-op cache`.
type cacheCommand struct {
	Warm warmCommand `cmd:"" help:"Compile 1Password's SDK into DIR, for --core-cache. DIR must be yours alone (0700): what lies in it is run in a process that holds secrets."`
}

// warmCommand is `kamal-op cache warm DIR`.
type warmCommand struct {
	Shared bool   `name:"shared" help:"Let every user of the machine read it, for an image. It stays its owner's alone to change."`
	Dir    string `arg:"" name:"dir" help:"Directory; made where it is not there."`
}

// Run warms the cache.
func (c warmCommand) Run(a *app) error {
	dir := c.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(a.Dir, dir)
	}
	made, err := onepassword.WarmCache(dir, c.Shared)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Stdout, "%s: 1Password's SDK, compiled in %s (%.1f MB)\n", made.Dir, made.Took.Round(100*time.Millisecond), float64(made.Bytes)/1e6)
	return err
}

// ownCache is where the SDK's compiled core is kept for this user's next run: below
// the user's cache directory, "" where there is none.
func ownCache(env map[string]string) string {
	dir := env["XDG_CACHE_HOME"]
	switch home := env["HOME"]; {
	case filepath.IsAbs(dir) && runtime.GOOS != "darwin":
	case !filepath.IsAbs(home):
		return ""
	case runtime.GOOS == "darwin":
		dir = filepath.Join(home, "Library", "Caches")
	default:
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Join(dir, "kamal-op", "core")
}
