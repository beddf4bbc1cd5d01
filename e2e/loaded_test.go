package e2e

import (
	"strings"
	"testing"
)

// What an earlier step has loaded into the environment is deployed without any
// credentials: the app has it, Kamal holds it byte for byte, the key logs in, and
// nothing that is started has the variables.
func TestDeployOfWhatAnEarlierStepLoaded(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	c.project.write(".kamal/hooks/pre-deploy", `#!/bin/sh
{
	printf %s "$CHATKIT_PK" | sha256sum
	env | grep -c "^LOADED_"
	ssh-add -l
} >/root/hook 2>&1
`)
	c.project.commit()
	m := c.rig.machine(t, c.project)
	m.remember()
	env := map[string]string{"LOADED_KEY": c.key.PEM}
	flags := []string{"--ssh-key", "env://LOADED_KEY"}
	for name, value := range c.values {
		env["LOADED_"+name] = value
		flags = append(flags, "--secret", name+"=env://LOADED_"+name)
	}
	c.vault.Forget()
	res := m.run(env, append([]string{"kamal-op", "deploy"}, flags...)...)
	c.succeeded(res)
	c.deployed()
	c.unlocked()
	hook := m.run(nil, "sh", "-c", "cat /root/hook; rm /root/hook").Stdout
	for _, want := range []string{digest(c.values["CHATKIT_PK"]), "\n0\n", "SHA256:"} {
		if !strings.Contains(hook, want) {
			t.Errorf("the hook does not tell %q\n%s", want, hook)
		}
	}
	for _, server := range c.servers {
		if len(server.logins(t, c.key.Public)) == 0 {
			t.Errorf("the key has not logged in on %s", server.Address)
		}
	}
	verified := m.run(env, append([]string{"kamal-op", "verify"}, flags...)...)
	c.succeeded(verified)
	if !strings.Contains(verified.Stdout, " 0 stale, 0 missing") {
		t.Errorf("verify says\n%s", verified.Log)
	}
	c.succeeded(m.run(env, append([]string{"kamal-op", "plan"}, flags...)...))
	if asked := c.vault.Requests(); len(asked) > 0 {
		t.Errorf("1Password was asked %d times", len(asked))
	}
	c.clean(m)
}
