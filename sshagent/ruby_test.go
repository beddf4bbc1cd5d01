package sshagent

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// kamalImage is the image that has Kamal's libraries (build/kamal-image.sh).
const kamalImage = "kamal-op/kamal-base:test"

// ruby logs in with Kamal's own SSH libraries, in a container on the host's
// network, and returns the line that testdata/client.rb ends with.
func ruby(t *testing.T, a *Agent, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
	if err := exec.Command("docker", "image", "inspect", kamalImage).Run(); err != nil {
		t.Skipf("no image %s to run Net::SSH and SSHKit in (make it with build/kamal-image.sh)", kamalImage)
	}
	scripts, err := filepath.Abs("testdata")
	check(t, err)
	socket := filepath.Dir(a.Socket())
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	all := []string{
		"run", "--rm", "--network", "host", "-u", strconv.Itoa(os.Getuid()), "-e", "SSH_AUTH_SOCK=" + a.Socket(), "-e", "HOME=/tmp",
		"-v", socket + ":" + socket, "-v", scripts + ":/scripts:ro", "-v", os.TempDir() + ":" + os.TempDir() + ":ro", "--entrypoint", "ruby", kamalImage, "/scripts/client.rb",
	}
	cmd := exec.CommandContext(ctx, "docker", append(all, args...)...)
	// SSHKit's threads tell of what they raise on the standard error, which may come
	// through Docker after the last line of the standard output.
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	return lines[len(lines)-1]
}

func TestRuby_LogsIn(t *testing.T) {
	for _, kind := range []string{ed, ec, rsa2k, rsa4k} {
		t.Run(kind, func(t *testing.T) {
			k := makeKey(t, kind)
			s := startSSHD(t, nil, k)
			for _, library := range []string{"netssh", "sshkit"} {
				a, _ := startAgent(t, Options{Keys: []*Key{k}, Users: []string{s.user}, HostKeys: []string{ssh.FingerprintSHA256(s.key.PublicKey())}})
				if got := ruby(t, a, library, "127.0.0.1", s.port, s.user, "-", "echo logged in"); got != "ok: logged in" {
					t.Fatalf("%s: %s\n%+v", library, got, a.Events())
				}
				e := a.Events()[0]
				if len(a.Events()) != 1 || !e.Signed || e.User != s.user || e.Forwarded {
					t.Errorf("%s: the events are %+v", library, a.Events())
				}
			}
		})
	}
}

// Net::SSH gives up at the first refusal; it must do so at once, and say that it
// was the agent.
func TestRuby_Refused(t *testing.T) {
	k := makeKey(t, ed)
	s := startSSHD(t, nil, k)
	for _, library := range []string{"netssh", "sshkit"} {
		a, _ := startAgent(t, Options{Keys: []*Key{k}, Users: []string{"somebody-else"}})
		got := ruby(t, a, library, "127.0.0.1", s.port, s.user, "-", "true")
		if !strings.Contains(got, "agent could not sign data") {
			t.Errorf("%s: %s", library, got)
		}
		if lastReason(t, a) != ReasonUser {
			t.Errorf("%s: refused because %q", library, lastReason(t, a))
		}
	}
}

// SSHKit forwards the agent to every server; what the server then asks for is
// refused, and what is asked on this machine is not.
func TestRuby_ForwardedBySSHKit(t *testing.T) {
	k := makeKey(t, ed)
	s := startSSHD(t, nil, k)
	hop := "ssh -F none -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o BatchMode=yes -p " + s.port + " 127.0.0.1 echo from the hop 2>&1 || true"
	for _, allowed := range []bool{false, true} {
		a, _ := startAgent(t, Options{Keys: []*Key{k}, AllowForwarding: allowed})
		got := ruby(t, a, "sshkit", "127.0.0.1", s.port, s.user, "-", hop)
		if !strings.HasPrefix(got, "ok: ") || strings.Contains(got, "from the hop") != allowed {
			t.Errorf("with forwarding allowed %v: %s", allowed, got)
		}
		last := a.Events()[len(a.Events())-1]
		if last.Signed != allowed || !last.Forwarded {
			t.Errorf("with forwarding allowed %v the last event is %+v", allowed, last)
		}
		if !a.Events()[0].Signed {
			t.Errorf("the login itself: %+v", a.Events()[0])
		}
	}
}
