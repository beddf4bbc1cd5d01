package hosts

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/sshagent"
)

// The shapes of known_hosts differ in whether clients enforce them, so they are
// seen with the clients: OpenSSH's ssh, Net::SSH, SSHKit, and Kamal itself.

const kamalImage = "kamal-op/kamal-base:test"

func startAgent(t *testing.T, k *sshagent.Key) *sshagent.Agent {
	t.Helper()
	a, err := sshagent.Start(t.Context(), sshagent.Options{Keys: []*sshagent.Key{k}})
	check(t, err)
	t.Cleanup(func() { check(t, a.Close()) })
	return a
}

// installSSH makes the ssh of a run and returns the PATH it stands on.
func installSSH(t *testing.T, knownHosts []byte) string {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not installed (Debian: openssh-client)")
	}
	self, err := os.Executable()
	check(t, err)
	short, err := os.MkdirTemp("/tmp", "run") // room for a socket
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(short)) })
	dir := filepath.Join(short, "a 100% private place")
	check(t, os.Mkdir(dir, 0o700))
	check(t, sshname.Install(dir, self, sshname.Settings{Pinned: true, KnownHosts: knownHosts}))
	return dir + ":" + os.Getenv("PATH")
}

// look finds a program on a PATH, as a shell does.
func look(path, name string) string {
	for _, dir := range filepath.SplitList(path) {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	return name
}

// run runs a program, which is found on the PATH of env.
func run(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second) // a cleanup may run one
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = env
	if !strings.Contains(args[0], "/") {
		path, _ := strings.CutPrefix(env[0], "PATH=")
		cmd.Path, cmd.Err = look(path, args[0]), nil
	}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%v hangs: %s", args, out)
	}
	return string(out), err
}

func pinned(t *testing.T, s *server, key ssh.PublicKey, name string, addresses ...string) []byte {
	t.Helper()
	pins, err := ParsePins(fmt.Sprintf("%s %s", name, keyLine(key)), "--host-keys")
	check(t, err)
	target := s.target()
	target.Host = name
	return pins.KnownHosts(t.Context(), []Target{target}, names(map[string][]string{name: addresses}))
}

func TestSSH_TakesThePinnedKeyOnly(t *testing.T) {
	key := makeKey(t)
	s := startServer(t, "127.0.0.2", ed, []*sshagent.Key{key})
	a := startAgent(t, key)
	_, stranger := hostKey(t, "ed25519")
	home := t.TempDir()
	// What the user has trusts the server; it must not count.
	check(t, os.Mkdir(filepath.Join(home, ".ssh"), 0o700))
	theirs := filepath.Join(home, ".ssh", "known_hosts")
	check(t, os.WriteFile(theirs, fmt.Appendf(nil, "[127.0.0.2]:%d %s\n", s.port, keyLine(s.keys["ed25519"])), 0o600))
	for name, c := range map[string]struct {
		key ssh.PublicKey
		ok  bool
	}{"right": {s.keys["ed25519"], true}, "wrong": {stranger, false}} {
		path := installSSH(t, pinned(t, s, c.key, "127.0.0.2"))
		env := []string{"PATH=" + path, "HOME=" + home, "SSH_AUTH_SOCK=" + a.Socket()}
		for how, args := range map[string][]string{
			"by PATH":             {"sh", "-c", fmt.Sprintf("ssh -p %d 127.0.0.2 echo logged in", s.port)},
			"by its path":         {look(path, "ssh"), "-p", strconv.Itoa(s.port), "127.0.0.2", "echo logged in"},
			"asking for any":      {look(path, "ssh"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=" + theirs, "-p", strconv.Itoa(s.port), "127.0.0.2", "echo logged in"},
			"as docker starts it": {"sh", "-c", fmt.Sprintf("ssh -o ConnectTimeout=30 -T -l root -p %d -- 127.0.0.2 echo logged in", s.port)},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				out, err := run(t, env, args...)
				if ok := err == nil && strings.HasSuffix(out, "logged in\n"); ok != c.ok {
					t.Errorf("%v: %s", err, out)
				}
				if !c.ok && !strings.Contains(out, "Host key verification failed") {
					t.Errorf("%s", out)
				}
			})
		}
	}
}

// A jump host with the wrong key stops the login, though the host behind has the
// right one: the ssh that the first one starts is ours as well.
func TestSSH_ChecksTheJumpHost(t *testing.T) {
	key := makeKey(t)
	s, jump := startServer(t, "127.0.0.2", ed, []*sshagent.Key{key}), startServer(t, "127.0.0.3", ed, []*sshagent.Key{key})
	a := startAgent(t, key)
	_, stranger := hostKey(t, "ed25519")
	for _, c := range []struct {
		jump ssh.PublicKey
		ok   bool
	}{{jump.keys["ed25519"], true}, {stranger, false}} {
		path := installSSH(t, append(pinned(t, s, s.keys["ed25519"], "127.0.0.2"), pinned(t, jump, c.jump, "127.0.0.3")...))
		out, err := run(t, []string{"PATH=" + path, "HOME=" + t.TempDir(), "SSH_AUTH_SOCK=" + a.Socket()},
			look(path, "ssh"), "-p", strconv.Itoa(s.port), "-J", fmt.Sprintf("127.0.0.3:%d", jump.port), "127.0.0.2", "echo logged in")
		if ok := err == nil && out == "logged in\n"; ok != c.ok {
			t.Errorf("%v: %s", err, out)
		}
	}
}

func TestSSH_FailsWhereNoneIsOnPATH(t *testing.T) {
	path := installSSH(t, []byte("x"))
	ssh := look(path, "ssh")
	out, err := run(t, []string{"PATH=/nowhere"}, ssh, "-G", "somewhere")
	if err != nil || !strings.Contains(out, filepath.Dir(ssh)+"/"+sshname.KnownHosts) || !strings.Contains(out, "stricthostkeychecking true") {
		t.Errorf("%v: %s", err, out)
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(ssh), sshname.KnownHosts))
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file of host keys has mode %v", info.Mode())
	}
}

// docker's ssh:// starts an ssh for every connection.
func TestDocker_TakesThePinnedKeyOnly(t *testing.T) {
	docker, err := exec.LookPath("docker")
	if err != nil || exec.Command("docker", "version").Run() != nil {
		t.Skip("no Docker engine here")
	}
	key := makeKey(t)
	s := startServer(t, "127.0.0.2", ed, []*sshagent.Key{key}, "SetEnv PATH="+os.Getenv("PATH"))
	a := startAgent(t, key)
	_, stranger := hostKey(t, "ed25519")
	for _, c := range []struct {
		key ssh.PublicKey
		ok  bool
	}{{s.keys["ed25519"], true}, {stranger, false}} {
		env := []string{"PATH=" + installSSH(t, pinned(t, s, c.key, "127.0.0.2")), "HOME=" + t.TempDir(), "SSH_AUTH_SOCK=" + a.Socket(), fmt.Sprintf("DOCKER_HOST=ssh://%s@127.0.0.2:%d", s.user, s.port)}
		out, err := run(t, env, docker, "version", "--format", "{{.Server.Version}}")
		if (err == nil) != c.ok || !c.ok && !strings.Contains(out, "Host key verification failed") {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// container runs a command in the Kamal image, on this machine's network.
func container(t *testing.T, user string, agent *sshagent.Agent, dir string, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
	if err := exec.Command("docker", "image", "inspect", kamalImage).Run(); err != nil {
		t.Skipf("no image %s to run Kamal, SSHKit and Net::SSH in (make it with build/kamal-image.sh)", kamalImage)
	}
	scripts, err := filepath.Abs("testdata")
	check(t, err)
	client, err := filepath.Abs("../../sshagent/testdata")
	check(t, err)
	socket := filepath.Dir(agent.Socket())
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // a script may start Ruby 18 times
	defer cancel()
	all := append([]string{
		"run", "--rm", "--network", "host", "-u", user, "-e", "HOME=/tmp", "-e", "SSH_AUTH_SOCK=" + agent.Socket(),
		"--add-host", "one.test:127.0.0.2", "-v", socket + ":" + socket, "-v", scripts + ":/strict:ro", "-v", client + ":/client:ro",
		"-v", dir + ":/keys:ro", "-e", "KNOWN_HOSTS=/keys/known_hosts", "-w", "/keys", "--entrypoint", args[0], kamalImage,
	}, args[1:]...)
	out, _ := exec.CommandContext(ctx, "docker", all...).CombinedOutput() // how it ended is in the output
	return string(out)
}

// others is a directory that every user can read, with a known_hosts.
func others(t *testing.T, knownHosts []byte) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hosts")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	check(t, os.Chmod(dir, 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "known_hosts"), knownHosts, 0o644))
	return dir
}

func TestRuby_TakesThePinnedKeyOnly(t *testing.T) {
	key := makeKey(t)
	s := startServer(t, "127.0.0.2", []string{"rsa", "ecdsa", "ed25519"}, []*sshagent.Key{key})
	a := startAgent(t, key)
	_, stranger := hostKey(t, "ed25519")
	files := map[string]struct {
		file []byte
		name string
		ok   bool
	}{
		"right, by name":        {pinned(t, s, s.keys["ed25519"], "one.test", "127.0.0.2"), "one.test", true},
		"right, two addresses":  {pinned(t, s, s.keys["ed25519"], "one.test", "127.0.0.2", "192.0.2.7"), "one.test", true},
		"right, ecdsa, by name": {pinned(t, s, s.keys["ecdsa"], "one.test", "127.0.0.2"), "one.test", true},
		"right, by address":     {pinned(t, s, s.keys["ed25519"], "127.0.0.2"), "127.0.0.2", true},
		"right, two kinds": {
			append(pinned(t, s, s.keys["ecdsa"], "one.test", "127.0.0.2"), pinned(t, s, s.keys["ed25519"], "one.test", "127.0.0.2")...),
			"one.test", true,
		},
		"wrong, by name":    {pinned(t, s, stranger, "one.test", "127.0.0.2"), "one.test", false},
		"wrong, by address": {pinned(t, s, stranger, "127.0.0.2"), "127.0.0.2", false},
		"not there":         {nil, "one.test", false},
		"right, RSA alone":  {pinned(t, s, s.keys["rsa"], "one.test", "127.0.0.2"), "one.test", false}, // why Missing tells of it
	}
	dir := others(t, nil)
	// One container for all cases of a user: each takes seconds to start.
	var script strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := strings.NewReplacer(" ", "-", ",", "").Replace(name)
		check(t, os.WriteFile(filepath.Join(dir, file), files[name].file, 0o644))
		for _, library := range []string{"netssh", "sshkit"} {
			fmt.Fprintf(&script, "echo '%s, %s:' $(ruby /client/client.rb %s %s %d root /keys/%s 'echo logged in' 2>/dev/null)\n", name, library, library, files[name].name, s.port, file)
		}
	}
	for _, user := range []string{"0", "12345"} {
		lines := strings.Split(strings.TrimSpace(container(t, user, a, dir, "sh", "-c", script.String())), "\n")
		if len(lines) != 2*len(files) {
			t.Fatalf("as %s: %q", user, lines)
		}
		for _, line := range lines {
			name := beforeHost(line)
			refused := strings.Contains(line, "HostKeyMismatch") || strings.Contains(line, "HostKeyUnknown")
			in := strings.Contains(line, "ok: logged in")
			// Another user than the agent's gets no signature, but that comes
			// after the host key.
			if want := files[name]; refused == want.ok || in != (want.ok && user == strconv.Itoa(os.Getuid())) {
				t.Errorf("as %s: %s", user, line)
			}
		}
	}
}

// writeProject is the least that Kamal needs to log in.
func writeProject(t *testing.T, dir, host, ssh string) {
	t.Helper()
	check(t, os.Mkdir(filepath.Join(dir, "config"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "config", "deploy.yml"), fmt.Appendf(nil,
		"service: app\nimage: app\nservers: [%s]\nregistry: {server: 127.0.0.1:5555, username: u, password: p}\nbuilder: {arch: amd64}\nssh: {%s}\n", host, ssh), 0o644))
}

const kamalLogin = "RUBYOPT=-r/strict/strict.rb VERSION=1 kamal server exec 'echo logged in'"

func TestKamal_TakesThePinnedKeyOnly(t *testing.T) {
	key := makeKey(t)
	s := startServer(t, "127.0.0.2", ed, []*sshagent.Key{key})
	a := startAgent(t, key)
	_, stranger := hostKey(t, "ed25519")
	for name, c := range map[string]struct {
		key ssh.PublicKey
		ok  bool
	}{"right": {s.keys["ed25519"], true}, "wrong": {stranger, false}} {
		for _, host := range []string{"one.test", "127.0.0.2"} {
			t.Run(name+" "+host, func(t *testing.T) {
				dir := others(t, pinned(t, s, c.key, host, "127.0.0.2"))
				writeProject(t, dir, host, fmt.Sprintf("port: %d", s.port))
				out := container(t, "0", a, dir, "sh", "-c", kamalLogin)
				in, refused := strings.Contains(out, "logged in\n"), strings.Contains(out, "HostKeyMismatch")
				if in != c.ok || refused == c.ok {
					t.Errorf("%s", out)
				}
			})
		}
	}
}

// With ssh.proxy Kamal starts an ssh, which takes the run's keys by its name; the
// host behind is Net::SSH's.
func TestKamal_ChecksTheJumpHost(t *testing.T) {
	key := makeKey(t)
	s, jump := startServer(t, "127.0.0.2", ed, []*sshagent.Key{key}), startServer(t, "127.0.0.3", ed, []*sshagent.Key{key})
	a := startAgent(t, key)
	_, stranger := hostKey(t, "ed25519")
	self, err := os.Executable()
	check(t, err)
	program, err := os.ReadFile(self)
	check(t, err)
	for name, c := range map[string]struct {
		host, jump ssh.PublicKey
		says       string
	}{
		"both right": {s.keys["ed25519"], jump.keys["ed25519"], "logged in\n"},
		"wrong jump": {s.keys["ed25519"], stranger, "Host key verification failed"},
		"wrong host": {stranger, jump.keys["ed25519"], "HostKeyMismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			file := append(pinned(t, s, c.host, "127.0.0.2"), pinned(t, jump, c.jump, "127.0.0.3")...)
			dir := others(t, file)
			writeProject(t, dir, "127.0.0.2", fmt.Sprintf("port: %d, proxy: '%s@127.0.0.3:%d'", s.port, jump.user, jump.port))
			names := filepath.Join(dir, "names")
			check(t, os.Mkdir(names, 0o700))
			check(t, os.WriteFile(filepath.Join(dir, "program"), program, 0o755))
			check(t, sshname.Install(names, "/keys/program", sshname.Settings{Pinned: true, KnownHosts: file}))
			out := container(t, "0", a, dir, "sh", "-c", "PATH=/keys/names:$PATH "+kamalLogin)
			if !strings.Contains(out, c.says) || c.says != "logged in\n" && strings.Contains(out, "logged in\n") {
				t.Errorf("%s", out)
			}
		})
	}
}

// beforeHost is what stands before the last comma of the part before the colon.
func beforeHost(line string) string {
	head, _, _ := strings.Cut(line, ":")
	return head[:max(0, strings.LastIndex(head, ","))]
}
