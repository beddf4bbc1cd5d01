package rehearsal_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
)

// walkthrough is the project of the documentation, as a team has it.
func walkthrough() map[string]string {
	return map[string]string{
		"config/deploy.yml": `service: myapp
image: example/myapp

servers:
  web:
    - 203.0.113.10

proxy:
  ssl: true
  host: myapp.example.com

registry:
  username: example
  password:
    - KAMAL_REGISTRY_PASSWORD

builder:
  arch: amd64

env:
  clear:
    APP_ENV: production
  secret:
    - RAILS_MASTER_KEY
    - DATABASE_PASSWORD
    - CHATKIT_PK
    - MAILGUN_INGRESS_SIGNING_KEY
`,
		".kamal/secrets": `SECRETS=$(kamal secrets fetch --adapter 1password --account example --from MyApp/Production KAMAL_REGISTRY_PASSWORD RAILS_MASTER_KEY DATABASE_PASSWORD CHATKIT_PK MAILGUN_INGRESS_SIGNING_KEY)
KAMAL_REGISTRY_PASSWORD=$(kamal secrets extract KAMAL_REGISTRY_PASSWORD ${SECRETS})
RAILS_MASTER_KEY=$(kamal secrets extract RAILS_MASTER_KEY ${SECRETS})
DATABASE_PASSWORD=$(kamal secrets extract DATABASE_PASSWORD ${SECRETS})
CHATKIT_PK=$(kamal secrets extract CHATKIT_PK ${SECRETS})
MAILGUN_INGRESS_SIGNING_KEY=$(kamal secrets extract MAILGUN_INGRESS_SIGNING_KEY ${SECRETS})
`,
	}
}

// everything is a project with all that has to be moved.
func everything() map[string]string {
	return map[string]string{
		"config/deploy.yml": `service: shop
image: team/shop
labels:
  team: blue
servers:
  web:
    hosts:
      - 203.0.113.10: [ primary ]
      - 203.0.113.11
    options:
      memory: 64g
      publish: "9394:9394"
    logging:
      driver: awslogs
    labels:
      tier: front
  jobs:
    hosts: [ 203.0.113.12 ]
    env:
      clear:
        QUEUE: "203.0.113.20:6379"
      secret:
        - JOB_TOKEN:WEB_TOKEN
require_destination: true
ssh:
  user: deploy
  port: 2222
  proxy: jump@203.0.113.1
  keys: [ /nowhere/key ]
  keys_only: true
registry:
  server: registry.example.com
  username: [ REGISTRY_USER ]
  password: [ REGISTRY_PASSWORD ]
builder:
  arch: [ amd64, arm64 ]
  remote: ssh://builder@203.0.113.2
  cache:
    type: registry
  secrets: [ BUILD_TOKEN ]
  context: .
logging:
  driver: syslog
  options:
    syslog-address: udp://203.0.113.3:514
volumes:
  - shop-storage:/storage
  - /srv/shop:/srv
  - /etc/localtime:/etc/localtime:ro
proxy:
  ssl:
    certificate_pem: CERTIFICATE
    private_key_pem: CERTIFICATE_KEY
  hosts: [ shop.example.com, www.shop.example.com ]
  run:
    http_port: 80
    registry: proxies.example.com
env:
  clear:
    DB_HOST: 203.0.113.20
    URL: <%= "https://" + "203.0.113.10" + "/" %>
    OTHER: 203.0.113.100
  secret: [ WEB_TOKEN ]
  tags:
    primary:
      TAGGED: "203.0.113.11"
accessories:
  db:
    image: basecamp/kamal-proxy:v0.9.2
    cmd: kamal-proxy run --http-port 8080 --https-port 8443
    host: 203.0.113.20
    port: "5432:5432"
    env:
      secret: [ DB_PASSWORD ]
    directories:
      - data:/data
      - /var/lib/shop:/more
    volumes:
      - shop-db:/db
    options:
      cpus: 64
      network: host
`,
		"config/deploy.production.yml": `service: shop
hooks_path: hooks
env:
  clear:
    STAGE: production
`,
		".kamal/secrets-common":     "REGISTRY_USER=$REGISTRY_USER\nREGISTRY_PASSWORD=${REGISTRY_PASSWORD}\n# comment $NOT_ME\n",
		".kamal/secrets.production": "WEB_TOKEN=$TOKEN_OF_WEB\nBUILD_TOKEN=$BUILD_TOKEN\nDB_PASSWORD=\"$DB_PASSWORD\"\n",
		"hooks/pre-deploy":          "#!/bin/sh\ntouch \"$MARK\"\n",
	}
}

// writeProject writes a project whose image is made of this test's own program,
// as a repository, and gives its directory.
func writeProject(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files = maps.Clone(files)
	files["Dockerfile"] = "FROM scratch\nCOPY app /app\nENTRYPOINT [\"/app\", \"rehearsal-app\"]\n"
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "app"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "--all"},
		{"-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--message", "A project"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	return dir
}

// tree is every file of a directory with its content's digest, and not git's own.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == ".git" {
			return err
		}
		line := path
		if !entry.IsDir() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + rehearsal.Digest(string(content))
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRun_RehearsesTheWalkthrough(t *testing.T) {
	d := newDeployer(t)
	dir := writeProject(t, walkthrough())
	before := tree(t, dir)
	out, err := run(t.Context(), t, d, func(o *rehearsal.Options) {
		o.Project = dir
		o.Values = map[string]string{"DATABASE_PASSWORD": "given $1 as a sample", "CHATKIT_PK": "two\nlines"}
	})
	if err != nil {
		t.Errorf("%v\n%s", err, d.log.String())
	}
	for _, want := range []string{
		".kamal/secrets:1:1 takes SECRETS from elsewhere than this rehearsal's vault, so NAME=$NAME lines stand in for it",
		"myapp.example.com answers / through kamal-proxy: 200",
		"byte for byte as in the vault: DATABASE_PASSWORD, MAILGUN_INGRESS_SIGNING_KEY, RAILS_MASTER_KEY",
		"escaped, as Kamal's env file does: CHATKIT_PK",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q in\n%s", want, out)
		}
	}
	if !slices.Contains(d.values, "given $1 as a sample") {
		t.Error("the sample value was not used")
	}
	if strings.Contains(d.log.String(), "203.0.113.") {
		t.Errorf("an address of the project's is in the log:\n%s", d.log.String())
	}
	if after := tree(t, dir); !slices.Equal(after, before) {
		t.Errorf("the project changed: %q, before %q", after, before)
	}
}

func TestRun_MovesEverything(t *testing.T) {
	for what, withHooks := range map[string]bool{"hooks off": false, "hooks on": true} {
		t.Run(what, func(t *testing.T) {
			d := newDeployer(t)
			dir := writeProject(t, everything())
			before := tree(t, dir)
			mark := filepath.Join(t.TempDir(), "mark")
			// What runs is looked at while it does, just before it is removed.
			var containers, volumes string
			d.after = func() {
				all := []string{docker(t, "inspect", "--format", "{{.Name}} {{.Config.Env}} {{json .HostConfig.PortBindings}} {{json .HostConfig.Binds}} {{.HostConfig.Memory}}",
					"kamal-proxy")}
				for _, role := range []string{"role=web", "role=jobs"} {
					id := docker(t, "ps", "--quiet", "--filter", "label="+rehearsal.Label, "--filter", "label="+role)
					all = append(all, docker(t, "inspect", "--format", "{{.Config.Env}} {{json .HostConfig.PortBindings}} {{json .HostConfig.Binds}} {{.HostConfig.Memory}} {{json .HostConfig.LogConfig}} {{json .Config.Labels}}", id))
				}
				containers = strings.Join(all, "\n")
				volumes = docker(t, "volume", "ls", "--quiet", "--filter", "label="+rehearsal.Label)
			}
			out, err := run(t.Context(), t, d, func(o *rehearsal.Options) {
				o.Project, o.Destination, o.WithHooks = dir, "production", withHooks
				o.Env = append(o.Env, "MARK="+mark)
			})
			if err != nil {
				t.Errorf("%v\n%s", err, d.log.String())
			}
			for _, want := range []string{
				"shop.example.com answers / through kamal-proxy: 200",
				"www.shop.example.com answers / through kamal-proxy: 200",
				"byte for byte as in the vault: DB_PASSWORD, JOB_TOKEN, WEB_TOKEN",
				"servers.web: memory is left out",
				"accessories.db: network is left out",
				"settings that named a server of yours name this machine instead: DB_HOST, QUEUE, TAGGED, URL",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("nothing says %q in\n%s", want, out)
				}
			}
			if d.request.Command != "setup" {
				t.Errorf("%q does not boot accessories", d.request.Command)
			}
			if seen := containers + d.log.String(); strings.Contains(strings.ReplaceAll(seen, "203.0.113.100", ""), "203.0.113.") {
				t.Errorf("an address of the project's was used:\n%s", seen)
			}
			for _, want := range []string{"-db:6379", "_shop-storage:/storage", `"HostIp":"127.0.0.1"`, `"team":"blue"`, `"tier":"front"`, "STAGE=production", "OTHER=203.0.113.100"} {
				if !strings.Contains(containers, want) {
					t.Errorf("nothing has %q in\n%s", want, containers)
				}
			}
			if strings.Contains(containers, "syslog") || strings.Contains(containers, "awslogs") || strings.Contains(containers, `"/srv/shop:`) {
				t.Errorf("not moved:\n%s", containers)
			}
			if len(strings.Fields(volumes)) != 3 {
				t.Errorf("volumes: %s", volumes)
			}
			if _, err := os.Stat(mark); (err == nil) != withHooks {
				t.Errorf("the hook ran: %v", err == nil)
			}
			if after := tree(t, dir); !slices.Equal(after, before) {
				t.Errorf("the project changed: %q, before %q", after, before)
			}
		})
	}
}

func TestRun_ReportsWhatIsWrongWithAProject(t *testing.T) {
	for what, c := range map[string]struct {
		change  func(map[string]string)
		message string
	}{
		"no deploy.yml": {
			func(f map[string]string) { delete(f, "config/deploy.yml") },
			"there is no config/deploy.yml to rehearse",
		},
		"no YAML": {
			func(f map[string]string) { f["config/deploy.yml"] = "service: [" },
			"kamal does not take config/deploy.yml: ",
		},
		"ERB that fails": {
			func(f map[string]string) { f["config/deploy.yml"] += "<%= raise 'no such thing' %>" },
			"kamal does not take config/deploy.yml: no such thing",
		},
		"no service": {
			func(f map[string]string) { f["config/deploy.yml"] = "image: x\n" },
			"kamal does not take config/deploy.yml: Missing required configuration for service",
		},
		"not accepted": {
			func(f map[string]string) { f["config/deploy.yml"] += "nonsense: true\n" },
			"kamal does not take config/deploy.yml: unknown key: nonsense",
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := newDeployer(t)
			files := walkthrough()
			c.change(files)
			_, err := run(t.Context(), t, d, func(o *rehearsal.Options) { o.Project = writeProject(t, files) })
			problems := problem.Of(err)
			if len(problems) != 1 || !strings.HasPrefix(problems[0].Message, c.message) || problems[0].Hint == "" {
				t.Errorf("%v", err)
			}
			if d.request.Command != "" {
				t.Error("it deployed all the same")
			}
		})
	}
}
