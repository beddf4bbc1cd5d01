package rehearsal

import (
	"bytes"
	"context"
	"crypto/rand"
	"debug/elf"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
)

//go:embed sample
var sampleFiles embed.FS

// The sample's vault is the walkthrough's.
const (
	sampleVault = "MyApp"
	sampleItem  = "Production"
	serverItem  = "Server"
	sampleHost  = "myapp.example.com"
)

// sampleNames are the fields of the sample's item, in its order; the first is
// the registry's password, which no container gets.
func sampleNames() []string {
	return []string{"KAMAL_REGISTRY_PASSWORD", "RAILS_MASTER_KEY", "DATABASE_PASSWORD", "CHATKIT_PK", "MAILGUN_INGRESS_SIGNING_KEY"}
}

// sampleValues are values that no other rehearsal has. They have in them what
// tends to be lost on the way: what dotenv, a shell, or Docker's env files read
// as something else. What Kamal's own env file escapes (backslashes, newlines)
// is left out, since it cannot arrive as it is.
func sampleValues() map[string]string {
	return map[string]string{
		"KAMAL_REGISTRY_PASSWORD":     "reg$1-" + randomText() + `-'#"w`,
		"RAILS_MASTER_KEY":            randomText() + randomText(),
		"DATABASE_PASSWORD":           "pa$1wor$D-" + randomText() + "-${HOME}-$$x-$(true)-`true`",
		"CHATKIT_PK":                  "key # no comment = " + randomText() + ` 'single' "double" ü€ %s !`,
		"MAILGUN_INGRESS_SIGNING_KEY": "key-" + randomText() + "==",
	}
}

// randomText is 16 letters and digits that nobody can guess.
func randomText() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// A scenario is what is deployed, and how it is seen that it was.
type scenario struct {
	request DeployRequest
	// hosts are the names under which the app is asked for through kamal-proxy;
	// "" is any. path is where it is asked.
	hosts  []string
	path   string
	sample bool               // the app answers with an AppAnswer
	wants  []expectedVariable // what containers have to have
}

// An expectedVariable is a variable that the containers of a role or an accessory have.
type expectedVariable struct {
	filter string // label=value, beside that of the service
	name   string // of the variable
	value  string // as the vault has it
	known  bool   // the value is known; else only that there is one
}

// startSample writes the embedded project and starts the parts for it.
func (s *session) startSample(ctx context.Context) (*scenario, error) {
	if err := static(s.opts.Executable); err != nil {
		return nil, err
	}
	s.made.service = "myapp-rehearsal-" + s.made.id
	values := sampleValues()
	for name, value := range s.opts.Values {
		if _, ok := values[name]; ok {
			values[name] = value
		}
	}
	err := s.start(ctx, accounts{
		registryUser: registryUser,
		word:         values["KAMAL_REGISTRY_PASSWORD"],
		vaults: func(key string) []standin.VaultSpec {
			item := standin.ItemSpec{Title: sampleItem}
			for _, name := range sampleNames() {
				item.Fields = append(item.Fields, standin.FieldSpec{Label: name, Value: values[name]})
			}
			server := standin.ItemSpec{Title: serverItem, Fields: []standin.FieldSpec{{Label: "SSH_KEY", Value: key}}}
			return []standin.VaultSpec{{Name: sampleVault, Items: []standin.ItemSpec{item, server}}}
		},
	})
	if err != nil {
		return nil, err
	}
	if err := s.writeSample(ctx); err != nil {
		return nil, err
	}
	s.tell.step("the sample app is %s, in the vault %s are the items %s and %s", s.made.service, sampleVault, sampleItem, serverItem)
	p := &scenario{
		sample: true,
		hosts:  []string{sampleHost},
		path:   "/",
		request: DeployRequest{
			Command:      "deploy",
			Dir:          s.path("project"),
			Env:          s.env,
			Kamal:        s.opts.Kamal,
			ConnectHost:  s.vault.URL(),
			ConnectToken: s.vault.Token(),
			SSHKeys:      []string{"op://" + sampleVault + "/" + serverItem},
		},
	}
	for i, name := range sampleNames() {
		p.request.Secrets = append(p.request.Secrets, fmt.Sprintf("%s=op://%s/%s/%s", name, sampleVault, sampleItem, name))
		if i > 0 {
			p.wants = append(p.wants, expectedVariable{filter: "role=web", name: name, value: values[name], known: true})
		}
	}
	return p, s.register(ctx)
}

// writeSample writes the sample project and makes it a repository, as Kamal
// names versions after commits.
func (s *session) writeSample(ctx context.Context) error {
	config, err := template.ParseFS(sampleFiles, "sample/deploy.yml")
	if err != nil {
		return fmt.Errorf("the sample's deploy.yml: %w", err)
	}
	var deploy bytes.Buffer
	err = config.Execute(&deploy, map[string]any{
		"Service": s.made.service, "Host": loopback, "AppHost": sampleHost,
		"User": hostUser, "SSHPort": s.host.Port(),
		"Registry": s.registry.Address(), "RegistryUser": registryUser,
		"Label": Label, "ID": s.made.id, "Arch": s.engine.arch,
	})
	if err != nil {
		return fmt.Errorf("the sample's deploy.yml: %w", err)
	}
	dockerfile, err := sampleFiles.ReadFile("sample/Dockerfile")
	if err != nil {
		return fmt.Errorf("the sample's Dockerfile: %w", err)
	}
	secrets, err := sampleFiles.ReadFile("sample/secrets")
	if err != nil {
		return fmt.Errorf("the sample's secrets: %w", err)
	}
	for name, content := range map[string][]byte{
		"config/deploy.yml": deploy.Bytes(),
		".kamal/secrets":    secrets,
		"Dockerfile":        dockerfile,
		".gitignore":        []byte("/app\n"), // the binary: large, and no part of the sample
	} {
		path := s.path("project", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("writing the sample: %w", err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("writing the sample: %w", err)
		}
	}
	if err := copyFile(s.path("project", "app"), s.opts.Executable); err != nil {
		return fmt.Errorf("writing the sample's app: %w", err)
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "--all"},
		{"commit", "--quiet", "--no-gpg-sign", "--message", "The sample of a rehearsal"},
	} {
		if err := s.git(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// git runs git in the sample's directory, untouched by the user's settings.
func (s *session) git(ctx context.Context, args ...string) error {
	git, err := s.program("", "git")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, git, args...)
	cmd.Dir = s.path("project")
	cmd.Env = []string{
		"PATH=" + environ.List(s.env).Get("PATH"), "HOME=" + s.path("home"),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=kamal-op", "GIT_AUTHOR_EMAIL=rehearsal@localhost",
		"GIT_COMMITTER_NAME=kamal-op", "GIT_COMMITTER_EMAIL=rehearsal@localhost",
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// static is a problem where a program cannot run in an image that has nothing
// else in it: it is not for Linux, or needs a loader and libraries.
func static(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("reading kamal-op's own program: %w", err)
	}
	defer func() { _ = file.Close() }()
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			return problem.New("this kamal-op is not a static program, so that the sample app cannot be made of it",
				"build it with CGO_ENABLED=0, or use a released one")
		}
	}
	return nil
}

// copyFile copies an executable.
func copyFile(to, from string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700) //nolint:gosec // a program is to be run
	if err != nil {
		return err
	}
	defer func() {
		if closed := target.Close(); err == nil {
			err = closed
		}
	}()
	_, err = io.Copy(target, source)
	return err
}
