package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// guideBlock is a block of commands of a page.
var guideBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// standsIn are programs that speak to accounts: they take note of what they are asked,
// and op gives what 1Password would: the public half of the key that it has made.
var standsIn = map[string]string{
	"op": `#!/bin/sh
echo "op $*" >>/root/asked
case "$*" in
"item template get Secure Note") echo '{"title": "", "category": "SECURE_NOTE", "fields": []}' ;;
"read op://MyApp/Server/public key") cat /root/public ;;
esac
`,
	"gh": "#!/bin/sh\necho \"gh $*\" >>/root/asked\n",
}

// The commands of docs/first-deploy.md, in their order and as they stand there, lead from
// a project with a deploy.yml to a deployed app that GitHub has the workflow of. What is
// not as there: the server's address, and 1Password and GitHub themselves.
func TestFirstDeployByTheGuide(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	s := c.servers[0]
	page, err := os.ReadFile("../docs/first-deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.project.Dir + "/.kamal/secrets"); err != nil {
		t.Fatal(err)
	}
	c.project.commit()
	m := c.rig.machine(t, c.project)
	do := func(script string) result {
		t.Helper()
		res := m.run(c.connect(), "sh", "-e", "-c", script)
		c.succeeded(res)
		return res
	}
	for name, text := range standsIn {
		m.start(nil, text, "sh", "-c", "cat >/usr/local/bin/"+name+"; chmod 755 /usr/local/bin/"+name).wait()
	}
	// The server's owner may log in, with a key of their own; the vault's may not yet.
	owner := newKey(t)
	s.authorize(t, owner.Public)
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(c.key.Public)))
	s.mustExec(t, "sed", "-i", `\|`+public+`|d`, "/root/.ssh/authorized_keys")
	m.start(nil, owner.PEM, "sh", "-c", "umask 077; mkdir -p /root/.ssh; cat >/root/.ssh/id_ed25519; echo 'StrictHostKeyChecking accept-new' >/root/.ssh/config").wait()
	m.start(nil, public+"\n", "sh", "-c", "cat >/root/public").wait()
	do("git config --global user.name someone; git config --global user.email someone@example.com; git config --global push.autoSetupRemote true; " +
		"git init --quiet --bare /root/origin; git remote add origin /root/origin")

	blocks := guideBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 8 {
		t.Fatalf("only %d blocks of commands were found", len(blocks))
	}
	for _, block := range blocks {
		res := do(strings.ReplaceAll(block[1], "192.0.2.1", s.Address))
		switch {
		case strings.Contains(block[1], "ssh root@"):
			do("rm /root/.ssh/id_ed25519") // from here on the vault's key is the only one
		case strings.Contains(block[1], "kamal-op host-keys"):
			says(t, res, knownLine(s, s.HostKey))
		}
	}

	c.deployed()
	if len(s.logins(t, c.key.Public)) == 0 {
		t.Error("the vault's key was not used")
	}
	asked := strings.Split(m.run(nil, "cat", "/root/asked").Stdout, "\n")
	for _, want := range []string{
		"op vault create MyApp", "op service-account create hello-deploy --vault MyApp:read_items", "gh secret set OP_SERVICE_ACCOUNT_TOKEN",
	} {
		if !slices.Contains(asked, want) {
			t.Errorf("%q was not asked\n%s", want, strings.Join(asked, "\n"))
		}
	}
	says(t, do("git ls-tree -r --name-only @{upstream}"), ".github/workflows/deploy.yml", ".kamal/secrets", ".kamal/kamal-op.yml")
}
