package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// dockerSocket is where the engine listens if nothing else is said.
const dockerSocket = "/var/run/docker.sock"

// pingDocker looks whether the Docker engine that the docker CLI would take
// answers, without starting the CLI: that would cost more than all else that we
// do. An engine that is chosen in a way that only the CLI knows (a context, ssh)
// is left to it.
func pingDocker(ctx context.Context, env map[string]string) error {
	network, address, host := "unix", dockerSocket, env["DOCKER_HOST"]
	if host == "" {
		if env["DOCKER_CONTEXT"] != "" || usesContext(env) {
			return nil
		}
	} else {
		u, err := url.Parse(host)
		if err != nil {
			return nil //nolint:nilerr // docker itself will say what is wrong with it
		}
		switch u.Scheme {
		case "unix":
			address = u.Path
		case "tcp":
			network, address = "tcp", u.Host
		default:
			return nil
		}
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, network, address)
	if err == nil {
		return conn.Close()
	}
	p := &problem.Problem{
		Message: "docker does not answer at " + address,
		Hint:    "start Docker; Kamal builds the image with it",
		Status:  problem.Found,
		Cause:   err,
		Help:    problem.DockerMissing,
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		p.Message = "docker at " + address + " may not be used by this user"
		p.Hint = "add the user to the group docker, or run as one who may"
	case errors.Is(err, fs.ErrNotExist):
		p.Message = "docker is not running: there is no " + address
		p.Hint = "start Docker, or set DOCKER_HOST to where it listens; Kamal builds the image with it"
	}
	return p
}

// usesContext reports whether the user's docker configuration chooses a context
// other than the default one.
func usesContext(env map[string]string) bool {
	dir := env["DOCKER_CONFIG"]
	if dir == "" {
		dir = filepath.Join(env["HOME"], ".docker")
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return false
	}
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	return json.Unmarshal(text, &config) == nil && config.CurrentContext != "" && config.CurrentContext != "default"
}

// buildsElsewhere reports whether the project's images are built on another
// machine, or may be: what ERB decides is not known here.
func buildsElsewhere(p *kamal.Project) bool {
	if p == nil {
		return true // it has problems of its own to tell first
	}
	remote := p.Config.Builder.Remote
	return remote.Known || remote.ERB || len(p.Config.Unknown) > 0
}
