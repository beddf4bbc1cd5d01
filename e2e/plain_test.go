package e2e

import (
	"strings"
	"testing"
)

// Kamal alone, with an ordinary ssh-agent and the secrets in its environment,
// deploys in this rig: what the tests of kamal-op stand on.
func TestKamalAlone(t *testing.T) {
	t.Parallel()
	r := start(t)
	s := r.server(t, 0)
	key := newKey(t)
	s.authorize(t, key.Public)
	p := r.newProject(t, []string{"RAILS_MASTER_KEY"}, s)
	p.commit()
	m := r.machine(t, p)
	value := randomText(16)
	res := m.start(map[string]string{
		"KAMAL_REGISTRY_PASSWORD": r.registry.Password,
		"RAILS_MASTER_KEY":        value,
	}, key.PEM, "ssh-agent", "sh", "-c", "ssh-add -q - && exec kamal deploy").wait()
	if res.Status != 0 {
		t.Fatalf("status %d\n%s", res.Status, res.Log)
	}
	if got := s.digests(t, p.Domain)["RAILS_MASTER_KEY"]; got != digest(value) {
		t.Errorf("the app has %q, want %q", got, digest(value))
	}
	if n := len(s.logins(t, key.Public)); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	if locks := s.locks(t, p.Service); locks != "" {
		t.Errorf("left on the server: %s", locks)
	}
}

// What a run leaves behind would be seen, wherever it is.
func TestLeftBehindIsSeen(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := r.newProject(t, nil)
	m := r.machine(t, p)
	m.remember()
	if left := m.leftBehind(); len(left) > 0 {
		t.Errorf("left by nothing: %q", left)
	}
	m.run(nil, "sh", "-c", "touch /dev/shm/one /tmp/two three; mkdir /run/four; sleep 1000 >/dev/null 2>&1 </dev/null &")
	left := strings.Join(m.leftBehind(), "\n")
	for _, name := range []string{"/dev/shm/one", "/tmp/two", p.Dir + "/three", "/run/four", "process sleep 1000"} {
		if !strings.Contains(left, name) {
			t.Errorf("%s was not seen in\n%s", name, left)
		}
	}
}
