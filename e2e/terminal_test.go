package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A deploy in a terminal ends with what changed: the version, the secrets since the last
// deploy, each phase beside what it took then. What came before stands on the hosts.
func TestDeployInATerminal(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	first := c.project.commit()
	m := c.rig.machine(t, c.project)
	github := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "/tmp/summary"}
	res := m.run(with(c.connect(), githubRun("123", "1"), github), c.command("deploy")...)
	if res.Status != 0 { // the log has the values, as what GitHub is to mask
		t.Fatalf("status %d", res.Status)
	}
	if strings.Contains(res.Log, "to go back: ") {
		t.Error("what a terminal is told stands in a log of GitHub's")
	}
	summary := m.run(nil, "sh", "-c", "cat /tmp/summary; rm -f /tmp/summary").Stdout
	if !strings.HasPrefix(summary, "## ✓ deploy of "+c.project.Service+" succeeded") {
		t.Errorf("the summary is\n%s", summary)
	}
	c.picture("summary.md", summary)
	c.values["CHATKIT_PK"] = "key-" + randomText(12)
	if err := c.vault.SetField("MyApp", "Production", "CHATKIT_PK", c.values["CHATKIT_PK"]); err != nil {
		t.Fatal(err)
	}
	c.project.write("README", "a change\n")
	second := c.project.commit()
	// What is typed has no end: script would type one.
	c.succeeded(m.run(nil, "mkfifo", "/tmp/typed"))
	m.remember()
	words := c.command("deploy")
	for i, word := range words {
		words[i] = "'" + word + "'"
	}
	res = m.run(with(c.connect(), map[string]string{"TERM": "xterm", "NO_COLOR": "1"}), "sh", "-c", `exec script -qec "stty cols 200; $1" /dev/null 0<>/tmp/typed`, "sh", strings.Join(words, " "))
	c.succeeded(res)
	c.deployed()
	c.clean(m)
	end := res.Log[max(0, strings.LastIndex(res.Log, "✓ deploy of")):]
	t.Logf("a capture:\n%s", res.Log)
	c.picture("terminal.txt", res.Log)
	for _, want := range []string{
		`✓ deploy of e2e-[0-9a-f]+ succeeded in [0-9. mins]+\r*\n`,
		`  web: ` + first[:11] + `… → ` + second[:11] + `… on `,
		`  ~ CHATKIT_PK, .*  MyApp/Production, version \d+ → \d+\r*\n`,
		`  build and push  +[0-9.]+ s  last 1: [0-9.]+ s\r*\n`,
		`  boot  +[0-9.]+ s  last 1: [0-9.]+ s\r*\n`,
		`  to go back: kamal-op rollback ` + first + `\r*\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(end) {
			t.Errorf("no %q in\n%s", want, end)
		}
	}
}

// picture keeps what a run has shown, for the pictures of the documentation, where
// build/pictures.sh asks for it. Names of this rig become those of an example.
func (c *scene) picture(name, text string) {
	c.t.Helper()
	dir := os.Getenv("KAMAL_OP_E2E_PICTURES")
	if dir == "" {
		return
	}
	pairs := []string{c.project.Domain, "shop.example.com", c.project.Service, "shop", c.rig.registry.Address, "registry.example.com", c.project.Dir, "/home/me/shop"}
	for i, s := range c.servers {
		pairs = append(pairs, s.Address, "203.0.113."+string(rune('1'+i))+"0")
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.NewReplacer(pairs...).Replace(text)), 0o600); err != nil {
		c.t.Fatal(err)
	}
}
