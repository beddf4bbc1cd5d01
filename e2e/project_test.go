package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
)

// A project is a directory that deploys with Kamal: a git repository with an
// app, config/deploy.yml and .kamal/secrets, as a team has it.
type project struct {
	t       *testing.T
	Dir     string
	Service string
	Domain  string // the proxy's host
	Secrets []string
}

// deployYML is the part that every project has; options append to it or
// replace it.
var deployYML = template.Must(template.New("deploy.yml").Parse(`service: {{.Service}}
image: e2e/{{.Service}}

servers:
  web:
{{range .Servers}}    - {{.Address}}
{{end}}
proxy:
  ssl: false
  host: {{.Domain}}
  healthcheck:
    interval: 1
    timeout: 2

deploy_timeout: 10
drain_timeout: 2

registry:
  server: {{.Registry.Address}}
  username: {{.Registry.User}}
  password:
    - KAMAL_REGISTRY_PASSWORD

builder:
  arch: amd64
  driver: docker

env:
  clear:
    APP_ENV: production
  secret:
{{range .Names}}    - {{.}}
{{end}}`))

// newProject writes a project that deploys to these servers with these secrets
// (beside KAMAL_REGISTRY_PASSWORD), each a NAME=$NAME line of .kamal/secrets.
func (r *rig) newProject(t *testing.T, names []string, servers ...*server) *project {
	t.Helper()
	service := "e2e-" + randomText(4)
	p := &project{t: t, Dir: t.TempDir(), Service: service, Domain: service + ".test", Secrets: names}
	var yml strings.Builder
	if err := deployYML.Execute(&yml, map[string]any{
		"Service": service, "Domain": p.Domain, "Servers": servers, "Registry": r.registry, "Names": names,
	}); err != nil {
		t.Fatal(err)
	}
	p.write("config/deploy.yml", yml.String())
	p.write(".kamal/secrets", passedThrough(append([]string{"KAMAL_REGISTRY_PASSWORD"}, names...)...))
	p.write("Dockerfile", "FROM scratch\nCOPY app /app\nEXPOSE 80\nCMD [\"/app\"]\n")
	p.copy("app", filepath.Join(r.dir, "app"))
	t.Cleanup(func() {
		for _, s := range servers {
			s.remove(t, service)
		}
		p.removeImages()
	})
	return p
}

// passedThrough are the lines of a secrets file that takes each name from the
// environment.
func passedThrough(names ...string) string {
	var lines strings.Builder
	for _, name := range names {
		lines.WriteString(name + "=$" + name + "\n")
	}
	return lines.String()
}

// write puts a file into the project; executable where it is a script.
func (p *project) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
}

// edit replaces a part of a file that is there.
func (p *project) edit(name, old, replacement string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		p.t.Fatalf("%s has no %q", name, old)
	}
	p.write(name, strings.Replace(string(text), old, replacement, 1))
}

func (p *project) copy(name, from string) {
	p.t.Helper()
	in, err := os.Open(from)
	if err != nil {
		p.t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(p.Dir, name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		p.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		p.t.Fatal(err)
	}
}

// commit makes all files of the project a commit of its repository: Kamal's
// version of the app is the commit's.
func (p *project) commit() string {
	p.t.Helper()
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "commit", "--quiet", "--allow-empty", "--message", "Change"},
	} {
		p.git(args...)
	}
	return p.git("rev-parse", "HEAD")
}

func (p *project) git(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = p.Dir
	// Whoever runs the tests has settings of their own; none of them counts.
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

// removeImages takes what was built of the project off the builder's engine.
func (p *project) removeImages() {
	out, err := docker("images", "--quiet", "--filter", "label=service="+p.Service)
	if err == nil && out != "" {
		_, err = docker(append([]string{"rmi", "--force"}, strings.Fields(out)...)...)
	}
	if err != nil {
		p.t.Error(err)
	}
}
