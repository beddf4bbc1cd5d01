package deploy

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/problem"
)

func TestKeepLogin_OnlyTheRunsOwnRegistryLosesItsHelper(t *testing.T) {
	type config struct {
		CredsStore  string            `json:"credsStore,omitempty"`
		CredHelpers map[string]string `json:"credHelpers,omitempty"`
		Context     string            `json:"currentContext,omitempty"`
	}
	for name, test := range map[string]struct {
		server, text string
		want         config
	}{
		"a store":             {"r.example:5000", `{"credsStore": "desktop", "currentContext": "far"}`, config{"desktop", map[string]string{"r.example:5000": ""}, "far"}},
		"a helper":            {"gcr.io", `{"credHelpers": {"gcr.io": "gcloud", "eu.gcr.io": "gcloud"}}`, config{"", map[string]string{"gcr.io": "", "eu.gcr.io": "gcloud"}, ""}},
		"an address":          {"https://r.example/v2/", `{"credsStore": "x"}`, config{"x", map[string]string{"https://r.example/v2/": "", "r.example": ""}, ""}},
		"Docker Hub":          {"", `{"credsStore": "x"}`, config{"x", map[string]string{"https://index.docker.io/v1/": "", "index.docker.io": "", "docker.io": "", "registry-1.docker.io": ""}, ""}},
		"Docker Hub, by name": {"docker.io", `{"credsStore": "x"}`, config{"x", map[string]string{"https://index.docker.io/v1/": "", "index.docker.io": "", "docker.io": "", "registry-1.docker.io": ""}, ""}},
		"neither":             {"r.example", `{"currentContext": "far"}`, config{"", map[string]string{"r.example": ""}, "far"}},
		"in other letters":    {"gcr.io", `{"CREDHELPERS": {"gcr.io": "gcloud", "b.example": "b"}}`, config{"", map[string]string{"gcr.io": "", "b.example": "b"}, ""}},
		"in small letters":    {"gcr.io", `{"credhelpers": {"gcr.io": "gcloud", "b.example": "b"}}`, config{"", map[string]string{"gcr.io": "", "b.example": "b"}, ""}},
		"null":                {"r.example", `{"credHelpers": null}`, config{"", map[string]string{"r.example": ""}, ""}},
		"null alone":          {"r.example", `null`, config{"", map[string]string{"r.example": ""}, ""}},
		"an empty file":       {"r.example", " \n", config{"", map[string]string{"r.example": ""}, ""}},
		"no configuration":    {"r.example", "", config{"", map[string]string{"r.example": ""}, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "config.json")
			if test.text != "" {
				if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := keepLogin(dir, test.server); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var got config
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	// Without it docker would keep the login where it does by default.
	for _, broken := range []string{`{`, `{"credHelpers": "x"}`, "[]"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := keepLogin(dir, "r.example"); err == nil || problem.Of(err)[0].Hint == "" {
			t.Errorf("%s: %v", broken, err)
		}
	}
}

// The real docker, with a store and a helper of the user's, or one that docker takes by
// itself since it is installed: the password goes into the run's configuration, and
// nothing is given to any.
func TestDockerLogin_LeavesNothingInTheUsersStore(t *testing.T) {
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("docker is not installed")
	}
	if conn, err := new(net.Dialer).DialContext(t.Context(), "unix", dockerSocket); err != nil {
		t.Skip("there is no Docker engine: ", err)
	} else {
		_ = conn.Close()
	}
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, ok := r.BasicAuth(); !ok || password != "run-password" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer registry.Close()
	server := strings.TrimPrefix(registry.URL, "http://")

	for name, own := range map[string]string{
		"credsStore":  `{"credsStore": "recorder"}`,
		"credHelpers": `{"credHelpers": {"` + server + `": "recorder", "other.example": "recorder"}}`,
		"no store":    `{"auths": {}}`, "no configuration": "",
	} {
		t.Run(name, func(t *testing.T) {
			home, run, bin := t.TempDir(), t.TempDir(), t.TempDir()
			calls := filepath.Join(bin, "calls")
			helper := "#!/bin/sh\necho \"$1 $(cat)\" >> " + calls + "\necho '{\"ServerURL\":\"\",\"Username\":\"person\",\"Secret\":\"persons\"}'\n"
			for path, text := range map[string]string{
				filepath.Join(bin, "docker-credential-recorder"): helper, filepath.Join(home, ".docker", "config.json"): own,
				// What docker looks for where nothing is configured, on Linux and macOS.
				filepath.Join(bin, "docker-credential-secretservice"): helper, filepath.Join(bin, "docker-credential-osxkeychain"): helper,
				filepath.Join(bin, "docker-credential-pass"): helper,
			} {
				if text == "" {
					continue
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := dockerConfig(run, map[string]string{"HOME": home}); err != nil {
				t.Fatal(err)
			}
			if err := keepLogin(run, server); err != nil {
				t.Fatal(err)
			}
			out, err := docker(t.Context(), home, run, bin, "login", server, "-u", "me", "--password-stdin")
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if said, err := os.ReadFile(calls); err == nil && strings.Contains(string(said), "store") || strings.Contains(string(said), "run-password") {
				t.Errorf("the helper was called: %s", said)
			}
			text, err := os.ReadFile(filepath.Join(run, "config.json"))
			if err != nil || !strings.Contains(string(text), `"`+server+`": {`) || strings.Contains(own, "recorder") && !strings.Contains(string(text), "recorder") {
				t.Errorf("the run's configuration is %s, %v", text, err)
			}
			if text, err := os.ReadFile(filepath.Join(home, ".docker", "config.json")); err != nil && own != "" || string(text) != own {
				t.Errorf("the user's configuration is %s, %v", text, err)
			}
		})
	}
}

func docker(ctx context.Context, home, config, bin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = []string{"HOME=" + home, "DOCKER_CONFIG=" + config, "PATH=" + bin + ":" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader("run-password")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
