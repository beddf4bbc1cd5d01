package rehearsal_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
)

// Stand-ins for docker, each in a directory that becomes PATH: what is refused
// is refused before anything is made, so nothing real is needed.
func TestRun_RefusesWithOneProblem(t *testing.T) {
	const dockerHere = `case "$*" in
context*) echo unix:///var/run/docker.sock;;
version*) echo amd64;;
buildx*) echo v0.29;;
*inspect*0123456789ab) echo 0123456789abcdef bridge;;
*inspect*) echo "Error: No such object" >&2; exit 1;;
*) echo "unexpected: $*" >&2; exit 1;;
esac`
	for what, c := range map[string]struct {
		programs      map[string]string
		message, hint string
		hostname      string
	}{
		"no docker": {
			map[string]string{"kamal": "true", "git": "true"},
			"docker is not found on PATH", "docs.docker.com", "",
		},
		"no kamal": {
			map[string]string{"docker": dockerHere, "git": "true"},
			"kamal is not found", "gem install kamal", "",
		},
		"no git": {
			map[string]string{"docker": dockerHere, "kamal": "true"},
			"git is not found on PATH", "install git", "",
		},
		"not running": {
			map[string]string{"kamal": "true", "git": "true", "docker": strings.Replace(dockerHere, "echo amd64",
				"echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2; exit 1", 1)},
			"Docker is not running", "systemctl start docker", "",
		},
		"no permission": {
			map[string]string{"kamal": "true", "git": "true", "docker": strings.Replace(dockerHere, "echo amd64",
				"echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1", 1)},
			"the Docker engine does not let this user in", "group docker", "",
		},
		"an engine elsewhere": {
			map[string]string{"kamal": "true", "git": "true", "docker": strings.Replace(dockerHere, "unix:///var/run/docker.sock",
				"ssh://root@203.0.113.10", 1)},
			"the Docker engine in use is not on this machine: ssh://root@203.0.113.10", "docker context use default", "",
		},
		"a container beside the engine": {
			map[string]string{"kamal": "true", "git": "true", "docker": dockerHere},
			"this is a container with a network of its own", "uses: kamal-op/kamal-op/native@v1", "0123456789ab",
		},
		"no buildx": {
			map[string]string{"kamal": "true", "git": "true", "docker": strings.Replace(dockerHere, "echo v0.29", "exit 1", 1)},
			"docker buildx is not installed", "docker-buildx", "",
		},
	} {
		t.Run(what, func(t *testing.T) {
			bin, tmp := t.TempDir(), t.TempDir()
			for name, script := range c.programs {
				if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			err := rehearsal.Run(t.Context(), rehearsal.Options{
				Out: io.Discard, Env: []string{"PATH=" + bin, "TMPDIR=" + tmp}, Hostname: c.hostname,
				Deploy: func(context.Context, rehearsal.DeployRequest) (int, error) {
					t.Error("it deployed all the same")
					return 0, nil
				},
			})
			problems := problem.Of(err)
			if len(problems) != 1 || problem.Status(err) != problem.Found {
				t.Fatalf("%v", err)
			}
			if p := problems[0]; !strings.HasPrefix(p.Message, c.message) || !strings.Contains(p.Hint, c.hint) {
				t.Errorf("message %q\nhint %q", p.Message, p.Hint)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
