package e2e

import (
	"os"
	"strings"
	"testing"
)

// runner is a machine as GitHub gives one to a job: it has an engine of its own that
// serves nothing, the project, and act for the runner's program.
func (c *scene) runner() *server {
	c.t.Helper()
	s, err := startServer(c.rig.registry)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		// An engine that is killed leaves the cgroups of its containers.
		s.mustExec(c.t, "sh", "-c", "docker ps --all --quiet | xargs -r docker rm --force")
		mustDocker(c.t, "rm", "-fv", s.id)
	})
	for from, to := range map[string]string{c.rig.binary: "/usr/local/bin/kamal-op", os.Getenv(envAct): "/usr/local/bin/act", c.project.Dir: "/home/project"} {
		mustDocker(c.t, "cp", from, s.id+":"+to)
	}
	s.mustExec(c.t, "chown", "-R", "root:root", "/home/project")
	return s
}

// made is all on an engine that a rehearsal could have made.
func (s *server) made(t *testing.T) string {
	t.Helper()
	return s.mustExec(t, "sh", "-c", "docker ps -aq; docker volume ls -q; docker network ls --format '{{.Name}}' | sort; docker images --format '{{.Repository}}' | sort -u; ls -A /tmp")
}

// The workflow that docs/rehearse.md shows, in a pull request of a project whose
// production it may not touch: the project is deployed on the runner, nothing of it
// is left there, and nobody asked the project's servers or vault.
func TestRehearseInAPullRequest(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	page, err := os.ReadFile("../docs/rehearse.md")
	if err != nil {
		t.Fatal(err)
	}
	_, workflow, _ := strings.Cut(string(page), "```yaml\n")
	workflow, _, _ = strings.Cut(workflow, "```\n")
	// The one thing that is not as it stands there: the action is the one that is tested.
	own := strings.Replace(workflow, "uses: kamal-op/kamal-op/native@v1", "uses: ./.kamal-op/native", 1)
	if own == workflow {
		t.Fatalf("the page shows no workflow with the native form of the action:\n%s", workflow)
	}
	c.nativeForm()
	c.project.write(".github/workflows/rehearse.yml", own)
	c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\nexit 1\n") // hooks are off
	c.project.commit()
	s := c.runner()
	before := s.made(t)
	m := &machine{t: t, id: s.id, project: c.project}
	res := m.run(nil, "sh", "-c", "cd /home/project && exec act pull_request --platform ubuntu-latest=-self-hosted --pull=false")
	c.ended(res, 0)
	for _, want := range []string{
		"in the container, byte for byte as in the vault: ", "RAILS_MASTER_KEY", "all that the rehearsal made is removed",
		"Post ./.kamal-op/native", "Job succeeded",
	} {
		if !strings.Contains(res.Log, want) {
			t.Errorf("%q is not in the log\n%s", want, res.Log)
		}
	}
	if after := s.made(t); after != before {
		t.Errorf("the engine had:\n%s\nand has:\n%s", before, after)
	}
	if asked := c.vault.Requests(); len(asked) > 0 {
		t.Errorf("the project's own vault was asked: %v", asked)
	}
	c.loggedIn(0)
}

// In the action's container the engine is on another loopback: that is told before
// anything is made.
func TestRehearseInTheActionsContainer(t *testing.T) {
	t.Parallel()
	c := newScene(t, 0)
	c.project.commit()
	step, res := c.action(map[string]string{"command": "rehearse", "project": "."})
	c.ended(res, 3)
	if !strings.Contains(res.Log, "this is a container with a network of its own") || !strings.Contains(res.Log, "kamal-op/kamal-op/native@v1") {
		t.Errorf("the log does not say why, and what helps\n%s", res.Log)
	}
	step.clean()
}
