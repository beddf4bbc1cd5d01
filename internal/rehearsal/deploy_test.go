package rehearsal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// A deployer does the main job in the plainest way that works with real Kamal:
// it reads the references over HTTP and puts the key into x/crypto's agent.
type deployer struct {
	t       *testing.T
	kamal   string
	log     testkit.Buffer
	values  []string                      // that were read
	before  func(rehearsal.DeployRequest) // called before Kamal runs
	during  func()                        // called once it does
	after   func()                        // called when it is done, and well
	request rehearsal.DeployRequest
}

func (d *deployer) deploy(ctx context.Context, r rehearsal.DeployRequest) (int, error) {
	d.request = r
	if d.before != nil {
		d.before(r)
	}
	env := slices.Clone(r.Env)
	for _, secret := range r.Secrets {
		name, ref, _ := strings.Cut(secret, "=")
		value, err := readReference(ctx, r, ref)
		if err != nil {
			return 0, err
		}
		d.values = append(d.values, value)
		env = append(env, name+"="+value)
	}
	keyring := agent.NewKeyring()
	for _, ref := range r.SSHKeys {
		pem, err := readReference(ctx, r, ref)
		if err != nil {
			return 0, err
		}
		d.values = append(d.values, strings.Split(strings.TrimSpace(pem), "\n")...)
		key, err := ssh.ParseRawPrivateKey([]byte(pem))
		if err != nil {
			return 0, err
		}
		if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			return 0, err
		}
	}
	dir := d.t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "agent"))
	if err != nil {
		return 0, err
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	defer listener.Close()
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				_ = agent.ServeAgent(keyring, conn)
				_ = conn.Close()
			})
		}
	})

	args := []string{r.Command}
	if r.ConfigFile != "" {
		args = append(args, "--config-file="+r.ConfigFile)
	}
	if r.Destination != "" {
		args = append(args, "--destination="+r.Destination)
	}
	cmd := exec.CommandContext(ctx, d.kamal, args...)
	cmd.Dir = r.Dir
	cmd.Env = slices.Concat(env, []string{"SSH_AUTH_SOCK=" + filepath.Join(dir, "agent"), "DOCKER_CONFIG=" + d.t.TempDir()})
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if d.during != nil {
		d.during()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err == nil && d.after != nil {
		d.after()
	}
	return 0, err
}

// readReference reads op://vault/item/field; without a field, the one called
// SSH_KEY.
func readReference(ctx context.Context, r rehearsal.DeployRequest, ref string) (string, error) {
	parts := strings.Split(strings.TrimPrefix(ref, "op://"), "/")
	if len(parts) == 2 {
		parts = append(parts, "SSH_KEY")
	}
	var vaults, items []struct{ ID string }
	if err := getJSON(ctx, r, "/v1/vaults?filter="+url.QueryEscape(fmt.Sprintf("name eq %q", parts[0])), &vaults); err != nil || len(vaults) != 1 {
		return "", fmt.Errorf("vault of %s: %d found, %w", ref, len(vaults), err)
	}
	path := "/v1/vaults/" + vaults[0].ID + "/items"
	if err := getJSON(ctx, r, path+"?filter="+url.QueryEscape(fmt.Sprintf("title eq %q", parts[1])), &items); err != nil || len(items) != 1 {
		return "", fmt.Errorf("item of %s: %d found, %w", ref, len(items), err)
	}
	var item struct {
		Fields []struct{ Label, Value string }
	}
	if err := getJSON(ctx, r, path+"/"+items[0].ID, &item); err != nil {
		return "", err
	}
	for _, f := range item.Fields {
		if f.Label == parts[2] {
			return f.Value, nil
		}
	}
	return "", fmt.Errorf("%s: no such field", ref)
}

func getJSON(ctx context.Context, r rehearsal.DeployRequest, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.ConnectHost+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+r.ConnectToken)
	request.Close = true
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return json.NewDecoder(bytes.NewReader(body)).Decode(into)
}

// needsKamal gives Kamal's path, and passes over the test where real Kamal or
// its Docker engine are not there: build/rehearsal-test.sh runs these tests
// inside the Kamal image.
func needsKamal(t *testing.T) string {
	t.Helper()
	kamal, err := exec.LookPath("kamal")
	if err != nil {
		t.Skip("kamal is not on PATH: run build/rehearsal-test.sh")
	}
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine: %s", out)
	}
	return kamal
}

// alone waits until no other rehearsal runs on this machine: tests of other
// packages rehearse too, and there is one kamal-proxy for all.
func alone(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(500 * time.Millisecond) {
		if docker(t, "volume", "ls", "--quiet", "--filter", "name=kamal-proxy-config") == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("another rehearsal, or a kamal-proxy, is there and does not end")
		}
	}
}

// state is all on the engine that a rehearsal could have made: containers,
// images, volumes and networks, and the private directories of rehearsals.
func state(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, args := range [][]string{
		{"container", "ls", "--all", "--format", "container {{.Names}} {{.Image}} {{.Labels}}"},
		{"image", "ls", "--all", "--format", "image {{.Repository}}:{{.Tag}} {{.ID}}"},
		{"volume", "ls", "--format", "volume {{.Name}}"},
		{"network", "ls", "--format", "network {{.Name}}"},
	} {
		for line := range strings.SplitSeq(docker(t, args...), "\n") {
			// Other work on the same engine has other names; the end-to-end tests
			// push to a loopback registry too.
			if strings.Contains(line, "/e2e") {
				continue
			}
			for _, part := range []string{"rehears", "kamal-proxy", "network kamal", "127.0.0.1:", "myapp"} {
				if strings.Contains(line, part) {
					all = append(all, line)
					break
				}
			}
		}
	}
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), "kamal-op-rehearsal-*"))
	if err != nil {
		t.Fatal(err)
	}
	return append(all, dirs...)
}

// nothingNew fails where the engine or the disk have what was not there before.
func nothingNew(t *testing.T, before []string) {
	t.Helper()
	for _, thing := range state(t) {
		if !slices.Contains(before, thing) {
			t.Errorf("left behind: %s", thing)
		}
	}
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %v: %v %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func options(t *testing.T, d *deployer, out io.Writer) rehearsal.Options {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return rehearsal.Options{Deploy: d.deploy, Out: out, Env: os.Environ(), Executable: executable, NoOp: true}
}

// noValues fails where one of the values stands in text.
func noValues(t *testing.T, text string, values []string) {
	t.Helper()
	for _, value := range values {
		if len(value) > 4 && strings.Contains(text, value) {
			t.Error("a value stands in the output")
		}
	}
}
