package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// rotation is what `kamal-op rotate --json` says.
type rotation struct {
	Equal  bool
	DryRun bool `json:"dry_run"`
	Boots  []struct {
		Role, Accessory, Version string
		Hosts                    []struct{ Host, Container string }
		Secrets                  []string
	}
	Left []struct {
		Host, Role, Accessory, Why string
		Secrets                    []string
	}
	Unreached []struct{ Host, Why string }
}

// boots are the boots of a rotation, a line each.
func (r rotation) boots() (lines []string) {
	for _, b := range r.Boots {
		var hosts []string
		for _, h := range b.Hosts {
			hosts = append(hosts, h.Host)
		}
		lines = append(lines, bootOf(b.Role+b.Accessory, b.Version, strings.Join(b.Secrets, ","), hosts...))
	}
	return lines
}

// bootOf is a boot as a line. In which order Kamal has the hosts is Kamal's.
func bootOf(what, version, secrets string, hosts ...string) string {
	return what + " of " + version + " on " + strings.Join(slices.Sorted(slices.Values(hosts)), " ") + " for " + secrets
}

// A rotating is a scene whose role web and whose accessory have a secret that its role
// jobs has not: RENAMED in the container.
type rotating struct {
	*scene
	m             *machine
	first, second string
	version       string
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	c := &rotating{scene: newScene(t, 2)}
	c.first, c.second = c.servers[0].Address, c.servers[1].Address
	c.project.edit("config/deploy.yml", "servers:\n  web:\n    - "+c.first+"\n    - "+c.second+"\n",
		"servers:\n  web:\n    hosts:\n      - "+c.first+"\n      - "+c.second+"\n    env:\n      secret:\n        - RENAMED:MAILGUN_INGRESS_SIGNING_KEY\n"+
			"  jobs:\n    hosts:\n      - "+c.second+"\n    proxy: false\n\nboot:\n  limit: 1\n\naccessories:\n  side:\n    image: "+
			c.rig.registry.Address+"/e2e/"+c.project.Service+":latest\n    host: "+c.first+"\n    env:\n      secret:\n        - MAILGUN_INGRESS_SIGNING_KEY\n")
	c.project.edit("config/deploy.yml", "    - CHATKIT_PK\n    - MAILGUN_INGRESS_SIGNING_KEY\n", "    - CHATKIT_PK\n")
	return c
}

// changed gives the secret another value in the vault.
func (c *rotating) changed() {
	c.t.Helper()
	c.values["MAILGUN_INGRESS_SIGNING_KEY"] = "key-" + randomText(12)
	if err := c.vault.SetField("MyApp", "Production", "MAILGUN_INGRESS_SIGNING_KEY", c.values["MAILGUN_INGRESS_SIGNING_KEY"]); err != nil {
		c.t.Fatal(err)
	}
}

// rotate rotates, and looks that nothing is left of it.
func (c *rotating) rotate(status int, args ...string) (r rotation) {
	c.t.Helper()
	c.m.remember()
	res := c.m.run(c.connect(), c.command("rotate", append(args, "--json")...)...)
	c.ended(res, status)
	c.clean(c.m)
	c.unlocked()
	if err := json.Unmarshal([]byte(res.Stdout), &r); err != nil {
		c.t.Fatalf("%v\n%s", err, res.Log)
	}
	if equal := status == 0 && len(r.Left) == 0 && (!r.DryRun || len(r.Boots) == 0); r.Equal != equal {
		c.t.Errorf("equal is %v with status %d", r.Equal, status)
	}
	return r
}

// expect holds the boots of a rotation against what they should be.
func (c *rotating) expect(r rotation, want ...string) {
	c.t.Helper()
	if got := r.boots(); !slices.Equal(got, want) {
		c.t.Errorf("boots are %q, want %q", got, want)
	}
}

// runs is the name and id of what runs of a role or accessory on a server, and whether
// it has the value of the vault.
func (c *rotating) runs(server int, name, variable string) (id string, fresh bool) {
	c.t.Helper()
	s := c.servers[server]
	id = s.mustExec(c.t, "sh", "-c", `docker ps --no-trunc --format '{{.ID}} {{.Names}}' | grep -- "$1"`, "-", c.project.Service+"-"+name)
	env := s.mustExec(c.t, "sh", "-c", `docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1"`, "-", strings.Fields(id)[0])
	return id, slices.Contains(strings.Split(env, "\n"), variable+"="+c.values["MAILGUN_INGRESS_SIGNING_KEY"])
}

// A value that is changed in the vault is live after a rotation, in the containers that
// have it and at the version that runs; no other container is touched.
func TestRotate(t *testing.T) {
	t.Parallel()
	c := newRotating(t)
	c.version = c.project.commit()
	c.m = c.rig.machine(t, c.project)
	c.succeeded(c.m.run(c.connect(), c.command("setup")...))

	before := c.containers()
	c.expect(c.rotate(0))
	c.changed()
	web := bootOf("web", c.version, "RENAMED", c.first, c.second)
	r := c.rotate(0, "--dry-run")
	c.expect(r, web)
	if len(r.Left) != 1 || r.Left[0].Accessory != "side" || !strings.Contains(r.Left[0].Why, "--accessory side") {
		t.Errorf("left: %+v", r.Left)
	}
	c.expect(c.rotate(0, "RAILS_MASTER_KEY", "--dry-run"))
	c.expect(c.rotate(0, "RAILS_MASTER_KEY"))
	res := c.m.run(c.connect(), c.command("rotate", "NONE_SUCH")...)
	c.ended(res, 2)
	says(t, res, "NONE_SUCH", "RENAMED")
	if after := c.containers(); after != before {
		t.Errorf("what boots nothing has changed\n%s to\n%s", before, after)
	}

	jobs, _ := c.runs(1, "jobs", "")
	side, fresh := c.runs(0, "side", "MAILGUN_INGRESS_SIGNING_KEY")
	if fresh {
		t.Fatal("the accessory has the new value already")
	}
	res = c.m.run(c.connect(), c.command("rotate")...)
	c.ended(res, 3) // the accessory is left
	c.captured("rotate.md", "kamal-op rotate", res.Log)
	says(t, res, "role web is booted again at "+c.version+", on ", "~ RENAMED", "accessory side: left as it is", "2 containers were booted again")
	for server := range c.servers {
		if id, fresh := c.runs(server, "web", "RENAMED"); !fresh || !strings.HasSuffix(id, "-web-"+c.version) {
			t.Errorf("web on %s is %s, and has the new value: %v", c.servers[server].Address, id, fresh)
		}
	}
	if now, _ := c.runs(1, "jobs", ""); now != jobs {
		t.Errorf("jobs was booted: %s", now)
	}
	if now, _ := c.runs(0, "side", ""); now != side {
		t.Errorf("the accessory was booted: %s", now)
	}

	c.expect(c.rotate(0, "MAILGUN_INGRESS_SIGNING_KEY", "--accessory", "side"), bootOf("side", "", "MAILGUN_INGRESS_SIGNING_KEY", c.first))
	if now, fresh := c.runs(0, "side", "MAILGUN_INGRESS_SIGNING_KEY"); !fresh || now == side {
		t.Errorf("the accessory is %s, and has the new value: %v", now, fresh)
	}
	res = c.m.run(c.connect(), c.command("rotate")...)
	c.succeeded(res)
	says(t, res, "nothing runs with an old value")
	c.succeeded(c.m.run(c.connect(), c.command("verify")...))
}

// Who deploys has the lock, and what they have booted is not booted once more; a host
// that is down keeps no other from being rotated.
func TestRotateBesideOthers(t *testing.T) {
	t.Parallel()
	c := newRotating(t)
	c.project.edit("config/deploy.yml", "        - MAILGUN_INGRESS_SIGNING_KEY\n", "        - RAILS_MASTER_KEY\n")
	c.version = c.project.commit()
	c.m = c.rig.machine(t, c.project)
	c.succeeded(c.m.run(c.connect(), c.command("setup")...))
	c.changed()
	c.succeeded(c.m.run(c.connect(), append(c.command("kamal"), "--", "lock", "acquire", "-m", "Moving the database")...))
	before := c.containers()
	// With one host or role alone it is the same lock.
	for _, args := range [][]string{nil, {"--hosts", c.second}, {"--roles", "web"}} {
		res := c.m.run(c.connect(), c.command("rotate", args...)...)
		c.ended(res, 3)
		says(t, res, "took it by hand (Moving the database)", "--lock-wait")
	}
	if after := c.containers(); after != before {
		t.Errorf("without the lock it has changed\n%s to\n%s", before, after)
	}

	other := c.rig.machine(t, c.project)
	waiting := other.start(c.connect(), "", c.command("rotate", "--lock-wait", "5m")...)
	waiting.until("waiting for the deploy lock on")
	// Whoever has the lock boots one of the two.
	c.succeeded(c.m.run(with(c.connect(), map[string]string{"KAMAL_LOCK": "true"}), append(c.command("kamal"), "--", "app", "boot", "--version", c.version, "--roles", "web", "--hosts", c.first)...))
	booted, _ := c.runs(0, "web", "RENAMED")
	c.succeeded(c.m.run(c.connect(), append(c.command("kamal"), "--", "lock", "release")...))
	res := waiting.wait()
	c.succeeded(res)
	says(t, res, "something else runs now", "role web is booted again at "+c.version+", on "+c.second+"\n", "1 containers were booted again")
	if now, _ := c.runs(0, "web", "RENAMED"); now != booted {
		t.Errorf("web on %s was booted once more: %s", c.first, now)
	}
	if _, fresh := c.runs(1, "web", "RENAMED"); !fresh {
		t.Errorf("web on %s has the old value", c.second)
	}

	c.changed()
	c.project.edit("config/deploy.yml", "      - "+c.second+"\n    env:\n", "      - "+c.second+"\n      - 127.0.0.99\n    env:\n")
	c.project.commit()
	r := c.rotate(6)
	c.expect(r, bootOf("web", c.version, "RENAMED", c.first, c.second))
	if len(r.Unreached) != 1 || r.Unreached[0].Host != "127.0.0.99" || r.Unreached[0].Why == "" {
		t.Errorf("unreached: %+v", r.Unreached)
	}
	c.changed()
	c.project.edit("config/deploy.yml", "hosts:\n      - "+c.first+"\n", "hosts:\n      - 127.0.0.98\n      - "+c.first+"\n")
	before = c.containers()
	res = c.m.run(c.connect(), c.command("rotate")...)
	c.ended(res, 6)
	says(t, res, "nothing is booted: the deploy lock lies on 127.0.0.98", "comes with the boot")
	if after := c.containers(); after != before {
		t.Errorf("without the lock's host it has changed\n%s to\n%s", before, after)
	}
}

// Where a new container is ill, the old one stays, no further host is booted, and Kamal's
// status is the run's. The lock is released.
func TestRotateOfAnAppThatIsIll(t *testing.T) {
	t.Parallel()
	c := newRotating(t)
	c.version = c.project.commit()
	c.m = c.rig.machine(t, c.project)
	c.succeeded(c.m.run(c.connect(), c.command("setup")...))
	c.changed()
	// Kamal boots that host first: the role that comes first by its name is there as well.
	c.project.edit("config/deploy.yml", "    APP_ENV: production\n", "    APP_ENV: production\n    APP_IS_ILL_ON: "+c.second+"\n")
	var before [2]string
	for server := range before {
		before[server], _ = c.runs(server, "web", "")
	}
	r := c.rotate(1, "RENAMED")
	c.expect(r)
	if len(r.Left) != 2 {
		t.Errorf("left: %+v", r.Left)
	}
	for server := range before {
		if now, _ := c.runs(server, "web", ""); strings.Fields(now)[0] != strings.Fields(before[server])[0] {
			t.Errorf("the old one does not run any more: %s", now)
		}
	}

	// Once it is well again the rotation finds the version, whatever Kamal has called it.
	c.project.edit("config/deploy.yml", "    APP_IS_ILL_ON: "+c.second+"\n", "")
	c.expect(c.rotate(3), bootOf("web", c.version, "RENAMED", c.first, c.second))
	for server := range c.servers {
		if id, fresh := c.runs(server, "web", "RENAMED"); !fresh || !strings.HasSuffix(id, "-web-"+c.version) {
			t.Errorf("web on %s is %s, and has the new value: %v", c.servers[server].Address, id, fresh)
		}
	}
}
