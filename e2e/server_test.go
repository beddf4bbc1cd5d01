package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// A server is a machine that Kamal deploys to: sshd on port 22 of its own
// address, and its own Docker engine.
type server struct {
	id      string // of its container
	Address string
	HostKey ssh.PublicKey
}

// privileged is what an engine inside a container needs. Where the machine may
// not give --privileged (a sandbox without one capability), the same by name.
var privileged = sync.OnceValue(func() []string {
	if _, err := docker("run", "--rm", "--privileged", "--label", label(), os.Getenv(envHost), "true"); err == nil {
		return []string{"--privileged"}
	}
	return []string{
		"--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--security-opt", "systempaths=unconfined", "--device-cgroup-rule", "a *:* rwm",
		"--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
	}
})

func startServer(reg *registry) (*server, error) {
	args := append([]string{"run", "--detach", "--label", label(), "--tmpfs", "/run", "--volume", "/var/lib/docker"}, privileged()...)
	id, err := docker(append(args, os.Getenv(envHost), "server")...)
	if err != nil {
		return nil, err
	}
	s := &server{id: id}
	if s.Address, err = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id); err != nil {
		return nil, err
	}
	if err := s.reaches(reg); err != nil {
		return nil, err
	}
	if err := eventually(2*time.Minute, func() error { _, err := s.exec("docker", "version"); return err }); err != nil {
		logs, _ := s.exec("tail", "-n", "20", "/var/log/dockerd.log")
		return nil, fmt.Errorf("the server's engine does not start: %w\n%s", err, logs)
	}
	if err := eventually(time.Minute, func() error {
		text, err := s.exec("cat", "/etc/ssh/ssh_host_ed25519_key.pub")
		if err != nil {
			return err
		}
		s.HostKey, _, _, _, err = ssh.ParseAuthorizedKey([]byte(text))
		return err
	}); err != nil {
		return nil, err
	}
	return s, s.load(proxyImage)
}

// reaches has the server reach a registry. The name under which that is known is an
// address of loopback: an engine trusts a registry without TLS only there.
func (s *server) reaches(reg *registry) error {
	_, err := docker("exec", "--detach", s.id, "socat", "TCP-LISTEN:"+reg.port+",bind=127.0.0.1,fork,reuseaddr", "TCP:"+reg.inner)
	return err
}

// load carries an image of the builder's engine over.
func (s *server) load(image string) error {
	save := exec.Command("docker", "save", image)
	load := exec.Command("docker", "exec", "--interactive", s.id, "docker", "load")
	pipe, err := save.StdoutPipe()
	if err != nil {
		return err
	}
	load.Stdin = pipe
	if err := save.Start(); err != nil {
		return err
	}
	out, err := load.CombinedOutput()
	if err := save.Wait(); err != nil {
		return fmt.Errorf("saving %s: %w", image, err)
	}
	if err != nil {
		return fmt.Errorf("loading %s: %w\n%s", image, err, out)
	}
	return nil
}

// exec runs a command on the server, not by way of SSH.
func (s *server) exec(args ...string) (string, error) {
	return docker(append([]string{"exec", s.id}, args...)...)
}

func (s *server) mustExec(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.exec(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// authorize lets a key log in until the test ends.
func (s *server) authorize(t *testing.T, key ssh.PublicKey) {
	t.Helper()
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	s.mustExec(t, "sh", "-c", `echo "$1" >>/root/.ssh/authorized_keys`, "-", line)
	t.Cleanup(func() {
		s.mustExec(t, "sed", "-i", `\|`+line+`|d`, "/root/.ssh/authorized_keys")
	})
}

// log is what sshd has said so far.
func (s *server) log(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("docker", "logs", s.id).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// logins are the lines of sshd's log in which this key was let in.
func (s *server) logins(t *testing.T, key ssh.PublicKey) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(s.log(t)) {
		if strings.Contains(line, "Accepted publickey") && strings.Contains(line, ssh.FingerprintSHA256(key)) {
			lines = append(lines, line)
		}
	}
	return lines
}

// locks are the deploy locks of a service that lie on the server.
func (s *server) locks(t *testing.T, service string) string {
	t.Helper()
	return s.mustExec(t, "sh", "-c", `ls -d /root/.kamal/lock-"$1"* 2>/dev/null || true`, "-", service)
}

// digests asks the running app, by way of kamal-proxy, for the digest of each
// variable of its environment.
func (s *server) digests(t *testing.T, host string) map[string]string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address+"/digests", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var digests map[string]string
	if err := json.Unmarshal(body, &digests); err != nil {
		t.Fatalf("%s answers %s: %v", host, resp.Status, err)
	}
	return digests
}

// remove takes a service off the server.
func (s *server) remove(t *testing.T, service string) {
	t.Helper()
	s.mustExec(t, "sh", "-c", `
		docker exec kamal-proxy kamal-proxy list >/dev/null 2>&1
		ids=$(docker ps -aq --filter "label=service=$1"); [ -z "$ids" ] || docker rm -f $ids >/dev/null
		rm -rf /root/.kamal/apps/"$1"* /root/.kamal/lock-"$1"*`, "-", service)
}
