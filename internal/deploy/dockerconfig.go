package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// dockerConfig makes docker's client configuration of a run in dir and gives the
// variables that point docker and buildx at it.
//
// `docker login` writes the registry's password into config.json (in base64, if
// no credential store is set). With a configuration of its own, the run leaves
// nothing of that in the user's. Everything else stays as the user has it: the
// logins that were there before, credential helpers and stores, proxies and the
// current context come with the copied config.json; contexts, plugins and trust
// are links to the user's own folders, so that what a run changes there, such as
// a context it creates, is where the user will look for it. Builders are the
// user's through BUILDX_CONFIG: a builder made in one run is found by the next.
func dockerConfig(dir string, env map[string]string) ([]string, error) {
	own := env["DOCKER_CONFIG"]
	if own == "" && env["HOME"] != "" {
		own = filepath.Join(env["HOME"], ".docker")
	}
	vars := []string{"DOCKER_CONFIG=" + dir}
	if own == "" {
		return vars, nil
	}
	if env["BUILDX_CONFIG"] == "" {
		vars = append(vars, "BUILDX_CONFIG="+filepath.Join(own, "buildx"))
	}
	own, err := filepath.Abs(own)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"contexts", "cli-plugins", "trust", "tls", "machine", "ca.pem", "cert.pem", "key.pem"} {
		from := filepath.Join(own, name)
		if _, err := os.Stat(from); err != nil {
			continue
		}
		if err := os.Symlink(from, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(filepath.Join(own, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return vars, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading docker's configuration: %w", err)
	}
	return vars, os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600)
}
