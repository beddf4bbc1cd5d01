//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/testkit"
	"github.com/kamal-op/kamal-op/mask"
)

// TestScale makes the rehearsal's sample larger, as far as that goes without an engine.
func TestScale(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	sample := filepath.Join("..", "..", "internal", "rehearsal", "sample")
	dir := t.TempDir()
	for _, name := range []string{"config", ".kamal"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config, err := os.Create(filepath.Join(dir, "config", "deploy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	err = template.Must(template.ParseFiles(filepath.Join(sample, "deploy.yml"))).Execute(config, map[string]any{
		"Service": "myapp", "Host": "127.0.0.1", "AppHost": "myapp.example.com", "User": "deploy", "SSHPort": listener.Addr().(*net.TCPAddr).Port,
		"Registry": "127.0.0.1:5000", "RegistryUser": "r", "Label": "l", "ID": "1", "Arch": "amd64",
	})
	if err != nil || config.Close() != nil {
		t.Fatal(err)
	}
	secrets, err := os.ReadFile(filepath.Join(sample, "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".kamal", "secrets"), secrets, 0o600); err != nil {
		t.Fatal(err)
	}
	r := rehearsal.DeployRequest{Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}}
	values := map[string]string{}
	for line := range strings.Lines(string(secrets)) {
		name, _, _ := strings.Cut(line, "=")
		values[name] = "a-value-of-" + name
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	private, signer := testkit.SSHKey(t, "")

	s := scale{secrets: 200, hosts: 20}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.enlarge(t.Context(), &r, values, private); err != nil {
		t.Fatal(err)
	}
	project, err := kamal.OpenProject(kamal.ProjectOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if roles := len(project.Config.Roles); roles != 20 {
		t.Errorf("%d roles", roles)
	}
	if len(values) != 200 || len(r.Secrets) != 195 { // the rehearsal has declared the first five
		t.Errorf("%d values, %d more declared", len(values), len(r.Secrets))
	}
	client, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.20:%d", listener.Addr().(*net.TCPAddr).Port), &ssh.ClientConfig{
		User: "deploy", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	vault, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: r.ConnectHost, Token: mask.NewSecret("token", r.ConnectToken)})
	if err != nil {
		t.Fatal(err)
	}
	defer vault.Close()
	declared, err := onepassword.ParseDeclaration(r.Secrets[194], "the test")
	if err != nil {
		t.Fatal(err)
	}
	got, err := onepassword.NewResolver(vault, onepassword.Options{}).Resolve(t.Context(), []onepassword.Declaration{declared})
	if err != nil || got[0].Reveal() != "a-value-of-SECRET_200" {
		t.Errorf("%v, %v", got, err)
	}
}
