package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// file reads a file of the project, with the image that was built here in the place of
// the published one.
func (p *project) file(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return published.ReplaceAllLiteralString(string(text), os.Getenv(envAction))
}

// runs fails the test where an app does not run this version, and no other.
func (c *scene) runs(version string) {
	c.t.Helper()
	for _, s := range c.servers {
		names := s.mustExec(c.t, "docker", "ps", "--filter", "label=service="+c.project.Service, "--format", "{{.Names}}")
		if names = strings.TrimSpace(names); names != c.project.Service+"-web-"+version {
			c.t.Errorf("on %s runs %q, not the version %s", s.Address, names, version)
		}
	}
}

// circleJob runs the last step of a job of a .circleci/config.yml, which deploys, as
// CircleCI does: the image without its entrypoint, by the shell that the step or the job
// names.
func (c *scene) circleJob(job node) result {
	c.t.Helper()
	steps := job.at(c.t, "steps").([]any)
	run := node(job.at(c.t, "steps", len(steps)-1, "run").(map[string]any))
	env := with(c.connect(), map[string]string{"CI": "true", "CIRCLECI": "true", "CIRCLE_BUILD_NUM": "173", "CIRCLE_JOB": "deploy"})
	if job["environment"] != nil {
		env = with(env, job.texts(c.t, "environment"))
	}
	from := run
	if run["shell"] == nil {
		from = job
	}
	shell := strings.Fields(from.at(c.t, "shell").(string))
	args := append([]string{"--entrypoint", shell[0], job.at(c.t, "docker", 0, "image").(string)}, shell[1:]...)
	return c.job(env, "", append(args, "-c", run.at(c.t, "command").(string))...)
}

// documented is the first example of docs/project-file.md, without the destinations that
// this project has not, and with the server's own host key.
func documented(t *testing.T, s *server) string {
	t.Helper()
	page, err := os.ReadFile("../docs/project-file.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)\ndestinations:").FindSubmatch(page)
	if example == nil {
		t.Fatal("docs/project-file.md has no example")
	}
	text := regexp.MustCompile(`(?m)^  192\.0\.2\.1 .*$`).ReplaceAllLiteralString(string(example[1]), "  "+knownLine(s, s.HostKey))
	if text == string(example[1]) {
		t.Fatal("the example has no host key")
	}
	return text
}

// A project that has its options in the file that docs/project-file.md shows deploys in
// each CI by the file that init writes for it: one step with a token, and nothing else.
func TestProjectFileInEachCI(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project = c.rig.newProject(t, []string{"RAILS_MASTER_KEY"}, c.servers...)
	c.project.write(".kamal/kamal-op.yml", documented(t, c.servers[0]))
	if err := os.Remove(filepath.Join(c.project.Dir, ".kamal/secrets")); err != nil {
		t.Fatal(err)
	}
	c.project.commit()
	m := c.rig.machineOf(t, c.project, os.Getenv(envHost))
	for _, ci := range []struct {
		name, file, mark string
		run              func(name string) result
	}{
		{"gitlab", ".gitlab-ci.yml", "\x1b[0Ksection_start:", func(name string) result {
			return c.gitlabJob(parse(t, c.project.file(name)).at(t, "deploy").(map[string]any))
		}},
		{"circleci", ".circleci/config.yml", "== boot", func(name string) result {
			return c.circleJob(parse(t, c.project.file(name)).at(t, "jobs", "deploy").(map[string]any))
		}},
		// act has no registry of actions and no service account: the action is the one
		// that was built here, and the token is the vault's.
		{"github", ".github/workflows/deploy.yml", "Job succeeded", func(string) result { return c.act(m, "docker").wait() }},
	} {
		c.succeeded(m.run(c.connect(), "kamal-op", "init", "--ci", ci.name))
		text := c.project.file(ci.file)
		if strings.Contains(text, "op://") || strings.Contains(text, "KAMAL_OP_") {
			t.Errorf("the file has more than the token\n%s", text)
		}
		if ci.name == "github" {
			c.dockerForm()
			c.project.edit(ci.file, "uses: kamal-op/kamal-op@v1", "uses: ./.kamal-op/docker")
			c.project.edit(ci.file, "service-account-token: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}",
				"connect-host: ${{ secrets.CONNECT_HOST }}\n          connect-token: ${{ secrets.CONNECT_TOKEN }}")
		}
		version := c.project.commit()
		c.arrived(ci.run(ci.file), ci.mark)
		c.runs(version)
		// The next system's init is to find none that deploys already.
		mustDocker(t, "exec", m.id, "rm", filepath.Join(c.project.Dir, ci.file))
	}
}

// today are jobs as teams have them: op and Kamal are installed, an agent is started, the
// secrets are read, and Kamal deploys.
var today = map[string]string{
	".gitlab-ci.yml": `stages: [deploy]
deploy:
  stage: deploy
  image: ruby:3.4
  services:
    - docker:28-dind
  variables:
    DOCKER_HOST: tcp://docker:2376
    DOCKER_TLS_VERIFY: "1"
    DOCKER_TLS_CERTDIR: /certs
    DOCKER_CERT_PATH: /certs/client
  before_script:
    - apt-get update -qq && apt-get install -y -qq curl openssh-client unzip
    - curl -sSfLo op.zip https://cache.agilebits.com/dist/1P/op2/pkg/v2.32.0/op_linux_amd64_v2.32.0.zip
    - unzip -d /usr/local/bin op.zip op && rm op.zip
    - gem install kamal -v 2.12.0
    - eval $(ssh-agent -s)
    - op read op://MyApp/Server/SSH_KEY | ssh-add -
    - export KAMAL_REGISTRY_PASSWORD=$(op read op://MyApp/Production/KAMAL_REGISTRY_PASSWORD)
  script:
    - export RAILS_MASTER_KEY=$(op read op://MyApp/Production/RAILS_MASTER_KEY)
    - kamal config >/dev/null
    - kamal deploy
  environment: production
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
`,
	".circleci/config.yml": `version: 2.1
orbs:
  1password: onepassword/secrets@1
jobs:
  deploy:
    docker:
      - image: cimg/ruby:3.4
    steps:
      - checkout
      - setup_remote_docker
      - 1password/install-cli
      - 1password/export:
          var-name: KAMAL_REGISTRY_PASSWORD
          secret-reference: op://MyApp/Production/KAMAL_REGISTRY_PASSWORD
      - run:
          name: Install Kamal
          command: gem install kamal -v 2.12.0
      - run:
          name: Deploy
          command: |
            eval "$(ssh-agent -s)"
            op read op://MyApp/Server/SSH_KEY | ssh-add -
            export RAILS_MASTER_KEY="$(op read op://MyApp/Production/RAILS_MASTER_KEY)"
            kamal deploy
          no_output_timeout: 20m
workflows:
  deploy:
    jobs:
      - deploy:
          context: production
`,
}

// What migrate makes of today's job deploys.
func TestMigratedJobDeploys(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project = c.rig.newProject(t, []string{"RAILS_MASTER_KEY"}, c.servers...)
	for name, text := range today {
		c.project.write(name, text)
	}
	c.project.commit()
	m := c.rig.machine(t, c.project)
	for name := range today {
		c.succeeded(m.run(c.connect(), "kamal-op", "migrate", name))
		job := parse(t, c.project.file(name))
		version := c.project.commit()
		var res result
		if name == ".gitlab-ci.yml" {
			res = c.gitlabJob(job.at(t, "deploy").(map[string]any))
		} else {
			res = c.circleJob(job.at(t, "jobs", "deploy").(map[string]any))
		}
		c.arrived(res)
		c.runs(version)
	}
}
