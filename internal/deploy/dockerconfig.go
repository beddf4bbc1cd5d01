package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// dockerDir is the name of docker's configuration in the run's directory.
const dockerDir = "docker"

// dockerConfig makes docker's client configuration of a run in dir and gives the
// variables that point docker and buildx at it.
//
// `docker login` writes the registry's password into config.json (in base64, if
// no credential store is set). With a configuration of its own, the run leaves
// nothing of that in the user's; keepLogin does the same for the user's stores.
// Everything else stays as the user has it: the logins that were there before, credential helpers and stores, proxies and the
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

// keepLogin has docker keep the login to a registry in the run's own configuration,
// whatever store or helper the user has, or docker takes by itself since one is
// installed: there the password of the run would stay. All other registries keep their
// helpers, for what is pulled from them.
func keepLogin(dir, server string) error {
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading docker's configuration: %w", err)
	}
	config := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(text)) > 0 { // docker takes an empty file for none
		if err := json.Unmarshal(text, &config); err != nil {
			return dockerConfigProblem(err)
		}
	}
	if config == nil { // null
		config = map[string]json.RawMessage{}
	}
	helpers := map[string]string{}
	for key, value := range config {
		if strings.EqualFold(key, credHelpers) { // as docker reads it
			if err := json.Unmarshal(value, &helpers); err != nil {
				return dockerConfigProblem(err)
			}
			delete(config, key)
		}
	}
	if helpers == nil { // null
		helpers = map[string]string{}
	}
	for _, key := range loginKeys(server) {
		helpers[key] = "" // no helper: the file
	}
	if config[credHelpers], err = json.Marshal(helpers); err != nil {
		return err
	}
	if text, err = json.MarshalIndent(config, "", "\t"); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// credHelpers is the key of docker's configuration for helpers by registry.
const credHelpers = "credHelpers"

// dockerConfigProblem is the problem of a configuration that cannot be read: docker would warn,
// and keep the login where it does by default.
func dockerConfigProblem(err error) error {
	return &problem.Problem{
		Message: "docker's config.json cannot be read: " + err.Error(),
		Hint:    "mend it: without it the registry's password could go into a store of this machine, and stay there", Status: problem.Found, Cause: err, Help: problem.DockerMissing,
	}
}

// loginKeys are the names under which docker may look for the helper of a registry.
func loginKeys(server string) []string {
	_, host, ok := strings.Cut(server, "://")
	if !ok {
		host = server
	}
	host, _, _ = strings.Cut(host, "/")
	switch host {
	case "", "docker.io", "index.docker.io", "registry-1.docker.io":
		return []string{"https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"}
	case server:
		return []string{host}
	}
	return []string{server, host}
}
