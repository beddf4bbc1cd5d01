package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// containerGrace is what a container has between SIGTERM and SIGKILL: more than an
// orderly stop takes, a release of the deploy lock by ourselves included.
const containerGrace = 25 * time.Second

// A mount that every container has, of a file that the engine keeps for it:
// …/containers/ID/hostname (Docker), …/overlay-containers/ID/userdata/hostname
// (Podman).
var containerMount = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`containers/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf) `)
})

// OwnContainer is the id of the container that this process runs in, "" outside of
// one. Its name would not do: a workflow may give a container another hostname.
func OwnContainer() string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	return containerOf(string(text))
}

func containerOf(mountinfo string) string {
	if found := containerMount().FindStringSubmatch(mountinfo); found != nil {
		return found[1]
	}
	return ""
}

// EndContainer ends a container of the engine on this socket, as its process would
// be ended by a signal, and returns when it is down. The container must have these
// NAME=value entries in its environment: an id alone came through a file that
// other steps may write to. It tells whether the container was alive.
func EndContainer(ctx context.Context, id string, env []string) (alive bool, err error) {
	if len(id) != 64 || !isHex(id) {
		return false, fmt.Errorf("%q is no container", id)
	}
	ctx, cancel := context.WithTimeout(ctx, containerGrace+10*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", dockerSocket)
		},
	}}
	var container struct {
		State  struct{ Running bool }
		Config struct{ Env, Entrypoint []string }
	}
	status, err := engine(ctx, client, http.MethodGet, "/containers/"+id+"/json", &container)
	if err != nil || status == http.StatusNotFound || !container.State.Running {
		return false, err
	}
	// Where a container shares another's network, it has the other's files, and the
	// id is the other's: of a job's own container, for one.
	if len(container.Config.Entrypoint) == 0 || filepath.Base(container.Config.Entrypoint[0]) != "kamal-op" {
		return false, errors.New("the container is not kamal-op's")
	}
	for _, entry := range env {
		if !slices.Contains(container.Config.Env, entry) {
			return false, errors.New("the container is not of this run")
		}
	}
	seconds := strconv.Itoa(int(containerGrace / time.Second))
	_, err = engine(ctx, client, http.MethodPost, "/containers/"+id+"/stop?t="+seconds, nil)
	return true, err
}

// engine asks Docker. A status of 404 is an answer.
func engine(ctx context.Context, client *http.Client, method, path string, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode >= 400 && resp.StatusCode != http.StatusNotFound:
		return resp.StatusCode, fmt.Errorf("docker answers %s", resp.Status)
	case into != nil && resp.StatusCode == http.StatusOK:
		return resp.StatusCode, json.Unmarshal(body, into)
	}
	return resp.StatusCode, nil
}

func isHex(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}
