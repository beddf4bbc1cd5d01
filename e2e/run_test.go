package e2e

import (
	"strings"
	"testing"
)

// `kamal-op run` is for what Kamal is not: secrets in the environment, the key in
// an agent, both streams masked and apart, the child's status.
func TestRun(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	m := c.rig.machine(t, c.project)
	m.remember()
	res := m.run(c.connect(), c.command("run", "--", "sh", "-c", `
		printf '%s' "$DATABASE_PASSWORD" | sha256sum
		echo "to stdout: $RAILS_MASTER_KEY"
		echo "to stderr: $CHATKIT_PK" >&2
		echo "token: ${OP_CONNECT_TOKEN:-none}"
		ssh-add -l
		ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@`+c.servers[0].Address+` hostname
		exit 7`)...)
	c.ended(res, 7)
	for _, want := range []string{digest(c.values["DATABASE_PASSWORD"]), "to stdout: ***", "token: none", "SHA256:"} {
		if !strings.Contains(res.Stdout, want) {
			t.Errorf("standard output has no %q\n%s", want, res.Log)
		}
	}
	if !strings.Contains(res.Stderr, "to stderr: ***") || strings.Contains(res.Stdout, "stderr") {
		t.Errorf("the streams are not apart\n%s", res.Log)
	}
	if lines := strings.Count(res.Stdout, "\n"); lines != 5 {
		t.Errorf("standard output has %d lines, want the command's 5\n%s", lines, res.Stdout)
	}
	c.loggedIn(1)
	c.clean(m)
}

// The statuses of `kamal-op run` for what is not the command's doing.
func TestRunStatuses(t *testing.T) {
	t.Parallel()
	c := newScene(t, 0)
	m := c.rig.machine(t, c.project)
	m.remember()
	for _, test := range []struct {
		status int
		args   []string
	}{
		{0, []string{"--", "true"}},
		{125, []string{"--secret", "X=op://MyApp/Nothing/x", "--", "true"}},
		{126, []string{"--", "/etc/passwd"}},
		{127, []string{"--", "no-such-command"}},
		{137, []string{"--", "sh", "-c", "kill -9 $$"}},
	} {
		res := m.run(c.connect(), append([]string{"kamal-op", "run", "--secret", "A=op://MyApp/Production/RAILS_MASTER_KEY"}, test.args...)...)
		c.ended(res, test.status)
	}
	c.clean(m)
}
