package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// promotion is what `kamal-op promote --json` says.
type promotion struct {
	Promoted    bool
	Image       struct{ Version string }
	Differences []string
	Plan        planned
}

// What staging runs is deployed to production by its digest, and by nothing else: not
// where another image has taken its name, where it would have been built otherwise, or
// where it is in another repository.
func TestPromote(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	staging, production := c.servers[0], c.servers[1]
	for _, d := range []struct {
		name string
		at   *server
	}{{"staging", staging}, {"production", production}} {
		c.project.write("config/deploy."+d.name+".yml", "servers:\n  web:\n    - "+d.at.Address+"\nenv:\n  clear:\n    APP_ENV: "+d.name+"\n")
		c.project.write(".kamal/secrets."+d.name, passedThrough(append([]string{"KAMAL_REGISTRY_PASSWORD"}, c.project.Secrets...)...))
	}
	c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\necho \"$KAMAL_COMMAND $KAMAL_DESTINATION $KAMAL_VERSION\" >>/tmp/hooks\n")
	first := c.project.commit()
	m := c.rig.machine(t, c.project)
	c.succeeded(m.run(c.connect(), c.command("deploy", "-d", "staging")...))
	api, token := c.github("deployments")
	api.SetCommit(first, time.Now())

	promote := func(status int, args ...string) result {
		t.Helper()
		m.remember()
		res := m.run(with(c.connect(), githubRun("123", "1"), token), c.command("promote", append([]string{"--from", "staging", "--to", "production"}, args...)...)...)
		c.ended(res, status)
		c.clean(m)
		c.unlocked()
		return res
	}
	runs := func(s *server) string {
		t.Helper()
		return s.mustExec(t, "sh", "-c", `docker ps --filter label=service="$1" --format '{{.Names}}' | while read -r n; do echo "$n $(docker inspect --format '{{.Image}}' "$n")"; done`, "-", c.project.Service)
	}
	image := func(s *server) string {
		t.Helper()
		_, id, _ := strings.Cut(runs(s), " ")
		return id
	}

	res := promote(0, "--github-environment", "production")
	if all := api.Deployments(); len(all) != 1 || all[0].GetSHA() != first || all[0].State() != "success" || all[0].GetTask() != "deploy/"+c.project.Service+"/production" {
		t.Errorf("GitHub was told %+v", all)
	}
	says(t, res, "web-production-"+first+" comes", "as staging runs it (sha256:", "and is not built", "production runs "+first+" as staging does, sha256:")
	if got := runs(production); !strings.HasPrefix(got, c.project.Service+"-web-production-"+first+" ") || image(production) != image(staging) {
		t.Errorf("production runs %s, and staging %s", got, runs(staging))
	}
	if got := production.digests(t, c.project.Domain)["APP_ENV"]; got != digest("production") {
		t.Error("production does not have its own variables")
	}
	if hooks := m.run(nil, "cat", "/tmp/hooks").Stdout; hooks != "deploy staging "+first+"\ndeploy production "+first+"\n" {
		t.Errorf("hooks: %s", hooks)
	}
	before := c.containers()
	res = promote(0, "--json")
	var told promotion
	if err := json.Unmarshal([]byte(res.Stdout), &told); err != nil {
		t.Fatalf("%v\n%s", err, res.Log)
	}
	if !told.Promoted || told.Image.Version != first || len(told.Differences) != 0 || told.Plan.To != first {
		t.Errorf("%+v", told)
	}
	if after := c.containers(); after != before {
		t.Errorf("where it runs already, it has changed\n%s to\n%s", before, after)
	}

	// The name stands for another image by now: nothing of production is touched.
	second := c.project.commit()
	c.succeeded(m.run(c.connect(), c.command("deploy", "-d", "staging")...))
	repository := c.rig.registry.Address + "/e2e/" + c.project.Service
	tested := image(staging)
	staging.mustExec(t, "sh", "-c", `docker commit --change 'LABEL moved=1' "$(docker ps --quiet --filter label=service="$1")" "$2" >/dev/null && docker push --quiet "$2"`, "-", c.project.Service, repository+":"+second)
	ran := runs(production)
	res = promote(3)
	says(t, res, "another image than the one that staging runs: nothing is booted", "stands for another image")
	if got := runs(production); got != ran {
		t.Errorf("production runs %s", got)
	}
	if hooks := m.run(nil, "cat", "/tmp/hooks").Stdout; strings.Contains(hooks, "production "+second) {
		t.Error("the hook that migrates has run with another image")
	}

	// Production looks for it elsewhere, and would have had it built otherwise.
	c.project.edit("config/deploy.production.yml", "servers:\n", "image: e2e/"+c.project.Service+"-copy\nbuilder:\n  args:\n    FLAVOUR: production\nservers:\n")
	res = promote(3)
	says(t, res, "builder.args.FLAVOUR", "--accept-build-of staging", "the registry has no "+repository+"-copy:"+second, "docker buildx imagetools create", repository+"@sha256:")
	staging.mustExec(t, "sh", "-c", `docker tag "$1" "$2" && docker push --quiet "$2"`, "-", tested, repository+"-copy:"+second)
	res = promote(0, "--accept-build-of", "staging")
	c.captured("promote.md", "kamal-op promote --from staging --to production", strings.ReplaceAll(res.Log, c.project.Service+"-copy", c.project.Service))
	says(t, res, "built otherwise than production would have been: builder.args.FLAVOUR", "production runs "+second+" as staging does")
	if got := runs(production); got != c.project.Service+"-web-production-"+second+" "+tested {
		t.Errorf("production runs %s", got)
	}
}
