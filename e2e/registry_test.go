package e2e

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// A registry is Debian's docker-registry with one user. Its password goes by
// way of the vault, as a team's does.
type registry struct {
	Address  string // host:port, as images in it are named
	User     string
	Password string

	id    string // of its container
	port  string
	inner string // its address on the engine's network
}

func startRegistry(user string) (*registry, error) {
	r := &registry{User: user, Password: randomText(24)}
	digest, err := bcrypt.GenerateFromPassword([]byte(r.Password), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	id, err := docker("run", "--detach", "--label", label(), "--publish", "127.0.0.1::5000",
		"--env", "HTPASSWD="+r.User+":"+string(digest), os.Getenv(envHost), "registry")
	if err != nil {
		return nil, err
	}
	r.id = id
	if r.port, err = docker("inspect", "--format", `{{(index (index .NetworkSettings.Ports "5000/tcp") 0).HostPort}}`, id); err != nil {
		return nil, err
	}
	inner, err := docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id)
	if err != nil {
		return nil, err
	}
	r.Address, r.inner = "127.0.0.1:"+r.port, inner+":5000"
	return r, eventually(2*time.Minute, func() error {
		resp, err := http.Get("http://" + r.Address + "/v2/")
		if err != nil {
			return fmt.Errorf("the registry does not answer: %w", err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			return fmt.Errorf("the registry lets strangers in: %s", resp.Status)
		}
		return nil
	})
}
