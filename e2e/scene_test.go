package e2e

import (
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/standin"
)

// The names of the walkthrough project.
var walkthrough = []string{"RAILS_MASTER_KEY", "DATABASE_PASSWORD", "CHATKIT_PK", "MAILGUN_INGRESS_SIGNING_KEY"}

// A scene is all that one test of the main job needs: servers, a key that they
// let in, a vault that holds it and the secrets, and the project as a team has it.
type scene struct {
	t       *testing.T
	rig     *rig
	servers []*server
	key     keyPair
	vault   *standin.Vault
	values  map[string]string // name to value, as the vault has them
	project *project
}

// newScene sets a scene with so many servers, the first ones of the rig.
func newScene(t *testing.T, servers int) *scene {
	t.Helper()
	return newSceneWith(t, servers, 0)
}

// newSceneWith sets one whose vault takes so long for each answer.
func newSceneWith(t *testing.T, servers int, latency time.Duration) *scene {
	t.Helper()
	r := start(t)
	c := &scene{t: t, rig: r, key: newKey(t)}
	for n := range servers {
		s := r.server(t, n)
		s.authorize(t, c.key.Public)
		c.servers = append(c.servers, s)
	}
	c.values = map[string]string{
		"KAMAL_REGISTRY_PASSWORD": r.registry.Password,
		"RAILS_MASTER_KEY":        randomText(16),
		// All that shells, dotenv and YAML read something into.
		"DATABASE_PASSWORD": `p$a` + randomText(6) + `$$w ${HOME} "q" 'q' #x $(id) ` + "`id` " + randomText(6),
		// Several lines, of which each must be masked.
		"CHATKIT_PK":                  "-----BEGIN X-----\n" + randomText(24) + "\n" + randomText(24) + "\n-----END X-----",
		"MAILGUN_INGRESS_SIGNING_KEY": "key-" + randomText(12),
	}
	item := standin.ItemSpec{Title: "Production"}
	for _, name := range slices.Sorted(maps.Keys(c.values)) {
		item.Fields = append(item.Fields, standin.FieldSpec{Label: name, Value: c.values[name]})
	}
	vault, err := standin.StartVault(t.Context(), standin.VaultOptions{Latency: latency, Vaults: []standin.VaultSpec{{
		Name: "MyApp",
		Items: []standin.ItemSpec{item, {
			Title:  "Server",
			Fields: []standin.FieldSpec{{Label: "SSH_KEY", Value: c.key.PEM}},
		}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	c.vault = vault
	t.Cleanup(func() {
		if err := vault.Close(); err != nil {
			t.Error(err)
		}
	})
	c.project = r.newProject(t, walkthrough, c.servers...)
	return c
}

// connect is the environment that names the vault.
func (c *scene) connect() map[string]string {
	return map[string]string{"OP_CONNECT_HOST": c.vault.URL(), "OP_CONNECT_TOKEN": c.vault.Token()}
}

// declared are the declarations of all secrets, NAME=op://… each.
func (c *scene) declared() []string {
	lines := []string{"KAMAL_REGISTRY_PASSWORD=op://MyApp/Production/KAMAL_REGISTRY_PASSWORD"}
	for _, name := range c.project.Secrets {
		lines = append(lines, name+"=op://MyApp/Production/"+name)
	}
	return lines
}

// flags are the key and all secrets as flags.
func (c *scene) flags() []string {
	flags := []string{"--ssh-key", "op://MyApp/Server"}
	for _, line := range c.declared() {
		flags = append(flags, "--secret", line)
	}
	return flags
}

// command is kamal-op with the flags of the scene, and further arguments.
func (c *scene) command(name string, args ...string) []string {
	return append(append([]string{"kamal-op", name}, c.flags()...), args...)
}

// secrets are all values that may stand nowhere.
func (c *scene) secrets() map[string]string {
	secrets := maps.Clone(c.values)
	secrets["the SSH key"] = c.key.PEM
	secrets["the token"] = c.vault.Token()
	for i, part := range strings.Split(c.vault.Token(), ".") {
		secrets["the token's part "+string(rune('1'+i))] = part
	}
	return secrets
}

// succeeded fails the test where a run did not end well, or told a secret.
func (c *scene) succeeded(res result) {
	c.t.Helper()
	c.ended(res, 0)
}

// ended fails the test where a run ended with another status, or told a secret.
func (c *scene) ended(res result, status int) {
	c.t.Helper()
	if found := leaks(res.Log, c.secrets()); len(found) > 0 {
		c.t.Fatalf("the log holds %s", strings.Join(found, ", ")) // and so is not shown
	}
	if res.Status != status {
		c.t.Fatalf("status %d, want %d\n%s", res.Status, status, res.Log)
	}
}

// deployed fails the test where an app does not have the secrets, byte for byte,
// as the vault has them; what Kamal's env file makes of a newline is Kamal's.
func (c *scene) deployed() {
	c.t.Helper()
	for _, s := range c.servers {
		digests := s.digests(c.t, c.project.Domain)
		for _, name := range c.project.Secrets {
			want := digest(strings.ReplaceAll(c.values[name], "\n", `\n`))
			if digests[name] != want {
				c.t.Errorf("on %s the app has another %s", s.Address, name)
			}
		}
		for _, name := range []string{"KAMAL_REGISTRY_PASSWORD", "OP_CONNECT_TOKEN"} {
			if digests[name] != "" {
				c.t.Errorf("on %s the app has %s", s.Address, name)
			}
		}
	}
}

// loggedIn fails the test where the key was not let in exactly so often on each
// server.
func (c *scene) loggedIn(times int) {
	c.t.Helper()
	for _, s := range c.servers {
		if lines := s.logins(c.t, c.key.Public); len(lines) != times {
			c.t.Errorf("%d logins on %s, want %d\n%s", len(lines), s.Address, times, strings.Join(lines, ""))
		}
	}
}

// unlocked fails the test where a deploy lock was left.
func (c *scene) unlocked() {
	c.t.Helper()
	for _, s := range c.servers {
		if locks := s.locks(c.t, c.project.Service); locks != "" {
			c.t.Errorf("left on %s: %s", s.Address, locks)
		}
	}
}

// clean fails the test where a run left anything behind on the machine.
func (c *scene) clean(m *machine) {
	c.t.Helper()
	for _, name := range m.leftBehind() {
		c.t.Errorf("left behind: %s", name)
	}
	if config := m.run(nil, "sh", "-c", "cat /root/.docker/config.json 2>/dev/null || true"); strings.Contains(config.Stdout, "auths") {
		c.t.Error("left behind: a login in the docker config")
	}
}

// forward makes an address of this machine's loopback reachable at the address
// that containers have for this machine, until the test ends.
func forward(t *testing.T, gateway, target string) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					pair[0].Close()
				}()
			}
		}
	}()
	return listener.Addr().String()
}
