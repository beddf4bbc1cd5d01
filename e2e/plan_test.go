package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// planned is what `kamal-op plan --json` says, as far as it is looked at here.
type planned struct {
	Changes    bool
	From       []string
	To         string
	Commits    []struct{ Hash, Subject string }
	Image      struct{ State string }
	Containers []struct {
		Host, Role, Accessory, From, To string
		Changes                         []struct{ Kind, Name, From, To, What string }
		NotCompared                     []string `json:"not_compared"`
	}
	Stray     []struct{ Host, Name, Role, Why string }
	Unreached []struct{ Host, Why string }
}

// on gives the changes of a role or an accessory on a host, a line each.
func (p planned) on(host, name string) (lines []string) {
	for _, c := range p.Containers {
		if c.Host != host || c.Role+c.Accessory != name {
			continue
		}
		for _, d := range c.Changes {
			if d.Kind != "version" {
				lines = append(lines, strings.Join([]string{d.What, d.Kind, d.Name, d.From, d.To}, "|"))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// A plan says all that a deploy would change, on every host, and changes nothing: right
// after a deploy there is nothing, and what it said is so after the next.
func TestPlan(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	first, second := c.servers[0].Address, c.servers[1].Address
	c.project.edit("config/deploy.yml", "servers:\n  web:\n    - "+first+"\n    - "+second+"\n",
		"servers:\n  web:\n    - "+first+"\n    - "+second+"\n  jobs:\n    hosts:\n      - "+second+"\n    options:\n      memory: 64m\n      cap-add: NET_BIND_SERVICE\n    labels:\n      kind: jobs\n"+
			"\naccessories:\n  side:\n    image: "+proxyImage+"\n    host: "+first+"\n    cmd: kamal-proxy run --http-port 8090 --https-port 8493\n    env:\n      clear:\n        SIDE: one\n      secret:\n        - MAILGUN_INGRESS_SIGNING_KEY\n    volumes:\n      - side:/data\n    directories:\n      - files:/files\n    options:\n      cpus: 0.5\n\n")
	c.project.edit("config/deploy.yml", "    APP_ENV: production\n", "    APP_ENV: production\n    AWKWARD: \"a $b \\\"c\\\" `d` \\\\ é\"\n    GOES: away\n")
	from := c.project.commit()
	m := c.rig.machine(t, c.project)

	plan := func(status int, args ...string) (p planned) {
		t.Helper()
		m.remember()
		before := c.containers()
		res := m.run(c.connect(), c.command("plan", append(args, "--json")...)...)
		c.ended(res, status)
		c.clean(m)
		c.unlocked()
		if after := c.containers(); after != before {
			t.Errorf("a plan has changed\n%s to\n%s", before, after)
		}
		if err := json.Unmarshal([]byte(res.Stdout), &p); err != nil {
			t.Fatalf("%v\n%s", err, res.Log)
		}
		return p
	}
	expect := func(p planned, host, name string, want ...string) {
		t.Helper()
		slices.Sort(want)
		if got := p.on(host, name); !slices.Equal(got, want) {
			t.Errorf("%s on %s: %q, want %q", name, host, got, want)
		}
	}

	// Before the first deploy all is new.
	p := plan(7, "--exit-code")
	if len(p.From) != 0 || p.To != from || p.Image.State != "to be built" {
		t.Errorf("%+v", p)
	}
	expect(p, first, "web", "new|container|"+c.project.Service+"-web-"+from+"||"+c.project.Service+"-web-"+from)

	c.succeeded(m.run(c.connect(), c.command("setup")...))
	p = plan(0, "--exit-code")
	if p.Changes || !slices.Equal(p.From, []string{from}) || p.Image.State != "there" {
		t.Errorf("right after a deploy: %+v", p)
	}
	if len(p.Containers) != 4 {
		t.Errorf("%d containers", len(p.Containers))
	}
	for _, x := range p.Containers {
		if len(x.NotCompared) > 0 {
			t.Errorf("not compared: %q", x.NotCompared)
		}
	}
	res := m.run(c.connect(), c.command("plan")...)
	c.succeeded(res)
	says(t, res, "nothing would change", "is in the registry already")

	// One of each kind.
	c.values["RAILS_MASTER_KEY"] = randomText(16)
	if err := c.vault.SetField("MyApp", "Production", "RAILS_MASTER_KEY", c.values["RAILS_MASTER_KEY"]); err != nil {
		t.Fatal(err)
	}
	c.project.edit("config/deploy.yml", "    - RAILS_MASTER_KEY\n", "    - RAILS_MASTER_KEY\n    - ADDED:RAILS_MASTER_KEY\n")
	c.project.edit("config/deploy.yml", "    GOES: away\n", "    COMES: \"to stay\"\n")
	c.project.edit("config/deploy.yml", "    APP_ENV: production\n", "    APP_ENV: staging\n")
	c.project.edit("config/deploy.yml", "      memory: 64m\n      cap-add: NET_BIND_SERVICE\n", "      memory: 96m\n")
	c.project.edit("config/deploy.yml", "    timeout: 2\n", "    timeout: 3\n  response_timeout: 12\n")
	c.project.edit("config/deploy.yml", "        SIDE: one\n", "        SIDE: two\n")
	c.project.edit("config/deploy.yml", "      cpus: 0.5\n", "      cpus: 0.25\n")
	to := c.project.commit()
	p = plan(7, "--exit-code")
	if p.To != to || len(p.Commits) != 1 || p.Commits[0].Hash != to || p.Commits[0].Subject != "Change" || p.Image.State != "to be built" {
		t.Errorf("%+v", p)
	}
	variables := []string{
		"new|clear|COMES||to stay", "other|clear|APP_ENV|production|staging", "gone|variable|GOES||", "other|secret|RAILS_MASTER_KEY||", "new|secret|ADDED||",
	}
	web := append([]string{"other|proxy|health-check-timeout|2s|3s", "other|proxy|target-timeout|30s|12s"}, variables...)
	expect(p, first, "web", web...)
	expect(p, second, "web", web...)
	expect(p, second, "jobs", append([]string{"other|option|--memory|64m|96m", "gone|option|--cap-add|NET_BIND_SERVICE|"}, variables...)...)
	side := []string{"other|clear|SIDE|one|two", "other|option|--cpus|0.5|0.25"}
	expect(p, first, "side", side...)
	res = m.run(c.connect(), c.command("plan")...)
	c.succeeded(res)
	says(t, res, "secret RAILS_MASTER_KEY: another value", "APP_ENV: production → staging", "kamal-op kamal -- accessory reboot side")
	c.captured("plan.md", "kamal-op plan", res.Stdout)

	// What is so without a deploy is told by an issue; what a deploy is to bring is not.
	api, token := c.github("issues")
	watched := with(c.connect(), githubRun("123", "1"), token)
	watch := func(state string, wants ...string) {
		t.Helper()
		m.remember()
		res := m.run(watched, c.command("watch", "--issue")...)
		c.succeeded(res)
		c.clean(m)
		t.Logf("a capture of watch:\n%s", res.Stdout)
		issues := api.Issues()
		if len(issues) != 1 || issues[0].GetState() != state {
			t.Fatalf("the issues are %v", issues)
		}
		for _, want := range wants {
			if !strings.Contains(issues[0].GetBody(), want) {
				t.Errorf("no %q in\n%s", want, issues[0].GetBody())
			}
		}
		if strings.Contains(issues[0].GetBody(), `health-check`) {
			t.Errorf("what is not deployed yet is told\n%s", issues[0].GetBody())
		}
	}
	watch("open", `has not what the vault has: RAILS\_MASTER\_KEY`, "what runs, "+first+", role web", "what runs, "+second+", role jobs", "accessory side", "SIDE")

	// It is so: a deploy changes all but the accessory.
	c.succeeded(m.run(c.connect(), c.command("deploy")...))
	p = plan(7, "--exit-code")
	expect(p, first, "web")
	expect(p, second, "web")
	expect(p, second, "jobs")
	expect(p, first, "side", side...)
	// (A reboot pulls the image, which is in no registry here.)
	for _, step := range []string{"stop", "remove_container", "boot"} {
		c.succeeded(m.run(c.connect(), c.command("kamal", "--", "accessory", step, "side")...))
	}
	if p = plan(0, "--exit-code"); p.Changes {
		t.Errorf("after the reboot: %+v", p)
	}
	watch("closed")

	// A host and a role that are not named any more still run something.
	c.project.edit("config/deploy.yml", "    - "+second+"\n  jobs:\n    hosts:\n      - "+second+"\n", "  jobs:\n    hosts:\n      - "+first+"\n")
	c.project.commit()
	p = plan(0)
	var stray []string
	for _, s := range p.Stray {
		stray = append(stray, s.Host+" "+s.Role)
	}
	if slices.Sort(stray); !slices.Equal(stray, []string{second + " jobs", second + " web"}) {
		t.Errorf("stray: %q", stray)
	}

	// One that cannot be asked is told, and the others are.
	c.project.edit("config/deploy.yml", "  web:\n    - "+first+"\n", "  web:\n    - "+first+"\n    - 127.0.0.99\n")
	p = plan(6, "--exit-code")
	if len(p.Unreached) != 1 || p.Unreached[0].Host != "127.0.0.99" || p.Unreached[0].Why == "" || len(p.on(first, "jobs")) == 0 {
		t.Errorf("%+v", p)
	}
}

// containers are all containers of the project on all servers, with their ids and the
// files of Kamal beside them.
func (c *scene) containers() string {
	c.t.Helper()
	var all strings.Builder
	for _, s := range c.servers {
		all.WriteString(s.mustExec(c.t, "sh", "-c", "docker ps --all --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' | sort; find .kamal -type f -o -type d 2>/dev/null | sort"))
	}
	return all.String()
}
